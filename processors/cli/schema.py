"""`funnelstream schema`: the JSON Schemas of what is published and of the files people write."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from processors.configuration.json_schemas import application_json_schema, cases_json_schema, definition_json_schema
from processors.engine.stop import INPUT, Stop
from schemas.publications import json_schema, published_models

PUBLISHED = Path("schemas/published")


def schema(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Print only this one.")] = None,
    write: Annotated[bool, typer.Option("--write", help=f"Write them to {PUBLISHED}/.")] = False,
    check: Annotated[bool, typer.Option("--check", help=f"Fail if {PUBLISHED}/ differs from the models.")] = False,
) -> None:
    """Print the JSON Schemas of published records, definitions and configuration."""
    if write and check:
        raise typer.BadParameter("--write makes what --check compares with: give one of them")
    if name is not None and (write or check):
        raise typer.BadParameter(f"--write and --check are for all schemas: leave out {name}", param_hint="NAME")
    schemas = all_schemas()
    if name is not None and name not in schemas:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(schemas)}", param_hint="NAME")
    if write:
        PUBLISHED.mkdir(parents=True, exist_ok=True)
        for each, content in schemas.items():
            _file(each).write_text(_text(content))
    elif check:
        stale = [
            str(_file(each))
            for each, content in schemas.items()
            if not _file(each).exists() or _file(each).read_text() != _text(content)
        ]
        if stale:
            raise Stop(
                INPUT, f"{', '.join(stale)} differ from the models: run `funnelstream schema --write` and commit the result."
            )
    else:
        sys.stdout.write(_text(schemas[name] if name is not None else schemas))


def all_schemas() -> dict[str, dict[str, Any]]:
    """Every schema by its name."""
    published = {name: json_schema(name) for name in published_models()}
    written = {"definition": definition_json_schema(), "cases": cases_json_schema(), "application": application_json_schema()}
    return {**published, **written}


def _file(name: str) -> Path:
    return PUBLISHED / f"{name}.json"


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2) + "\n"
