"""The path of one position: from what holds now to the moves that follow, and the record of them.

The subject and, where a funnel publishes deals, each of its deals walk the same path by the same rules.
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec

from processors.stages.evidence import Evidence
from processors.stages.rules import OutcomeRule, Rule, StageRule
from processors.stages.state import Deadline, Walk
from processors.stages.stays import entered, leave, note_first
from processors.stages.timeline import OWN, Move, MoveKind, Point
from processors.stages.tracks import RollUp
from processors.stages.version import Version

SKIP = "policy_violation:skip"
BACKWARD = "policy_violation:backward"
LAPSED = "criteria_lapsed"
OVERDUE = "sla_missed"
CUSTOMER = "customer"


class Turn(msgspec.Struct, frozen=True):
    """What has turned a position, besides what holds now.

    Attributes:
        detour: That is true now.
        recycled: The stage whose event took away the one stood in.
        reentered: Whether a new path begins after an outcome.
        gone: Whether nothing is left to stand on because the record is deleted.
        rolled: Whether a deal was closed just now, so that a step back is a roll-up (which `backward: ignore` does not ignore).
        withdrawn: Places that hold on a record that was deleted just now.
        customer: Whether any deal is won.
    """

    detour: Rule | None = None
    recycled: StageRule | None = None
    reentered: bool = False
    gone: bool = False
    rolled: bool = False
    customer: bool = False
    withdrawn: frozenset[str] = frozenset()


NOTHING = Turn()
"""Nothing but what holds."""


def rests(walk: Walk, now: RollUp, turn: Turn) -> bool:
    """Whether it stands in the furthest stage that holds and nothing turns it, as after most facts: then nothing follows."""
    here = walk.position
    return (
        here is not None
        and turn is NOTHING
        and now.outcome is None
        and bool(now.stages)
        and now.stages[-1].name == here.name
        and not now.lapsed
        and walk.deadline is None
    )


class Path:
    """Moves one walk at one instant; see the module."""

    __slots__ = ("_deal", "_evidence", "_holders", "_instant", "_version", "_walk", "moves")

    def __init__(self, walk: Walk, deal: str, evidence: Evidence, version: Version, instant: int) -> None:
        self._walk = walk
        self._deal = deal
        self._evidence = evidence
        self._version = version
        self._instant = instant
        self._holders: Mapping[str, Collection[str]] = {}
        self.moves: list[Move] = []

    def settle(self, now: RollUp, turn: Turn) -> None:
        """Move to the outcome, into or out of a detour, back to an open stage, or along the stages that hold."""
        here = self._walk.position
        self._holders = now.holders
        standing = now.stages
        if turn.gone and turn.detour is None and not standing and now.outcome is None:
            if here is not None:
                self._move("withdraw", None, self._rule_of(here))
            self._walk.left = None
        elif now.outcome is not None:
            if here is None or (here.place, here.name) != ("outcome", now.outcome.name):
                self._close(now.outcome)
        elif turn.detour is not None:
            if here is None or (here.place, here.name) != ("detour", turn.detour.name):
                self._walk.left = here if here is not None and here.place == "stage" else self._walk.left
                self._move("detour", turn.detour, turn.detour, effective_at=self._entry_time(turn.detour))
        elif here is not None and here.place == "outcome":
            self._reopen(standing, here, turn)
        else:
            if here is not None and here.place == "detour":
                self._return(standing, here)
            self._along(standing, turn)
        self._notice(now, turn)

    def _close(self, outcome: OutcomeRule) -> None:
        before = self._walk.left if self._stands_in("detour") else self._walk.position
        passed = self._between(before, None) if outcome.won else ()
        self._move("outcome", outcome, outcome, skipped=passed, effective_at=self._entry_time(outcome))
        self._walk.left = None

    def _reopen(self, standing: Sequence[StageRule], here: Point, turn: Turn) -> None:
        """From an outcome back to an open stage: that it was won, for example, stays in history (rule 12)."""
        furthest = standing[-1] if standing else None
        decided_by = furthest if furthest is not None and (turn.reentered or turn.customer) else self._rule_of(here)
        kind: MoveKind = "withdraw" if here.name in turn.withdrawn else "reopen"
        self._move(kind, furthest, decided_by, flags=(CUSTOMER,) if turn.customer else ())

    def _return(self, standing: Sequence[StageRule], detour: Point) -> None:
        left = self._walk.left
        still = left is not None and any(rule.name == left.name for rule in standing)
        back = Point("stage", left.name, self._instant, left.entry, left.known) if left is not None and still else None
        rule = self._rule_of(detour)
        self._record("return", back, rule, self._instant, self._read_by(rule))
        self._walk.left = None

    def _along(self, standing: Sequence[StageRule], turn: Turn) -> None:
        position = self._stage_index()
        for stage in standing:
            if stage.index > position:
                skipped = self._between(self._walk.position, stage)
                flags = (SKIP,) if skipped and self._version.flag_skips else ()
                self._move("advance", stage, stage, skipped=skipped, flags=flags, effective_at=self._entry_time(stage))
        here = self._walk.position
        furthest = standing[-1] if standing else None
        if here is not None and (furthest is None or furthest.index < position):
            self._back(here, furthest, turn)

    def _back(self, here: Point, furthest: StageRule | None, turn: Turn) -> None:
        """A step back: the position falls, entries and the furthest stage stay (rule 6); flagged, never refused (rule 7)."""
        rule = self._rule_of(here)
        decided_by = turn.recycled or rule
        counts = self._version.backward != "ignore"  # else a step back that was ignored when it was made stays so
        if here.name in turn.withdrawn:
            self._move("withdraw", furthest, decided_by)
        elif self._evidence.due and (counts or self._evidence.ends(rule)):
            self._move("expire", furthest, decided_by)
        elif counts or turn.rolled:
            flags = (BACKWARD,) if self._version.backward == "flag" else ()
            self._move("regress", furthest, decided_by, flags=flags)

    def _notice(self, now: RollUp, turn: Turn) -> None:
        """Say that the criteria of the current stage lapsed although it is kept, or that the stay in it took long; no entry."""
        here, walk = self._walk.position, self._walk
        if here is None or here.place != "stage":
            return
        for rule in now.lapsed:
            if rule.name == here.name and not turn.gone:
                self._record("notice", here, rule, self._instant, self._read_by(rule), flags=(LAPSED,))
        if walk.deadline is not None and walk.deadline.stage == here.name and walk.deadline.due <= self._instant:
            missed, walk.deadline, walk.missed = walk.deadline, None, here.name
            at = max(missed.due, here.entered_at)
            self._record("notice", here, self._rule_of(here), at, [missed.cause], flags=(OVERDUE,))

    # --- where one stands ------------------------------------------------------------------------------------------

    def _stage_index(self) -> int:
        here = self._walk.position
        return self._rule_of(here).index if here is not None else -1

    def _stands_in(self, place: str) -> bool:
        return self._walk.position is not None and self._walk.position.place == place

    def _rule_of(self, point: Point) -> Rule:
        return self._version.rules[point.name]

    def _between(self, before: Point | None, target: StageRule | None) -> tuple[str, ...]:
        """Non-optional stages strictly between two positions: the skipped ones (rule 5).

        Behind an outcome lie the stages beyond the furthest ever entered: those before it were touched, not skipped.
        """
        first = 0
        if before is not None:
            first = 1 + (self._rule_of(before).index if before.place == "stage" else self._walk.furthest)
        last = target.index if target is not None else len(self._version.stages)
        if first >= last:
            return ()
        return tuple(stage.name for stage in self._version.stages[first:last] if not stage.optional)

    def _entry_time(self, rule: Rule) -> int:
        """The rule's `at` field, clamped to [previous entry, this instant] (rule 22); this instant without one."""
        if rule.at is None:
            return self._instant
        said = self._evidence.values(self._deal_of(rule, self._evidence.read_by(rule, self._holders.get(rule.name)))).get(rule.at)
        if not isinstance(said, int):
            return self._instant
        return min(max(said, self._walk.moved_at if self._walk.moved_at is not None else said), self._instant)

    def _deal_of(self, rule: Rule, read_by: Sequence[bytes]) -> str:
        """The deal on which a rule decided: that of its walk, else of the facts it read, else one that it holds on."""
        if self._deal or not rule.of_deals:
            return self._deal
        holders = self._holders.get(rule.name)
        for key in read_by:
            fact = self._evidence.fact(key)
            if fact is not None and fact.deal and (holders is None or fact.deal in holders):
                return fact.deal
        for each in self._evidence.due:
            if each.deal and (holders is None or each.deal in holders):
                return each.deal
        return min(holders) if holders else OWN

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
        walk, at = self._walk, self._instant if effective_at is None else effective_at
        read_by = self._read_by(decided_by)
        point = None
        if target is not None:
            spells = walk.spells[target.name] = entered(walk.spells.get(target.name), at)
            point = Point(target.place, target.name, at, spells.count, self._is_known(target, read_by[0]))
            if target.place == "stage":
                walk.furthest = max(walk.furthest, target.index)
        self._record(kind, point, decided_by, at, read_by, skipped=skipped, flags=flags)
        if isinstance(target, StageRule) and target.sla is not None:
            walk.deadline = Deadline(target.name, at + target.sla, self.moves[-1].cause)

    def _record(
        self,
        kind: MoveKind,
        target: Point | None,
        rule: Rule,
        at: int,
        read_by: Sequence[bytes],
        *,
        skipped: tuple[str, ...] = (),
        flags: tuple[str, ...] = (),
    ) -> None:
        evidence, walk = self._evidence, self._walk
        deal = self._deal_of(rule, read_by) if rule.of_deals else self._deal
        segments = evidence.segments(deal, read_by[0]) if kind != "notice" else walk.entered
        move = Move(
            kind=kind,
            source=walk.position,
            target=target,
            effective_at=at,
            rule=rule.label,
            read=evidence.values_read(rule, read_by[0], deal),
            cause=read_by[0],
            instant=self._instant,
            version=self._version.number,
            skipped=skipped,
            flags=flags,
            deal=self._deal,
            timer=bool(evidence.due) or OVERDUE in flags,
            segments=segments,
            value=evidence.value(deal),
            stays=leave(walk, kind, target, at) if kind != "notice" else (),
        )
        self.moves.append(move)
        if kind == "notice":
            return
        evidence.moved(rule, read_by)
        note_first(walk, move)
        walk.position, walk.moved_at = target, at
        walk.segments, walk.value = segments, move.value
        if kind not in ("detour", "return"):
            walk.entered = segments

    def _is_known(self, target: Rule, cause: bytes) -> bool:
        """Whether the time of an entry is known: a whole record tells no time of its own, unless a field does (rule 21)."""
        fact = self._evidence.fact(cause)
        return target.at is not None or fact is None or fact.provenance != "snapshot"

    def _read_by(self, rule: Rule) -> list[bytes]:
        """The facts that a rule has read; of deals only those of this walk, or those that it holds on."""
        return self._evidence.read_by(rule, (self._deal,) if self._deal else self._holders.get(rule.name))
