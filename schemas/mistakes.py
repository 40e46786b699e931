"""Mistakes in what people write: where, and a sentence that says what to write instead.

Models raise `Misshapen` from their validators, so that one value can carry several mistakes, each at its own place;
`processors.configuration` turns them into problems with file, line and column.
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, NamedTuple

Path = tuple[str | int, ...]
"""Keys and list indexes from the start of what is read down to one value."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}\Z")
_LONGEST_SHOWN = 60
_SHORTEST_BEGINNING = 3


class Mistake(NamedTuple):
    """A mistake below some start: where, and the sentence; `of_key` when the key is wrong rather than its value."""

    path: Path
    sentence: str
    of_key: bool = False


class Misshapen(ValueError):
    """What was written is not of the form it should have.

    Attributes:
        mistakes: All of them, with paths relative to the value that was read.
    """

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__("; ".join(mistake.sentence for mistake in mistakes))
        self.mistakes = mistakes


def suggestion(written: Any, known: Iterable[str]) -> str:
    """`; did you mean NAME?`, or nothing when no known name is close."""
    text, names = str(written)[:200], list(known)
    longer = [name for name in names if len(text) >= _SHORTEST_BEGINNING and name.startswith(text)]
    close = get_close_matches(text, names, n=1, cutoff=0.6) or longer
    return f"; did you mean {close[0]}?" if close else ""


def one_of(names: Iterable[str]) -> str:
    """The names as a person lists them: `a, b or c`."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


def all_of(names: Iterable[str]) -> str:
    """The names as a person adds them up: `a, b and c`."""
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def shown(value: Any) -> str:
    """A written value for a sentence: short, whatever it is."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    text = str(value).lower() if isinstance(value, bool) else str(value)
    short = text if len(text) <= _LONGEST_SHOWN else text[:_LONGEST_SHOWN] + "..."
    return repr(short) if isinstance(value, str) else short


def nonblank(text: str) -> str:
    """Refuse a text of nothing but blanks; raises ValueError."""
    if not text.strip():
        raise ValueError("it is empty: write a text")
    return text


def plain_name(text: str) -> str:
    """Refuse a name that could not stand in a metric label or an id; raises ValueError."""
    if not _NAME.match(text):
        raise ValueError(f"{shown(text)} is no name: use letters, digits, _ and -, such as demo_request (100 characters at most)")
    return text
