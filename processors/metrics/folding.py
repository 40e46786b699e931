"""Folding: of the values of a segment the first few are shown by name and the rest together, so that labels are bounded.

The rest is called `other`. Where a source has a value of that name, the rest is called `(other)`, so that the two are never one.
"""

from collections.abc import Sequence
from typing import NamedTuple

OTHER, OTHERS = "other", "(other)"


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


def fold(first: Sequence[str], count: int, *, taken: bool) -> Folded:
    """Fold the values of a segment.

    Args:
        first: Those that come first, as many as are shown by name.
        count: How many values there are altogether.
        taken: Whether `other` is one of them all.
    """
    rest = count - len(first)
    return Folded(first, None if rest == 0 else OTHERS if taken else OTHER, rest)


def shown(top: int, most: int | None) -> int:
    """How many values of a segment are shown by name: its `top`, and never more than any label may have."""
    return top if most is None else min(top, most)
