"""Stances: what of a subject's positions counts besides its moves, as values that are compared before a record and after it."""

from collections.abc import Mapping

import msgspec

from processors.stages.captured import NO_VALUE
from processors.stages.lineage import Lineage
from processors.stages.state import First, FunnelState
from processors.stages.timeline import OWN, Money, Point
from processors.stages.version import Version
from processors.topology.snapshot import Shown, has_won

Segments = Mapping[str, str]

_NONE: frozenset[str] = frozenset()
NO_SEGMENTS: Segments = {}


class Stance(msgspec.Struct, frozen=True, gc=False):
    """What of one position counts beside its moves; nothing in it is ever changed in place.

    Attributes:
        version: By which it was last judged.
        position: Where it stands.
        furthest: The furthest stage ever entered.
        moved_at: Of its last move, in microseconds.
        firsts: How it first came to its places.
        value: At its last move.
        segments: As its snapshot shows them.
        customer: Whether a deal of the subject is won, wherever the subject stands (rule 13).
    """

    version: Version
    position: Point | None
    furthest: str | None
    moved_at: int
    firsts: Mapping[str, First]
    value: Money | None
    segments: Segments
    customer: bool


class Stances(msgspec.Struct, frozen=True, gc=False):
    """How a subject stands in one funnel.

    Attributes:
        of: The positions that count, by deal (empty: its own).
        gone: Whose record is deleted.
        touch: Segments of the first touch, to the value they have now: whatever was captured before it, each subject is in one
            bucket, so that parts add up to the whole (rule 26).
    """

    of: Mapping[str, Stance]
    gone: frozenset[str] = _NONE
    touch: Segments = NO_SEGMENTS


NOWHERE = Stances({})
"""Of who was never seen."""


def stances(lineage: Lineage, state: FunnelState, look: Shown) -> Stances:
    """What of a state counts; `look` is what snapshots show of it."""
    version = lineage.by_number.get(state.version)
    if version is None:
        return NOWHERE
    touch = _first_touch(version, state) if version.touching else NO_SEGMENTS
    gone = _gone(version, state) if state.deals or state.own.deleted else _NONE
    of = {deal: _stance(version, state, deal, segments) for deal, (_, _, segments) in look.items() if deal not in gone}
    return Stances(of, gone, touch)


def _first_touch(version: Version, state: FunnelState) -> Segments:
    names = (segment.name for segment in version.touching if segment.rule == "first_touch")
    return {name: state.touches.get(name, NO_VALUE) for name in names}


def _gone(version: Version, state: FunnelState) -> frozenset[str]:
    return frozenset(name for name, track in state.tracks if track.deleted and (name == OWN or version.walks_deals))


def _stance(version: Version, state: FunnelState, deal: str, segments: Segments) -> Stance:
    walk = state.deals[deal].walk if deal else state.walk
    furthest = version.stages[walk.furthest].name if walk.furthest >= 0 else None
    customer = not deal and bool(state.deals) and has_won(state, version)
    return Stance(version, walk.position, furthest, walk.moved_at or 0, walk.firsts, walk.value, segments, customer)
