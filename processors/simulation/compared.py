"""What a case expects against what came of it: which steps belong together, and what differs in each."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from processors.simulation.cases import Ran, Seen
from schemas.cases import Case, Step


class Row(NamedTuple):
    """An expected step beside the one that came; either is None where the other has no counterpart."""

    expected: Step | None
    came: Seen | None
    differing: tuple[str, ...]
    """The keys in which they differ."""

    @property
    def agrees(self) -> bool:
        """Whether what was expected came."""
        return self.expected is not None and self.came is not None and not self.differing


class Counted(NamedTuple):
    """How often a conversion was expected to match, and how often it did; `key` is counted or repeat."""

    conversion: str
    key: str
    expected: int
    came: int


class Comparison(NamedTuple):
    """A case held against what came of it."""

    path: Sequence[Row]
    published: Sequence[Row]
    counts: Sequence[Counted]
    disagreement: Sequence[str]

    @property
    def passed(self) -> bool:
        """Whether all of it is as expected."""
        steps = all(row.agrees for row in (*self.path, *self.published))
        return steps and all(each.expected == each.came for each in self.counts) and not self.disagreement


def compare(case: Case, start: int, ran: Ran) -> Comparison:
    """Hold a case against what came of it; what it does not expect is not compared."""
    expect = case.expect
    counts = [
        Counted(name, key, expected, ran.conversions[name, key])
        for name, written in (expect.conversions or {}).items()
        for key, expected in (("counted", written.counted), ("repeat", written.repeat))
        if expected is not None
    ]
    return Comparison(
        path=[] if expect.path is None else _rows(expect.path, ran.path, start),
        published=[] if expect.published is None else _rows(expect.published, ran.published, start),
        counts=counts,
        disagreement=ran.disagreement,
    )


def _rows(expected: Sequence[Step], came: Sequence[Seen], start: int) -> list[Row]:
    """Steps that agree are put side by side, as many as can be in order; what lies between is paired as it comes."""
    rows: list[Row] = []
    done, seen = 0, 0
    for step, move in [*_agreeing(expected, came, start), (len(expected), len(came))]:
        left, right = expected[done:step], came[seen:move]
        for index in range(max(len(left), len(right))):
            pair = (left[index] if index < len(left) else None, right[index] if index < len(right) else None)
            rows.append(Row(*pair, _differing(*pair, start)))
        if step < len(expected):
            rows.append(Row(expected[step], came[move], ()))
        done, seen = step + 1, move + 1
    return rows


def _agreeing(expected: Sequence[Step], came: Sequence[Seen], start: int) -> list[tuple[int, int]]:
    """The longest common subsequence of steps that agree, as pairs of indexes."""
    agree = [[not _differing(step, move, start) for move in came] for step in expected]
    longest = [[0] * (len(came) + 1) for _ in range(len(expected) + 1)]
    for i in reversed(range(len(expected))):
        for j in reversed(range(len(came))):
            longest[i][j] = 1 + longest[i + 1][j + 1] if agree[i][j] else max(longest[i + 1][j], longest[i][j + 1])
    pairs, i, j = [], 0, 0
    while i < len(expected) and j < len(came):
        if agree[i][j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif longest[i + 1][j] >= longest[i][j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def _differing(step: Step | None, move: Seen | None, start: int) -> tuple[str, ...]:
    if step is None or move is None:
        return ()
    return tuple(key for key, value in step.written() if _comparable(key, value, start) != move.of(key))


def _comparable(key: str, value: Any, start: int) -> Any:
    return value.on(start) if key == "at" and value is not None else value
