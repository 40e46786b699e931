"""Timers: what becomes true because time passes and nothing else happens (rules 10, 22, 29).

A latch ends, a date passes, a stay misses its service level. A timer is a step of its own, before the facts of the same instant,
and its evidence is the fact that armed it. Nothing here reads a clock: a later fact of the subject fires what was due before it,
and what no fact fires, a watermark does (identity, Time).
"""

from collections.abc import Sequence

from processors.stages.evidence import Due, KeyedFact
from processors.stages.instant import evaluate
from processors.stages.lineage import Lineage
from processors.stages.seam import carry_over
from processors.stages.state import FunnelState
from processors.stages.timeline import Match, Move
from processors.stages.tracks import latch_end
from processors.stages.version import Version


def step(
    state: FunnelState, instant: int, facts: Sequence[KeyedFact], lineage: Lineage
) -> tuple[Sequence[Move], Sequence[Match]]:
    """Advance `state` over the facts of one instant, after every timer that is due by then.

    Args:
        state: After the instant before; it is consumed.
        instant: In microseconds.
        facts: All facts of it, sorted by `instant.in_order`.
        lineage: The funnel.

    Returns:
        The moves in the order they happened, and the conversions in the order of their facts.
    """
    fired = fire(state, instant, lineage) if lineage.timed else []
    version = lineage.at(instant)
    anew = state.version != version.number and instant >= version.effective_from
    if anew:
        carry_over(state, lineage, version, facts)
    moves, matches = evaluate(state, instant, facts, version, anew=anew)
    return [*fired, *moves] if fired else moves, matches


def fire(state: FunnelState, until: int, lineage: Lineage) -> list[Move]:
    """Fire every timer that is due at or before `until` (microseconds), each at its own instant."""
    moves: list[Move] = []
    while (instant := next_due(state, lineage)) is not None and instant <= until:
        version = lineage.by_number[state.version]
        due = [each for at, each in _armed(state, version) if at == instant]
        moves.extend(evaluate(state, instant, (), version, due)[0])
        for each in due:
            if each.name in version.passing:  # a latch that has ended is disarmed with it, and a missed deadline ends no latch
                (state.deals[each.deal].track if each.deal else state.own).armed.pop(each.name, None)
    return moves


def next_due(state: FunnelState, lineage: Lineage) -> int | None:
    """When the next timer is due, in microseconds, later than the last step; None where none is armed."""
    version = lineage.by_number.get(state.version)
    if version is None or not version.timed:
        return None
    return min([at for at, _ in _armed(state, version)], default=None)


def _armed(state: FunnelState, version: Version) -> list[tuple[int, Due]]:
    """Every timer that is armed, with its instant."""
    found: list[tuple[int, Due]] = []
    for name, track in state.tracks:
        if not track.armed:
            continue
        for stage in version.expiring:
            end = latch_end(stage, track)
            if end is not None and stage.name in track.armed:
                found.append((end, Due(name, stage.name, track.armed[stage.name])))
        for field in version.passing:
            value = track.values.get(field)
            if field in track.armed and isinstance(value, int):
                found.append((value, Due(name, field, track.armed[field])))
    for name, walk in state.walks:
        here, deadline = walk.position, walk.deadline
        if deadline is not None and here is not None and (here.place, here.name) == ("stage", deadline.stage):
            found.append((deadline.due, Due(name, deadline.stage, deadline.cause, missed=True)))
    return found
