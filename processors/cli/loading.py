"""Loading: from a configuration file to a program, with every mistake of both shown at once."""

import os
import sys
from pathlib import Path
from typing import NamedTuple

from processors.configuration.application import WrittenApplication, load_application
from processors.configuration.definitions import load_definitions
from processors.configuration.problems import Problem, Unreadable, errors
from processors.configuration.unbuilt import unbuilt
from processors.engine.stop import ENVIRONMENT, INPUT, Stop
from processors.topology.program import Program
from schemas.definitions import Funnel


class Loaded(NamedTuple):
    """What a command works with."""

    application: WrittenApplication
    funnels: tuple[Funnel, ...]
    program: Program


def load(config: Path) -> Loaded:
    """Load an application and its definitions for running; what cannot be run yet is refused by name.

    Raises:
        Stop: With code 1 after every mistake was printed, or 3 when a file cannot be read.
    """
    try:
        application, problems = load_application(config, os.environ)
        if application is None:
            raise _refused(problems)
        definitions, found = load_definitions([Path(application.definitions)], application)
        problems = [*problems, *found]
        if not errors(problems):
            problems += unbuilt(definitions, application)
    except Unreadable as error:
        raise Stop(ENVIRONMENT, str(error)) from error
    if errors(problems):
        raise _refused(problems)
    for problem in problems:
        print(f"warning: {problem}", file=sys.stderr)
    return Loaded(application, definitions.funnels, Program(definitions.funnels, application))


def _refused(problems: list[Problem]) -> Stop:
    mistakes = errors(problems)
    for problem in mistakes:
        print(problem, file=sys.stderr)
    count = "1 mistake" if len(mistakes) == 1 else f"{len(mistakes)} mistakes"
    return Stop(INPUT, f"{count} in the configuration or the definitions, listed above; nothing was started.")
