"""`funnelstream graph`: a funnel as a drawing, for Mermaid (which GitHub and most wikis render) or Graphviz."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from processors.cli.drawing import dot, drawing_of, mermaid
from processors.cli.loading import load_definitions_beside
from schemas.definitions import Funnel


def graph(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A funnel's file, or a folder of definitions.")],
    funnel: Annotated[str | None, typer.Option(help="Which funnel of a folder.")] = None,
    format: Annotated[Literal["mermaid", "dot"], typer.Option(help="Mermaid, or DOT for Graphviz.")] = "mermaid",
) -> None:
    """Draw a funnel: its stages in order, what enters each, detours, outcomes and expiry."""
    drawn = drawing_of(_chosen(path, funnel))
    print(mermaid(drawn) if format == "mermaid" else dot(drawn))


def _chosen(path: Path, name: str | None) -> Funnel:
    """The newest version of the funnel that is meant."""
    definitions = load_definitions_beside(path)
    newest = {each.funnel: each for each in definitions.funnels}  # sorted by version
    for file in definitions.files:
        if file.is_at(path) and not isinstance(file.model, Funnel):
            raise typer.BadParameter(f"{path} is a library of conversions: name a funnel", param_hint="PATH")
        if file.is_at(path) and isinstance(file.model, Funnel):
            this = (file.model.funnel, file.model.version)
            newest = {each.funnel: each for each in definitions.funnels if (each.funnel, each.version) == this}
    known = ", ".join(newest) or "none"
    if name is None and len(newest) == 1:
        return next(iter(newest.values()))
    if name is None and newest:
        raise typer.BadParameter(f"several funnels: --funnel NAME, one of {known}")
    if name is None:
        raise typer.BadParameter(f"{path} holds no funnel", param_hint="PATH")
    if name not in newest:
        raise typer.BadParameter(f"{path} has no funnel {name!r}: there are {known}", param_hint="--funnel")
    return newest[name]
