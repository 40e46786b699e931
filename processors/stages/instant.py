"""One instant of one subject in one funnel: the evaluation rule of the definitions language, step by step.

All facts of an instant are applied before any rule is judged, so records that share a time mean the same in every
order. The order of the steps in `evaluate` is the rule itself: values, conversions, re-entry, latches, what holds,
the outcome, the move.
"""

from collections.abc import Collection, Mapping, Sequence

from processors.stages.evidence import Due, Evidence, KeyedFact
from processors.stages.path import NOTHING, Path, Turn, rests
from processors.stages.rules import Rule, StageRule
from processors.stages.state import Deal, FunnelState, Track
from processors.stages.timeline import OWN, Match, Move
from processors.stages.tracks import Standing, holds, judge, latch, refreshes, release, roll_up
from processors.stages.version import Version
from schemas.facts import Fact, Value, is_missing


def in_order(keyed: KeyedFact) -> tuple[int, int, str, str]:
    """Sort key of a subject's facts: event time, then the payload's own order, then id (rule 18)."""
    fact = keyed[1]
    return fact.occurred_at, fact.source_order, fact.id, fact.source


def evaluate(
    state: FunnelState,
    instant: int,
    facts: Sequence[KeyedFact],
    version: Version,
    due: Sequence[Due] = (),
    *,
    anew: bool = False,
) -> tuple[Sequence[Move], Sequence[Match]]:
    """Advance `state` (in place) over all facts of one instant, or over timers, which are a step of their own before them.

    Args:
        state: The state after the previous step; it is consumed.
        instant: The instant, in microseconds.
        facts: All facts of this instant, sorted by `in_order`; none where timers fire.
        version: The version in force at this instant; for timers the one that the last facts were judged by.
        due: The timers.
        anew: Whether this version judges the subject for the first time.

    Returns:
        The moves in the order they happen, and the conversions in the order of their facts.
    """
    state.stepped = instant
    told = _apply(state, facts, version)
    if not due and instant < version.effective_from:
        return (), ()
    evidence = Evidence(state, facts, version, due)
    if not (told or due or anew) and refreshes(state, evidence.fired, version):
        latch(state, evidence.fired, version, instant)
        return (), evidence.conversions(instant)
    evaluation = _Evaluation(state, instant, evidence, version)
    evaluation.run()
    return evaluation.moves, evidence.conversions(instant)


def _apply(state: FunnelState, facts: Sequence[KeyedFact], version: Version) -> bool:
    """Take over what facts tell of records; returns whether they tell any, rather than of events only."""
    told = False
    for key, fact in facts:
        if fact.kind == "event" and not fact.deal:
            continue
        told = True
        track = _track_of(state, fact)
        if fact.kind == "change":
            if fact.provenance == "snapshot":
                track.whole_at = max(track.whole_at, fact.broker_time)
            for field in fact.values:
                if field in version.keeps:
                    _set(track if field.startswith("deal.") else state.own, field, key, fact, version)
        elif fact.kind == "delete":
            track.deleted = True
        elif fact.kind == "restore":
            track.deleted = False
        elif fact.kind == "gap":
            track.gap_at = max(track.gap_at, fact.broker_time)
    return told


def _set(track: Track, field: str, key: bytes, fact: Fact, version: Version) -> None:
    """Take over a value, if its source has the say."""
    before, value, order = track.values.get(field), fact.values[field], version.authority.get(field)
    if order is None:
        track.values[field] = value
    else:
        track.values[f"{field}@{fact.source}"] = value
        track.values[field] = _authoritative(track.values, field, order)
    if field in version.passing and (order is None or track.values[field] != before):
        _arm(track, field, key, fact.occurred_at)


def _track_of(state: FunnelState, fact: Fact) -> Track:
    if not fact.deal:
        return state.own
    deal = state.deals.get(fact.deal)
    if deal is None:
        deal = state.deals[fact.deal] = Deal()
    return deal.track


def _arm(track: Track, field: str, cause: bytes, instant: int) -> None:
    """Remember the fact that set a value for which a rule waits to pass."""
    value = track.values[field]
    if isinstance(value, int) and not isinstance(value, bool) and value > instant:
        track.armed[field] = cause
    else:
        track.armed.pop(field, None)


def _authoritative(values: Mapping[str, Value], field: str, order: tuple[str, ...]) -> Value:
    said = (values.get(f"{field}@{source}") for source in order)
    return next((value for value in said if not is_missing(value)), None)


class _Evaluation:
    """The judgement of one instant: what latches and holds, and the moves that follow."""

    __slots__ = ("_evidence", "_instant", "_state", "_version", "moves")

    def __init__(self, state: FunnelState, instant: int, evidence: Evidence, version: Version) -> None:
        self._state = state
        self._instant = instant
        self._evidence = evidence
        self._version = version
        self.moves: list[Move] = []

    def run(self) -> None:
        """Judge, then move the subject and, where they are published, its deals."""
        state, version, instant = self._state, self._version, self._instant
        reentered = version.reenter and self._reenters()
        if reentered:
            state.own.latches.clear()
            state.own.kept.clear()
            state.own.armed = {name: cause for name, cause in state.own.armed.items() if name in version.passing}
            state.reentered = instant
        recycled = latch(state, self._evidence.fired, version, instant)
        if version.expiring:
            release(state, version, instant)
        found = judge(state, self._evidence, version, instant)
        if version.subject != "deal":
            self._walk(OWN, found, self._turn(found, recycled, reentered=reentered), state.reentered)
        if version.walks_deals:
            for name in sorted(state.deals):
                self._walk_deal(name, found)

    def _turn(self, found: Mapping[str, Standing], recycled: StageRule | None, *, reentered: bool) -> Turn:
        """What turns the subject's position."""
        state, deleted = self._state, self._evidence.deleted
        detour = self._detour(found) if self._version.detours else None
        gone = state.own.deleted or (bool(deleted) and len(found) <= 1)
        if state.deals or deleted:
            withdrawn = self._withdrawn(deleted) if deleted else frozenset()
            return Turn(detour, recycled, reentered, gone, self._rolled(found), _customer(found), withdrawn)
        return Turn(detour, recycled, reentered, gone) if detour or recycled or reentered or gone else NOTHING

    def _walk(self, name: str, found: Mapping[str, Standing], turn: Turn, reentered: int | None) -> None:
        walk = self._state.walk if name == OWN else self._state.deals[name].walk
        now = roll_up(found, reentered)
        if not rests(walk, now, turn):
            path = Path(walk, name, self._evidence, self._version, self._instant)
            path.settle(now, turn)
            self.moves += path.moves

    def _walk_deal(self, name: str, found: Mapping[str, Standing]) -> None:
        """A deal's own position: of what holds on it and on its lead, whatever other deals do."""
        deleted = self._state.deals[name].track.deleted
        seen = {} if deleted else {each: found[each] for each in (OWN, name) if each in found}
        detour = self._detour_on(name) if not deleted else None
        withdrawn = self._withdrawn({OWN, name}.intersection(self._evidence.deleted))
        self._walk(name, seen, Turn(detour=detour, gone=deleted, withdrawn=withdrawn), None)

    # --- re-entry --------------------------------------------------------------------------------------------------

    def _reenters(self) -> bool:
        """`after_outcome: reenter`: an own signal after the outcome starts a new path, so what latched the old one is dropped."""
        state = self._state
        fired = self._evidence.fired.get(OWN)
        if not fired or state.walk.position is None or state.walk.position.place != "outcome":
            return False
        ended = self._version.rules[state.walk.position.name]
        if not self._still(ended) or ended.name in fired:
            return False  # the outcome lapses at this very instant: that is a reopening, to the furthest stage that holds
        return any(rule.name in fired for rule in self._version.own_stages) and not self._open_deals()

    def _still(self, rule: Rule) -> bool:
        """Whether an outcome is true on a track that may have it."""
        return any(self._is_true(rule, name) for name, _ in self._state.tracks if (name != OWN) == rule.of_deals)

    def _open_deals(self) -> bool:
        """Whether a live deal holds a stage and has no outcome, before anything of this instant latches."""
        outcomes, stages = self._version.deal_outcomes, self._version.deal_stages
        return any(
            any(self._is_true(rule, name) for rule in stages) and not any(self._is_true(rule, name) for rule in outcomes)
            for name in self._state.deals
        )

    def _holds(self, rule: Rule, track: str) -> bool:
        return holds(rule, self._evidence.values(track), self._state.memory, self._instant)

    # --- what else turns a position --------------------------------------------------------------------------------

    def _detour(self, found: Mapping[str, Standing]) -> Rule | None:
        """The detour of the subject: one of its own, or one that all of its open deals are in."""
        open_deals = [name for name, standing in found.items() if name != OWN and standing.outcome is None]
        for rule in self._version.detours:
            if rule.of_deals:
                if open_deals and all(self._is_true(rule, name) for name in open_deals):
                    return rule
            elif self._is_true(rule, OWN):
                return rule
        return None

    def _detour_on(self, name: str) -> Rule | None:
        detours = self._version.detours
        return next((rule for rule in detours if self._is_true(rule, name if rule.of_deals else OWN)), None)

    def _is_true(self, rule: Rule, name: str) -> bool:
        track = self._state.own if name == OWN else self._state.deals[name].track
        return not track.deleted and (rule.name in track.latches or self._holds(rule, name))

    def _withdrawn(self, deleted: Collection[str]) -> frozenset[str]:
        """The stages and outcomes that hold on records that were deleted at this instant."""
        version = self._version
        return frozenset(
            rule.name
            for name, track in self._state.tracks
            if name in deleted
            for rule in (*version.stages, *version.outcomes)
            if rule.of_deals == (name != OWN)
            and (rule.name in track.latches or rule.name in track.kept or self._holds(rule, name))
        )

    def _rolled(self, found: Mapping[str, Standing]) -> bool:
        """Whether a deal was closed at this instant: what is behind it now is a roll-up, not a move backwards."""
        return any(name != OWN and standing.outcome and standing.since == self._instant for name, standing in found.items())


def _customer(found: Mapping[str, Standing]) -> bool:
    return any(standing.outcome is not None and standing.outcome.won for standing in found.values())
