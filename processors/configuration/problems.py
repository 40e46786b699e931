"""Problems: what people who write definitions and configuration read when something is wrong.

Every one says where (file, line, column and key), what, and what to write instead.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

Severity = Literal["error", "warning"]


class Problem(NamedTuple):
    """One mistake in a file. Sorts by place.

    Attributes:
        file: As it was given, or as found in the folder that was given.
        line: From 1.
        column: From 1.
        key: Where in the document, such as `stages.sql.while.deal.stage`; empty for the whole of it.
        sentence: What is wrong, and what to write instead.
        severity: A warning refuses nothing.
    """

    file: str
    line: int
    column: int
    key: str
    sentence: str
    severity: Severity = "error"

    def __str__(self) -> str:
        """`file:line:column: key: sentence`, on one line whatever was written."""
        key = f"{self.key}: " if self.key else ""
        text = f"{self.file}:{self.line}:{self.column}: {key}{self.sentence}"
        return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


class Unreadable(Exception):
    """A file or folder that was named cannot be read: the environment is at fault, not what is written in it."""


def shortened(text: str, longest: int) -> str:
    """The text, or its beginning and its end: a sentence says last what to write instead."""
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]} ... {text[-half:]}"


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """Problems by place, each once."""
    return sorted(set(problems))


def errors(problems: Iterable[Problem]) -> list[Problem]:
    """Those that refuse the files."""
    return [problem for problem in problems if problem.severity == "error"]
