"""How a worker ends on purpose: an exit code that scripts can rely on, and one sentence for the person who must act."""

from typing import Literal

ExitCode = Literal[0, 1, 2, 3, 4, 5]

INPUT: ExitCode = 1
"""Definitions or configuration are at fault."""
ENVIRONMENT: ExitCode = 3
"""Brokers, topics, permissions or this machine are at fault."""
BUG: ExitCode = 4
"""We are at fault."""
AGAIN: ExitCode = 5
"""Fenced, or gave up: a restart is exact and probably helps."""


class Stop(Exception):
    """Ends the worker.

    Attributes:
        code: The process's exit code.
        sentence: What, where, why, and what to do.
    """

    def __init__(self, code: ExitCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code: ExitCode = code
        self.sentence = sentence
