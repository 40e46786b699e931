"""Folding: of the values of a segment the first few are shown by name and the rest together, so that labels are bounded.

The rest is called `other`. Where a source has a value of that name, the rest is called `(other)`, and so on: no two are one.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

OTHER = "other"


class Folded(NamedTuple):
    """The values of a segment as they are shown.

    Attributes:
        named: Those that are shown by name, in order.
        rest: What the others are called; None: there are none.
        folded: How many others there are.
    """

    named: Sequence[str]
    rest: str | None
    folded: int


def fold(first: Sequence[str], count: int, taken: Callable[[str], bool]) -> Folded:
    """Fold the values of a segment.

    Args:
        first: Those that come first, as many as are shown by name.
        count: How many values there are altogether.
        taken: Whether a name is one of them all.
    """
    rest, label = count - len(first), OTHER
    while rest and taken(label):
        label = f"({label})"
    return Folded(first, label if rest else None, rest)


def shown(top: int, most: int | None) -> int:
    """How many values of a segment are shown by name: its `top`, and never more than any label may have."""
    return top if most is None else min(top, most)
