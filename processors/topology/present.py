"""How a subject stands in a funnel before a record and after it: what snapshots show of it, and what of it counts."""

from collections.abc import Mapping, Sequence

import msgspec

from processors.stages.lineage import Lineage
from processors.stages.state import FunnelState
from processors.stages.timeline import Move
from processors.topology.snapshot import Shown, shown
from processors.topology.stances import NOWHERE, Stances, stances
from schemas.facts import Fact


class Seen(msgspec.Struct, frozen=True, gc=False):
    """How a funnel stands: what snapshots show of it, and what of it counts; by which version, and with which touches."""

    shown: Shown
    stances: Stances
    version: int
    touches: Mapping[str, str]


UNSEEN = Seen({}, NOWHERE, 0, {})


def seen(lineage: Lineage, state: FunnelState) -> Seen:
    """How a state stands, to compare it with what it becomes."""
    look = shown(lineage, state)
    return Seen(look, stances(lineage, state, look), state.version, state.touches)


def seen_after(before: Seen, fact: Fact, moves: Sequence[Move], lineage: Lineage, state: FunnelState) -> Seen:
    """How a state stands after one more fact. An event that moves nobody and touches nothing mostly leaves all as it was."""
    if fact.kind == "event" and not moves and not state.deals and state.version == before.version:
        version = lineage.by_number.get(state.version)
        if version is not None and version.steady and state.touches is before.touches:
            return before
    return seen(lineage, state)


class Present(msgspec.Struct, frozen=True, gc=False):
    """Where a funnel stands after a record.

    Attributes:
        before: How it stood before.
        after: How it stands now.
        state: After all timers that have fired; what a snapshot shows now.
        deletes: Whether the record deletes something, or restores it: then snapshots are published whether or not they differ.
    """

    before: Seen
    after: Seen
    state: FunnelState
    deletes: bool = False


AS_BEFORE = Present(UNSEEN, UNSEEN, FunnelState())
"""Of who stands as before the record, however that was: nothing is compared, and no snapshot published."""
