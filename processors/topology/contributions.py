"""Contributions: what one timeline adds to each number, and what a change of it adds more or less (invariant 4).

Two parts make up a timeline's contributions. Moves and matches count by themselves: every entry, every stay that ended, every
conversion. The rest follows from where each position stands and how it first came to its places: first entries, who stands where,
cohorts. Whatever changes, the difference is posted: of each operation its content more, or less; of each position what it
was less and what it is more. The moves and the position of a deleted record do not count (rule 16), until it is restored; what
was recognised as a conversion has happened.
"""

from collections.abc import Iterator, Mapping
from itertools import zip_longest

import msgspec

from processors.metrics.cells import Cell, Kind, Part, Posting
from processors.stages.diff import Change
from processors.stages.fold import Timeline
from processors.stages.path import OVERDUE, TOUCHING
from processors.stages.rules import Lineage, RateRule, Version
from processors.stages.timeline import OWN, Entry, First, FunnelState, Match, Money, Move, Point
from processors.topology.publishing import segments_shown
from schemas.instants import DAY

Segments = Mapping[str, str]

_NONE: frozenset[str] = frozenset()


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
    """

    version: Version
    position: Point | None
    furthest: str | None
    moved_at: int
    firsts: Mapping[str, First]
    value: Money | None
    segments: Segments


class Stances(msgspec.Struct, frozen=True, gc=False):
    """The positions of one subject in one funnel that count, by deal (empty: its own), and whose record is deleted."""

    of: Mapping[str, Stance]
    gone: frozenset[str]


NOWHERE = Stances({}, _NONE)
"""Of who was never seen."""


def stances(lineage: Lineage, state: FunnelState) -> Stances:
    """What of a state counts."""
    version = lineage.by_number.get(state.version)
    if version is None:
        return NOWHERE
    if not state.deals and not state.own.deleted:
        return Stances({OWN: _stance(version, state, OWN)}, _NONE) if state.walk.moved else NOWHERE
    gone = frozenset(name for name, track in state.tracks if track.deleted)
    walking = state.walks if version.walks_deals else [(OWN, state.walk)]
    return Stances({name: _stance(version, state, name) for name, walk in walking if walk.moved and name not in gone}, gone)


def _stance(version: Version, state: FunnelState, deal: str) -> Stance:
    walk = state.deals[deal].walk if deal else state.walk
    furthest = version.stages[walk.furthest].name if walk.furthest >= 0 else None
    segments = segments_shown(state, version, deal)
    return Stance(version, walk.position, furthest, walk.moved_at or 0, walk.firsts, walk.value, segments)


class Contributions:
    """What one record changes of the contributions of a subject to one funnel's numbers.

    Attributes:
        postings: The differences.
    """

    __slots__ = ("_funnel", "_reason", "_recorded", "_subject", "postings")

    def __init__(self, lineage: Lineage, recorded: int, reason: str) -> None:
        """Take the UTC day since 1970 on which the record was logged, and why it changes anything (`schemas.metrics`)."""
        self._funnel = lineage.name
        self._subject = lineage.subject
        self._recorded = recorded
        self._reason = reason
        self.postings: list[Posting] = []

    def change(self, change: Change, gone: frozenset[str]) -> None:
        """One operation: what it takes back, and what it says instead; of records that are `gone` nothing counts."""
        content = change.publication.content
        if change.operation == "retract":
            self.exchange(content, None, gone)
        else:
            self.exchange(change.amended, content, gone)

    def exchange(self, old: Move | Match | None, new: Move | Match | None, gone: frozenset[str] = _NONE) -> None:
        """One move or match less, another one more; what both count for was not taken back."""
        self._exchange(self._content(old, gone), self._content(new, gone))

    def positions(self, before: Stances, after: Stances) -> None:
        """What the positions of a subject were, less; what they are, more."""
        for deal in {**before.of, **after.of} if before.of != after.of else ():
            was, now = before.of.get(deal), after.of.get(deal)
            self._firsts(deal, was, now)
            self._replace(self._stands(deal, was), self._stands(deal, now))
            self._replace(self._came(deal, was), self._came(deal, now))
            for old, new in zip_longest(_rates(was), _rates(now)):  # those of a later version begin with those of the earlier
                if (new or old).of_deals == bool(deal):
                    self._replace(self._credit(deal, was, old), self._credit(deal, now, new))

    def _exchange(self, old: list[Part], new: list[Part]) -> None:
        self.postings += [(part, -1) for part in old if part not in new]
        self.postings += [(part, +1) for part in new if part not in old]

    def _replace(self, old: Part | None, new: Part | None) -> None:
        if old == new:
            return
        if old is not None:
            self.postings.append((old, -1))
        if new is not None:
            self.postings.append((new, +1))

    # --- moves and matches -----------------------------------------------------------------------------------------

    def _content(self, content: Move | Match | None, gone: frozenset[str]) -> list[Part]:
        if content is None:
            return []
        if isinstance(content, Match):
            return [self._match(content)]
        return [] if content.deal in gone else list(self._move(content))

    def _match(self, match: Match) -> Part:
        cell = self._reported("conversions", OWN, match.name, match.effective_at)
        counts = (_COUNTED if match.counted else _REPEATS) + (_ADVANCED if match.advanced else ())
        return Part(cell, _pairs(match.segments), counts, _money("amounts", match.value) if match.counted else ())

    def _move(self, move: Move) -> Iterator[Part]:
        deal, target, at, segments = move.deal, move.target, move.effective_at, _pairs(move.segments)
        if target is not None and move.kind in TOUCHING:
            entered = self._reported("entries", deal, target.name, at, target.place)
            yield Part(entered, segments, _TOUCHED, _money("amounts", move.value))
        elif target is not None and OVERDUE in move.flags:
            yield Part(self._reported("entries", deal, target.name, at, target.place), segments, _MISSED)
        for stay in move.stays:
            yield Part(self._cell("stays", deal, stay.name, at, stay.place), segments, _ENDED, length=stay.length)
            if stay.missed:
                yield Part(self._reported("entries", deal, stay.name, at, stay.place), segments, _RECOVERED)

    # --- positions -------------------------------------------------------------------------------------------------

    def _firsts(self, deal: str, was: Stance | None, now: Stance | None) -> None:
        """First entries that are no more, and those that are new."""
        before, after = was.firsts if was is not None else _NO_FIRSTS, now.firsts if now is not None else _NO_FIRSTS
        if before is after:
            return
        for name in {**before, **after}:
            old, new = before.get(name), after.get(name)
            if old != new:
                self._exchange(self._first(deal, name, old), self._first(deal, name, new))

    def _first(self, deal: str, name: str, first: First | None) -> list[Part]:
        if first is None or first.carried:
            return []
        entries = ((first.reached, _REACHED), (first.passed, _INFERRED), (first.touched, _FIRST))
        return [
            Part(self._reported("entries", deal, name, entry.at, first.place), _pairs(entry.segments), counts)
            for entry, counts in entries
            if entry is not None
        ]

    def _stands(self, deal: str, stance: Stance | None) -> Part | None:
        """Where it stands."""
        if stance is None or stance.position is None:
            return None
        here = stance.position
        cell = self._cell("standing", deal, here.name, here.entered_at, here.place)
        counts = (("standing", 1), ("entered_us", here.entered_at % DAY))
        return Part(cell, _pairs(stance.segments), counts, _money("amounts", stance.value))

    def _came(self, deal: str, stance: Stance | None) -> Part | None:
        """How far it came."""
        if stance is None or stance.furthest is None:
            return None
        first = stance.firsts.get(stance.furthest)  # none where the stage has taken over from one that was removed (rule 23)
        reached = first.reached if first is not None else None
        at = reached.at if reached is not None else stance.moved_at
        return Part(self._cell("standing", deal, stance.furthest, at, "stage"), _pairs(stance.segments), _FURTHEST)

    def _credit(self, deal: str, stance: Stance | None, rate: RateRule | None) -> Part | None:
        """What it counts for in a cohort rate (rule 24)."""
        if stance is None or rate is None or (start := _entry(stance.firsts.get(rate.start), rate)) is None:
            return None
        cell, segments = self._cell("rate", deal, rate.name, start.at), _pairs(start.segments)
        end = _end(stance, rate)
        if end is None or not _earns(stance.firsts[rate.start], start, end, rate):
            return Part(cell, segments, _STARTED, _money("amounts_started", stance.value))
        timed = start.known and end.known and not _is_passed(stance, rate.start) and not _is_passed(stance, rate.end)
        money = _money("amounts_started", stance.value) + _money("amounts_converted", stance.value)
        return Part(cell, segments, _CONVERTED, money, end.at - start.at if timed else None)

    # --- cells -----------------------------------------------------------------------------------------------------

    def _cell(self, kind: Kind, deal: str, name: str, at: int, place: str | None = None) -> Cell:
        return Cell(kind, self._funnel, "deal" if deal else self._subject, name, at // DAY, place)

    def _reported(self, kind: Kind, deal: str, name: str, at: int, place: str | None = None) -> Cell:
        grain = "deal" if deal else self._subject
        return Cell(kind, self._funnel, grain, name, at // DAY, place, self._recorded, self._reason)


def contributed(timeline: Timeline, lineage: Lineage) -> list[Posting]:
    """All that a timeline contributes (invariant 4), as if it had been recorded in one go, in order, on the first of all days."""
    present, contributions = stances(lineage, timeline.state), Contributions(lineage, 0, "live")
    for move in timeline.moves:
        contributions.exchange(None, move, present.gone)
    for match in timeline.matches:
        contributions.exchange(None, match, present.gone)
    contributions.positions(NOWHERE, present)
    return contributions.postings


def _rates(stance: Stance | None) -> tuple[RateRule, ...]:
    return stance.version.rates if stance is not None else ()


def _entry(first: First | None, rate: RateRule) -> Entry | None:
    if first is None:
        return None
    return first.touched if rate.touched else first.reached


def _end(stance: Stance, rate: RateRule) -> Entry | None:
    """When a subject got to the end of a rate; to an outcome only who stands in it now has (rule 12)."""
    if not rate.to_outcome:
        return _entry(stance.firsts.get(rate.end), rate)
    here = stance.position
    if here is None or (here.place, here.name) != ("outcome", rate.end):
        return None
    return Entry(here.entered_at, {}, here.known)


def _earns(first: First, start: Entry, end: Entry, rate: RateRule) -> bool:
    """Whether the end is a credit of the start: not before it, within the window, and before time took the start away."""
    in_time = start.at <= end.at and (rate.within is None or end.at - start.at <= rate.within)
    return in_time and (first.expired_at is None or end.at < first.expired_at)


def _is_passed(stance: Stance, name: str) -> bool:
    """Whether a place was reached by passing it, at a time that says nothing about lengths (rule 5)."""
    first = stance.firsts.get(name)
    return first is not None and first.passed is not None


def _pairs(segments: Segments) -> tuple[tuple[str, str], ...]:
    return tuple(segments.items()) if segments else ()


def _money(field: str, value: Money | None) -> tuple[tuple[str, str, str], ...]:
    return ((field, *value),) if value is not None else ()


_Counts = tuple[tuple[str, int], ...]

_NO_FIRSTS: Mapping[str, First] = {}
_COUNTED: _Counts = (("counted", 1),)
_REPEATS: _Counts = (("repeats", 1),)
_ADVANCED: _Counts = (("advanced", 1),)
_TOUCHED: _Counts = (("touched_every", 1),)
_MISSED: _Counts = (("sla_missed", 1),)
_RECOVERED: _Counts = (("sla_recovered", 1),)
_ENDED: _Counts = (("ended", 1),)
_REACHED: _Counts = (("reached_first", 1),)
_INFERRED: _Counts = (("inferred", 1),)
_FIRST: _Counts = (("touched_first", 1),)
_FURTHEST: _Counts = (("furthest", 1),)
_STARTED: _Counts = (("started", 1),)
_CONVERTED: _Counts = (("started", 1), ("converted", 1))
