"""`funnelstream lint`: every mistake in definitions and configuration, each with its place and its mend; for editors and CI."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from processors.cli.tables import Format, print_csv
from processors.configuration.application import load_application
from processors.configuration.definitions import load_definitions
from processors.configuration.exchange_rates import load_rates
from processors.configuration.problems import Problem, Unreadable, errors, in_order
from processors.configuration.unbuilt import unbuilt, unbuilt_in
from processors.engine.stop import ENVIRONMENT, INPUT, Stop


def lint(
    paths: Annotated[list[Path] | None, typer.Argument(metavar="PATH...", help="Definition files, or folders of them.")] = None,
    config: Annotated[
        Path | None, typer.Option(help="Check this configuration too, and the fields that its sources give.")
    ] = None,
    deny_warnings: Annotated[bool, typer.Option("--deny-warnings", help="Fail on warnings too.")] = False,
    format: Annotated[Format, typer.Option(help="How to print.")] = "table",
) -> None:
    """Check definitions: prints every mistake with its place and what to write instead. With only --config, those it names."""
    if not paths and config is None:
        raise typer.BadParameter("name definition files or folders, or --config FILE")
    try:
        problems = problems_in(paths or [], config, os.environ)
    except Unreadable as reason:
        raise Stop(ENVIRONMENT, str(reason)) from reason
    _print(problems, format)
    if errors(problems) or (deny_warnings and problems):
        raise typer.Exit(INPUT)


def problems_in(paths: Sequence[Path], config: Path | None, environment: Mapping[str, str]) -> list[Problem]:
    """Every problem in definitions and in the configuration they are for, its exchange rates included.

    What `run` would refuse as not built is a warning.

    Args:
        paths: Files or folders; none: those the configuration names.
        config: The configuration; None: any field may exist.
        environment: For references in the configuration.

    Raises:
        Unreadable: A path is missing or cannot be read.
    """
    application, problems = load_application(config, environment) if config is not None else (None, [])
    if application is not None and not paths:
        paths = [Path(application.definitions)]
    definitions, found = load_definitions(paths, application)
    later = unbuilt(definitions, application) if application is not None else unbuilt_in(definitions)
    _, mispriced = load_rates(application.money) if application is not None and application.money is not None else ((), [])
    return in_order([*problems, *found, *mispriced, *(problem._replace(severity="warning") for problem in later)])


def _print(problems: Sequence[Problem], format: Format) -> None:
    wrong = len(errors(problems))
    summary = f"{_counted(wrong, 'error')}, {_counted(len(problems) - wrong, 'warning')}"
    if format != "table":
        if format == "json":
            print(json.dumps([problem._asdict() for problem in problems], indent=2))
        else:
            print_csv(Problem._fields, problems)
        print(summary, file=sys.stderr)
        return
    for problem in problems:
        print(problem if problem.severity == "error" else f"{problem} (warning)")
    print(summary)


def _counted(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"
