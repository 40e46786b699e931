"""One instant of one subject in one funnel: the evaluation rule of the definitions language, step by step.

All facts of an instant are applied before any rule is judged, so records that share a time mean the same in every
order. The order of the steps in `evaluate` is the rule itself: values, conversions, re-entry, latches, what holds,
the outcome, the move.
"""

from collections.abc import Sequence

from processors.stages.evidence import Evidence, KeyedFact
from processors.stages.rules import OutcomeRule, Rule, StageRule, Version
from processors.stages.timeline import FunnelState, Match, Move, MoveKind, Point, Visits
from schemas.facts import Value, is_missing

SKIP = "policy_violation:skip"
BACKWARD = "policy_violation:backward"
LAPSED = "criteria_lapsed"


def in_order(keyed: KeyedFact) -> tuple[int, int, str, str]:
    """Sort key of a subject's facts: event time, then the payload's own order, then id (rule 18)."""
    fact = keyed[1]
    return fact.occurred_at, fact.source_order, fact.id, fact.source


def evaluate(
    state: FunnelState, instant: int, facts: Sequence[KeyedFact], version: Version
) -> tuple[Sequence[Move], Sequence[Match]]:
    """Advance `state` (in place) over all facts of one instant.

    Args:
        state: The state after the previous instant; it is consumed.
        instant: The instant, in microseconds.
        facts: All facts of this instant, sorted by `in_order`.
        version: The version in force at this instant.

    Returns:
        The moves in the order they happen, and the conversions in the order of their facts.
    """
    _apply(state, facts, version)
    if instant < version.effective_from:
        return (), ()
    evidence = Evidence(state, facts, version)
    evaluation = _Evaluation(state, instant, evidence, version)
    evaluation.reenter()
    evaluation.latch()
    evaluation.settle(evaluation.standing(), evaluation.outcome())
    evaluation.notice()
    return evaluation.moves, evidence.conversions(instant)


def _apply(state: FunnelState, facts: Sequence[KeyedFact], version: Version) -> None:
    for _, fact in facts:
        if fact.kind == "change":
            for field, value in fact.values.items():
                order = version.authority.get(field)
                if order is None:
                    state.values[field] = value
                else:
                    state.values[f"{field}@{fact.source}"] = value
                    state.values[field] = _authoritative(state.values, field, order)
        elif fact.kind == "delete":
            state.deleted = True
        elif fact.kind == "restore":
            state.deleted = False


def _authoritative(values: dict[str, Value], field: str, order: tuple[str, ...]) -> Value:
    said = (values.get(f"{field}@{source}") for source in order)
    return next((value for value in said if not is_missing(value)), None)


class _Evaluation:
    """The judgement of one instant: what latches and holds, and the moves that follow."""

    __slots__ = ("_back", "_lapsed", "_recycled", "evidence", "instant", "moves", "state", "version")

    def __init__(self, state: FunnelState, instant: int, evidence: Evidence, version: Version) -> None:
        self.state = state
        self.instant = instant
        self.evidence = evidence
        self.version = version
        self.moves: list[Move] = []
        self._lapsed: list[StageRule] = []
        self._recycled: StageRule | None = None
        self._back = False

    # --- what holds ------------------------------------------------------------------------------------------------

    def reenter(self) -> None:
        """`after_outcome: reenter`: an own signal after the outcome starts a new path, so what latched the old one is dropped."""
        state, fired = self.state, self.evidence.fired
        if not self.version.reenter or state.position is None or state.position.place != "outcome":
            return
        ended = self._rule_of(state.position)
        if ended.name not in state.latches and not self._holds(ended):
            return  # the outcome lapses at this very instant: that is a reopening, to the furthest stage that holds
        if ended.name not in fired and any(rule.name in fired for rule in self.version.stages):
            state.latches.clear()
            state.kept.clear()
            if state.outcome is not None:  # still true, but no longer newer than the re-entry
                state.outcome = (state.outcome[0], -1)
            self._back = True

    def latch(self) -> None:
        """Latch what fired; a stage that resets drops the latches of later stages (recycled)."""
        fired, latches = self.evidence.fired, self.state.latches
        if not fired:
            return
        for rule in self.version.resetting:
            if rule.name in fired:
                later = self.version.stages[rule.index + 1 :]
                dropped = [stage.name for stage in later if latches.pop(stage.name, None) is not None]
                if self.state.position is not None and self.state.position.name in dropped:
                    self._recycled = rule
        for name in sorted(fired):  # the state's bytes must not depend on a set's order
            first, _ = latches.get(name, (self.instant, 0))
            latches[name] = (first, self.instant)

    def _holds(self, rule: Rule) -> bool:
        return rule.holds is not None and rule.holds(self.state.values, self.state.memory)

    def standing(self) -> list[StageRule]:
        """The stages that hold, in funnel order: latched, true now, or kept since they were true."""
        state = self.state
        stages: list[StageRule] = []
        if state.deleted:
            return stages
        values, memory, latches, kept = state.values, state.memory, state.latches, state.kept
        for rule in self.version.stages:
            name = rule.name
            true_now = rule.holds is not None and rule.holds(values, memory)
            if rule.keep:
                if kept.get(name) and not true_now:
                    self._lapsed.append(rule)
                if true_now or name in kept:
                    kept[name] = true_now
            if true_now or name in latches or name in kept:
                stages.append(rule)
        return stages

    def outcome(self) -> OutcomeRule | None:
        """The first outcome whose rule is true and that is newer than the last re-entry."""
        state = self.state
        for true_now in self.version.outcomes:
            if true_now.name in state.latches or self._holds(true_now):
                break
        else:
            state.outcome = None
            return None
        if state.outcome is None or state.outcome[0] != true_now.name:
            state.outcome = (true_now.name, self.instant)
        return true_now if state.outcome[1] >= 0 else None

    def _detour(self) -> Rule | None:
        for rule in self.version.detours:
            if rule.name in self.state.latches or self._holds(rule):
                return rule
        return None

    # --- where that leads ------------------------------------------------------------------------------------------

    def settle(self, standing: list[StageRule], outcome: OutcomeRule | None) -> None:
        """Move to the outcome, into or out of a detour, back to an open stage, or along the stages that hold."""
        here = self.state.position
        if self.state.deleted:
            self.state.left = None
            if here is not None:
                self._move("withdraw", None, self._rule_of(here))
        elif outcome is not None:
            if here is None or (here.place, here.name) != ("outcome", outcome.name):
                self._close(outcome)
        elif (detour := self._detour()) is not None:
            if here is None or (here.place, here.name) != ("detour", detour.name):
                self.state.left = here if here is not None and here.place == "stage" else self.state.left
                self._move("detour", detour, detour, effective_at=self._entry_time(detour))
        elif here is not None and here.place == "outcome":
            furthest = standing[-1] if standing else None
            self._move("reopen", furthest, furthest if self._back and furthest else self._rule_of(here))
        else:
            if here is not None and here.place == "detour":
                self._return(standing, here)
            self._along(standing)

    def _close(self, outcome: OutcomeRule) -> None:
        before = self.state.left if self._stands_in("detour") else self.state.position
        passed = self._between(before, None) if outcome.won else ()
        self._move("outcome", outcome, outcome, skipped=passed, effective_at=self._entry_time(outcome))
        self.state.left = None

    def _return(self, standing: list[StageRule], detour: Point) -> None:
        left, self.state.left = self.state.left, None
        still = left is not None and any(rule.name == left.name for rule in standing)
        back = Point("stage", left.name, self.instant, left.entry) if left is not None and still else None
        self._record("return", back, self._rule_of(detour), self.instant)

    def _along(self, standing: list[StageRule]) -> None:
        position = self._stage_index()
        for stage in standing:
            if stage.index > position:
                skipped = self._between(self.state.position, stage)
                flags = (SKIP,) if skipped and self.version.flag_skips else ()
                self._move("advance", stage, stage, skipped=skipped, flags=flags, effective_at=self._entry_time(stage))
        here = self.state.position
        furthest = standing[-1] if standing else None
        if here is not None and (furthest is None or furthest.index < position) and self.version.backward != "ignore":
            flags = (BACKWARD,) if self.version.backward == "flag" else ()
            self._move("regress", furthest, self._recycled or self._rule_of(here), flags=flags)

    def _stage_index(self) -> int:
        here = self.state.position
        return self._rule_of(here).index if here is not None else -1

    def _stands_in(self, place: str) -> bool:
        return self.state.position is not None and self.state.position.place == place

    def _rule_of(self, point: Point) -> Rule:
        return self.version.rules[point.name]

    def _between(self, before: Point | None, target: StageRule | None) -> tuple[str, ...]:
        """Non-optional stages strictly between two positions: the skipped ones (rule 5).

        Behind an outcome lie the stages beyond the furthest ever entered: those before it were touched, not skipped.
        """
        first = 0
        if before is not None:
            first = 1 + (self._rule_of(before).index if before.place == "stage" else self.state.furthest)
        last = target.index if target is not None else len(self.version.stages)
        return tuple(stage.name for stage in self.version.stages[first:last] if not stage.optional)

    def _entry_time(self, rule: Rule) -> int:
        """The rule's `at` field, clamped to [previous entry, this instant] (rule 22); this instant without one."""
        said = self.state.values.get(rule.at) if rule.at else None
        if not isinstance(said, int):
            return self.instant
        return min(max(said, self.state.moved_at if self.state.moved_at is not None else said), self.instant)

    # --- the record of it ------------------------------------------------------------------------------------------

    def _move(
        self,
        kind: MoveKind,
        target: Rule | None,
        decided_by: Rule,
        *,
        skipped: tuple[str, ...] = (),
        flags: tuple[str, ...] = (),
        effective_at: int | None = None,
    ) -> None:
        """Enter `target` (none: leave the funnel's path) and count the entry."""
        state, at = self.state, self.instant if effective_at is None else effective_at
        point = None
        if target is not None:
            before = state.visits.get(target.name)
            visits = Visits(1, at, at) if before is None else Visits(before.count + 1, before.first_at, at)
            state.visits[target.name] = visits
            point = Point(target.place, target.name, at, visits.count)
            if target.place == "stage":
                state.furthest = max(state.furthest, target.index)
        self._record(kind, point, decided_by, at, skipped=skipped, flags=flags)

    def _record(
        self,
        kind: MoveKind,
        target: Point | None,
        rule: Rule,
        at: int,
        *,
        skipped: tuple[str, ...] = (),
        flags: tuple[str, ...] = (),
    ) -> None:
        read_by = self.evidence.read_by(rule)
        self.moves.append(
            Move(
                kind=kind,
                source=self.state.position,
                target=target,
                effective_at=at,
                rule=rule.label,
                read=self.evidence.values_read(rule, read_by[0]),
                cause=read_by[0],
                skipped=skipped,
                flags=flags,
            )
        )
        if kind != "notice":
            self.evidence.moved(rule, read_by)
            self.state.position = target
            self.state.moved_at = at

    def notice(self) -> None:
        """Say that the criteria of the current stage lapsed although it is kept; no entry."""
        here = self.state.position
        for rule in self._lapsed:
            if here is not None and (here.place, here.name) == ("stage", rule.name):
                self._record("notice", here, rule, self.instant, flags=(LAPSED,))
