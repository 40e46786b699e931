"""The fold: a timeline as a pure function of the set of accepted facts (invariant 1).

`fold` is the meaning of the product; everything incremental in `topology.advance` must give what it gives (invariant 2).
"""

from collections.abc import Iterable, Sequence
from itertools import groupby

import msgspec

from processors.stages.evidence import KeyedFact
from processors.stages.instant import evaluate, in_order
from processors.stages.rules import Version
from processors.stages.timeline import FunnelState, Match, Move
from schemas.facts import Fact, accepted_order, fact_key


class Timeline(msgspec.Struct, frozen=True, kw_only=True):
    """The folded history of one subject in one funnel.

    Attributes:
        moves: In the order they happened.
        matches: The conversions, in the order of their facts.
        state: After the last instant.
        instant: The last instant with a fact, in microseconds; None without any.
    """

    moves: tuple[Move, ...]
    matches: tuple[Match, ...]
    state: FunnelState
    instant: int | None


def fold(facts: Iterable[Fact], versions: Sequence[Version], as_of: int | None = None) -> Timeline:
    """Fold the facts of one subject.

    Args:
        facts: In any order, with any duplicates; of several with one id the smallest by `accepted_order` counts (rule 20).
        versions: The versions of one funnel. From each one's `effective_from` its rules apply.
        as_of: Until when timers fire, in microseconds. It never hides a fact: a fact counts when it arrives.

    Returns:
        The timeline.
    """
    del as_of  # no definition that can be loaded has a timer yet (`configuration.unbuilt`)
    return fold_accepted(accept(facts).items(), versions)


def accept(facts: Iterable[Fact]) -> dict[bytes, Fact]:
    """Of the facts with one source and id the one that counts (rule 20), by key."""
    accepted: dict[bytes, Fact] = {}
    for fact in facts:
        key = fact_key(fact.source, fact.id)
        rival = accepted.get(key)
        if rival is None or accepted_order(fact) < accepted_order(rival):
            accepted[key] = fact
    return accepted


def fold_accepted(facts: Iterable[KeyedFact], versions: Sequence[Version]) -> Timeline:
    """`fold` over facts that are accepted already, each with its key."""
    state = FunnelState()
    moves: list[Move] = []
    matches: list[Match] = []
    instant: int | None = None
    used = sorted((keyed for keyed in facts if not too_late(keyed[1], version_at(versions, keyed[1].occurred_at))), key=in_order)
    for instant, together in groupby(used, key=_instant):
        moved, matched = evaluate(state, instant, list(together), version_at(versions, instant))
        moves += moved
        matches += matched
    return Timeline(moves=tuple(moves), matches=tuple(matches), state=state, instant=instant)


def _instant(keyed: KeyedFact) -> int:
    return keyed[1].occurred_at


def version_at(versions: Sequence[Version], instant: int) -> Version:
    """The version with the largest `effective_from` at or before the instant; before the first, the first."""
    in_force = [version for version in versions if version.effective_from <= instant]
    return max(in_force, key=_effective_from) if in_force else min(versions, key=_effective_from)


def _effective_from(version: Version) -> int:
    return version.effective_from


def too_late(fact: Fact, version: Version) -> bool:
    """Whether the record reached the broker too long after its event time to be used (rule 19); a backfill never does."""
    return fact.broker_time - fact.occurred_at > version.lateness and fact.provenance != "backfill"
