"""The fold: a timeline as a pure function of the set of accepted facts (invariant 1).

`fold` is the meaning of the product; everything incremental in `topology.advance` must give what it gives (invariant 2).
"""

from collections.abc import Iterable
from itertools import groupby

import msgspec

from processors.stages.evidence import KeyedFact
from processors.stages.instant import in_order
from processors.stages.lineage import Lineage
from processors.stages.state import FunnelState
from processors.stages.timeline import Match, Move
from processors.stages.timers import fire, step
from schemas.facts import Fact, accepted_order, fact_key


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """The folded history of one subject in one funnel.

    Attributes:
        moves: In the order they happened; those of the subject's deals are among them where the funnel publishes deals.
        matches: The conversions, in the order of their facts.
        state: After the last step.
        instant: The last instant with a fact, in microseconds; None without any.
    """

    moves: tuple[Move, ...]
    matches: tuple[Match, ...]
    state: FunnelState
    instant: int | None


def fold(facts: Iterable[Fact], lineage: Lineage, as_of: int | None = None) -> Timeline:
    """Fold the facts of one subject.

    Args:
        facts: In any order, with any duplicates; of several with one id the smallest by `accepted_order` counts (rule 20).
        lineage: The funnel. From each version's `effective_from` its rules apply, to the subject's next fact on (rule 23).
        as_of: Until when timers fire, in microseconds, where no later fact does (invariant 5). It never hides a fact.

    Returns:
        The timeline.
    """
    return fold_accepted(accept(facts).items(), lineage, as_of)


def accept(facts: Iterable[Fact]) -> dict[bytes, Fact]:
    """Of the facts with one source and id the one that counts (rule 20), by key."""
    accepted: dict[bytes, Fact] = {}
    for fact in facts:
        key = fact_key(fact.source, fact.id)
        rival = accepted.get(key)
        if rival is None or accepted_order(fact) < accepted_order(rival):
            accepted[key] = fact
    return accepted


def fold_accepted(facts: Iterable[KeyedFact], lineage: Lineage, as_of: int | None = None) -> Timeline:
    """`fold` over facts that are accepted already, each with its key."""
    state = FunnelState()
    moves: list[Move] = []
    matches: list[Match] = []
    instant: int | None = None
    used = sorted((keyed for keyed in facts if not too_late(keyed[1], lineage)), key=in_order)
    for instant, together in groupby(used, key=_instant):
        moved, matched = step(state, instant, list(together), lineage)
        moves += moved
        matches += matched
    if as_of is not None:
        moves += fire(state, as_of, lineage)
    return Timeline(moves=tuple(moves), matches=tuple(matches), state=state, instant=instant)


def _instant(keyed: KeyedFact) -> int:
    return keyed[1].occurred_at


def too_late(fact: Fact, lineage: Lineage) -> bool:
    """Whether the record reached the broker too long after its event time to be used (rule 19).

    A backfill never does, nor does a whole record: it says what is so now, however long ago that last changed.
    """
    late_by = fact.broker_time - fact.occurred_at
    return fact.provenance == "live" and late_by > lineage.at(fact.occurred_at).lateness
