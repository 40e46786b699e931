"""Loading: from a configuration file to a program, with every mistake of both shown at once."""

import os
import sys
from pathlib import Path
from typing import NamedTuple

from processors.configuration.application import WrittenApplication, load_application
from processors.configuration.definitions import DefinitionSet, load_definitions
from processors.configuration.exchange_rates import load_rates
from processors.configuration.problems import Problem, Unreadable, errors, in_order
from processors.configuration.unbuilt import unbuilt
from processors.engine.stop import ENVIRONMENT, INPUT, Stop
from processors.topology.program import Program
from schemas.application import MoneySettings
from schemas.definitions import Funnel
from schemas.exchange import DatedRate


class Loaded(NamedTuple):
    """What a command works with; `files` are the definitions' own."""

    application: WrittenApplication
    funnels: tuple[Funnel, ...]
    files: tuple[Path, ...]
    program: Program


def load(config: Path) -> Loaded:
    """Load an application and its definitions for running; what cannot be run yet is refused by name.

    Raises:
        Stop: With code 1 after every mistake was printed, or 3 when a file cannot be read.
    """
    try:
        application, problems = load_application(config, os.environ)
        if application is None:
            raise refused(problems)
        definitions, found = load_definitions([Path(application.definitions)], application)
        problems = in_order([*problems, *found, *unbuilt(definitions, application)])
    except Unreadable as error:
        raise Stop(ENVIRONMENT, str(error)) from error
    if errors(problems):
        raise refused(problems)
    for problem in problems:
        print(f"warning: {problem}", file=sys.stderr)
    files = tuple(Path(file.document.file) for file in definitions.files)
    return Loaded(application, definitions.funnels, files, Program(definitions.funnels, application))


def load_exchange_rates(money: MoneySettings) -> tuple[DatedRate, ...]:
    """The rates at which amounts are shown in the reporting currency, by day.

    Raises:
        Stop: With code 1 after every mistake was printed, or 3 when the file cannot be read.
    """
    try:
        rates, problems = load_rates(money)
    except Unreadable as error:
        raise Stop(ENVIRONMENT, str(error)) from error
    if problems:
        raise refused(problems, "the exchange rates")
    return rates


def load_definitions_beside(path: Path) -> DefinitionSet:
    """Load the definitions of a folder, or those of a file with what lies beside it; no application is needed.

    Of a file only its own mistakes count: what else lies in its folder may be unfinished.

    Raises:
        Stop: With code 1 after every mistake was printed, or 3 when a file cannot be read.
    """
    try:
        definitions, problems = load_definitions([path] if path.is_dir() else [path, path.parent])
    except Unreadable as error:
        raise Stop(ENVIRONMENT, str(error)) from error
    if not path.is_dir():
        problems = [problem for problem in problems if Path(problem.file).absolute() == path.absolute()]
    if errors(problems):
        raise refused(problems, "the definitions")
    return definitions


def refused(problems: list[Problem], where: str = "the configuration or the definitions") -> Stop:
    """Print every mistake; returns what ends the command."""
    mistakes = errors(problems)
    for problem in mistakes:
        print(problem, file=sys.stderr)
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    return Stop(INPUT, f"{count} in {where}, listed above; nothing was started.")
