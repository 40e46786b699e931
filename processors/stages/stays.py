"""Stays: what a walk keeps of where it has been, place by place: how often and how long, and how it first came there.

Rates, times in stage and service levels are counted from it (rules 5, 8, 9, 24 and 29).
"""

import msgspec

from processors.stages.state import Entry, First, Spells, Walk
from processors.stages.timeline import Move, MoveKind, Point, Stay

TOUCHING = frozenset({"advance", "regress", "reopen", "outcome"})
"""The kinds of moves whose target is *touched* (definitions, evaluation): not what time or a deletion has left one in."""


def entered(before: Spells | None, at: int) -> Spells:
    """The stays in a place once it is entered again, at an instant in microseconds (rule 8)."""
    if before is None:
        return Spells(1, at, at)
    return Spells(before.count + 1, before.first_at, at, before.closed, before.latest, before.total)


def leave(walk: Walk, kind: MoveKind, target: Point | None, at: int) -> tuple[Stay, ...]:
    """The stay in a place ends, half-open (rule 9); for a detour that of a stage is only interrupted."""
    here, left = walk.position, walk.left
    if here is None:
        return ()
    lasted = max(at - here.entered_at, 0)
    if kind == "detour" and here.place == "stage" and (spells := walk.spells.get(here.name)) is not None:
        walk.spells[here.name] = msgspec.structs.replace(spells, carried=spells.carried + lasted)
        return ()
    ended = [_end(walk, here, lasted)]
    if kind == "detour" or (kind == "return" and target is not None):
        return tuple(ended)
    if here.place == "detour" and left is not None:
        ended.append(_end(walk, left, 0))
    walk.deadline, walk.missed = None, ""
    return tuple(ended)


def _end(walk: Walk, point: Point, lasted: int) -> Stay:
    segments = walk.segments if point.place == "detour" else walk.entered
    missed = walk.missed if point.place == "stage" else ""
    spells = walk.spells.get(point.name)
    if spells is None:  # one stands in it since the stage that was entered has gone (rule 23)
        return Stay(point.place, point.name, None, segments, missed)
    count, closed, length = spells.count, spells.closed + 1, spells.carried + lasted
    walk.spells[point.name] = Spells(count, spells.first_at, spells.last_at, closed, length, spells.total + length)
    return Stay(point.place, point.name, length if point.known else None, segments, missed)


def note_first(walk: Walk, move: Move) -> None:
    """Remember first entries, what was passed on the way, and that time took one away (rules 5, 8, 24).

    The dictionary is replaced, never changed: who holds the one from before can tell what is new.
    """
    firsts, at, segments = walk.firsts, move.effective_at, move.segments
    new = {name: First(passed=Entry(at, segments)) for name in move.skipped if name not in firsts}
    if move.target is not None and move.kind in TOUCHING:
        name = move.target.name
        first = firsts.get(name)
        if first is None or first.touched is None:
            entry = Entry(at, segments, move.target.known)
            if first is None or first.carried:
                new[name] = First(entry, place=move.target.place)
            else:
                new[name] = msgspec.structs.replace(first, touched=entry)
    elif move.kind == "expire" and move.source is not None:
        first = firsts.get(move.source.name)
        if first is not None and first.expired_at is None:
            new[move.source.name] = msgspec.structs.replace(first, expired_at=at)
    if new:
        walk.firsts = {**firsts, **new}
