"""The order of a path: published moves of one position as they followed each other, whatever order they were published in."""

from collections.abc import Iterable
from itertools import groupby

from processors.projection.published import Position, Transition


def in_order(transitions: Iterable[Transition]) -> list[Transition]:
    """The moves of one position in the order of its path: by time, and at one time each from where the one before led."""
    found: list[Transition] = []
    here: Position | None = None
    for _, together in groupby(sorted(transitions, key=lambda move: (move.at, move.sequence)), key=lambda move: move.at):
        waiting = [*together]
        while waiting:
            following = [move for move in waiting if move.source == here] or _heads(waiting)
            chosen = min(following, key=_entry_number)
            waiting.remove(chosen)
            found.append(chosen)
            here = chosen.target
    return found


def _heads(moves: list[Transition]) -> list[Transition]:
    """Where a path may begin that a new version has broken: a move that follows none of the others (rule 23)."""
    targets = [move.target for move in moves if move.kind != "notice"]
    return [move for move in moves if move.source not in targets] or moves


def _entry_number(move: Transition) -> int:
    return 0 if move.target is None else move.target.entry
