"""`funnelstream docs`: a catalogue of all funnels in Markdown, for those who read the numbers and not the definitions."""

from pathlib import Path
from typing import Annotated

import typer

from processors.cli.catalogue import catalogue
from processors.cli.loading import load_definitions_beside
from processors.engine.stop import ENVIRONMENT, Stop


def docs(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A folder of definitions, or one of its files.")],
    out: Annotated[Path | None, typer.Option(help="Write to this file instead of printing.")] = None,
) -> None:
    """Print a Markdown catalogue: owners, versions, what counts, how it is counted, and where it is used."""
    definitions = load_definitions_beside(path)
    chosen = set() if path.is_dir() else {file.name for file in definitions.files if file.is_at(path)}
    text = catalogue(definitions.funnels, definitions.libraries, chosen)
    if out is None:
        print(text)
        return
    try:
        out.write_text(text + "\n")
    except OSError as error:
        raise Stop(ENVIRONMENT, f"{out} cannot be written: {error.strerror}.") from error
