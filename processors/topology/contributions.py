"""Contributions: what one timeline adds to each number, and what a change of it adds more or less (invariant 4).

Two parts make up a timeline's contributions. Moves and matches count by themselves: every entry, every stay that ended, every
conversion. The rest follows from where each position stands and how it first came to its places: first entries, who stands where,
cohorts. Whatever changes, the difference is posted: of each operation its content more, or less; of each position what it
was less and what it is more. The moves and the position of a deleted record do not count (rule 16), until it is restored; what
was recognised as a conversion has happened.
"""

from collections.abc import Mapping, Sequence
from itertools import zip_longest

from processors.metrics.cells import Cell, Kind, Part, Posting
from processors.stages.diff import Change
from processors.stages.fold import Timeline
from processors.stages.lineage import Lineage
from processors.stages.path import OVERDUE
from processors.stages.rules import RateRule
from processors.stages.state import Entry, First
from processors.stages.stays import TOUCHING
from processors.stages.timeline import OWN, Match, Money, Move
from processors.topology.snapshot import shown
from processors.topology.stances import NO_SEGMENTS, NOWHERE, Segments, Stance, Stances, stances
from schemas.instants import DAY
from schemas.metrics import Reason


class Contributions:
    """What one record changes of the contributions of a subject to one funnel's numbers.

    Attributes:
        postings: The differences.
    """

    __slots__ = ("_funnel", "_reason", "_recorded", "_subject", "postings")

    def __init__(self, lineage: Lineage, recorded: int, reason: Reason) -> None:
        """Take the UTC day since 1970 on which the record was logged, and why it changes anything (`schemas.metrics`)."""
        self._funnel = lineage.name
        self._subject = lineage.subject
        self._recorded = recorded
        self._reason = reason
        self.postings: list[Posting] = []

    def change(self, change: Change, before: Stances, after: Stances) -> None:
        """One operation: what it takes back, and what it says instead."""
        if change.operation == "retract":
            self.exchange(change.content, None, before, after)
        else:
            self.exchange(change.amended, change.content, before, after)

    def exchange(self, old: Move | Match | None, new: Move | Match | None, before: Stances, after: Stances) -> None:
        """A move or match as it counted before, less; as it counts now, more. What both count for was not taken back."""
        self._exchange(self._content(old, before), self._content(new, after))

    def positions(self, before: Stances, after: Stances) -> None:
        """What the positions of a subject were, less; what they are, more."""
        if before is after or before == after:
            return
        for deal in {**before.of, **after.of}:
            was, now = before.of.get(deal), after.of.get(deal)
            self._firsts(deal, was, now, before.touch, after.touch)
            self._replace(self._stands(deal, was), self._stands(deal, now))
            self._replace(self._came(deal, was), self._came(deal, now))
            for old, new in zip_longest(_rates(was), _rates(now)):  # those of a later version begin with those of the earlier
                if (new or old).of_deals == bool(deal):
                    self._replace(self._credit(deal, was, old, before.touch), self._credit(deal, now, new, after.touch))

    def _exchange(self, old: Sequence[Part], new: Sequence[Part]) -> None:
        for part in old:
            if part not in new:
                self.postings.append((part, -1))
        for part in new:
            if part not in old:
                self.postings.append((part, +1))

    def _replace(self, old: Part | None, new: Part | None) -> None:
        if old == new:
            return
        if old is not None:
            self.postings.append((old, -1))
        if new is not None:
            self.postings.append((new, +1))

    # --- moves and matches -----------------------------------------------------------------------------------------

    def _content(self, content: Move | Match | None, stands: Stances) -> Sequence[Part]:
        if content is None:
            return ()
        if isinstance(content, Match):
            return (self._match(content),)
        return () if content.deal in stands.gone else self._move(content, stands.touch)

    def _match(self, match: Match) -> Part:
        cell = self._reported("conversions", OWN, match.name, match.effective_at)
        counts = (_COUNTED if match.counted else _REPEATS) + (_ADVANCED if match.advanced else ())
        return Part(cell, _pairs(match.segments), counts, _money("amounts", match.value if match.counted else None))

    def _move(self, move: Move, touch: Segments) -> list[Part]:
        deal, target, at = move.deal, move.target, move.effective_at
        parts: list[Part] = []
        if target is not None and move.kind in TOUCHING:
            entered = self._reported("entries", deal, target.name, at, target.place)
            parts.append(Part(entered, _pairs(move.segments, touch), _TOUCHED, _money("amounts", move.value)))
        elif target is not None and OVERDUE in move.flags:
            missed = self._reported("entries", deal, target.name, at, target.place)
            parts.append(Part(missed, _pairs(move.segments, touch), _MISSED))
        for stay in move.stays:
            began = _pairs(stay.segments, touch)
            parts.append(Part(self._cell("stays", deal, stay.name, at, stay.place), began, _ENDED, length=stay.length))
            if stay.missed:
                parts.append(Part(self._reported("entries", deal, stay.missed, at, stay.place), began, _RECOVERED))
        return parts

    # --- positions -------------------------------------------------------------------------------------------------

    def _firsts(self, deal: str, was: Stance | None, now: Stance | None, before: Segments, after: Segments) -> None:
        """First entries that are no more, and those that are new."""
        old, new = was.firsts if was is not None else _NO_FIRSTS, now.firsts if now is not None else _NO_FIRSTS
        retouched = before != after
        if old is new and not retouched:
            return
        for name in {**old, **new}:
            gone, come = old.get(name), new.get(name)
            if retouched or gone != come:
                self._exchange(self._first(deal, name, gone, before), self._first(deal, name, come, after))

    def _first(self, deal: str, name: str, first: First | None, touch: Segments) -> Sequence[Part]:
        if first is None or first.carried:
            return ()
        parts: list[Part] = []
        passed, touched = first.passed, first.touched
        for entry, counts in ((passed, _PASSED), (touched, _ENTERED if passed is None else _ENTERED_LATER)):
            if entry is not None:
                cell, segments = self._reported("entries", deal, name, entry.at, first.place), _pairs(entry.segments, touch)
                for each in counts:
                    parts.append(Part(cell, segments, each))
        return parts

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

    def _credit(self, deal: str, stance: Stance | None, rate: RateRule | None, touch: Segments) -> Part | None:
        """What it counts for in a cohort rate (rule 24)."""
        if stance is None or rate is None or (start := _entry(stance.firsts.get(rate.start), rate)) is None:
            return None
        if start.at < rate.since:
            return None
        cell, segments = self._cell("rate", deal, rate.name, start.at), _pairs(start.segments, touch)
        end = _end(stance, rate)
        if end is None or not _earns(stance.firsts[rate.start], start, end, rate):
            return Part(cell, segments, _STARTED, _money("amounts_started", stance.value))
        timed = start.known and end.known and not (_is_passed(stance, rate, rate.start) or _is_passed(stance, rate, rate.end))
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
    present = stances(lineage, timeline.state, shown(lineage, timeline.state))
    contributions = Contributions(lineage, 0, "live")
    for move in timeline.moves:
        contributions.exchange(None, move, NOWHERE, present)
    for match in timeline.matches:
        contributions.exchange(None, match, NOWHERE, present)
    contributions.positions(NOWHERE, present)
    return contributions.postings


def _rates(stance: Stance | None) -> tuple[RateRule, ...]:
    return stance.version.rates if stance is not None else ()


def _entry(first: First | None, rate: RateRule) -> Entry | None:
    if first is None:
        return None
    return first.touched if rate.touched else first.reached


def _end(stance: Stance, rate: RateRule) -> Entry | None:
    """When a subject first got to the end of a rate; to an outcome only who stands in it now, or is a customer (rules 12, 13)."""
    first = stance.firsts.get(rate.end)
    if not rate.to_outcome:
        return _entry(first, rate)
    here = stance.position
    stands = here is not None and (here.place, here.name) == ("outcome", rate.end)
    return first.touched if first is not None and (stands or (rate.won and stance.customer)) else None


def _earns(first: First, start: Entry, end: Entry, rate: RateRule) -> bool:
    """Whether the end is a credit of the start: not before it, within the window, and before time took the start away."""
    in_time = start.at <= end.at and (rate.within is None or end.at - start.at <= rate.within)
    return in_time and (first.expired_at is None or end.at < first.expired_at)


def _is_passed(stance: Stance, rate: RateRule, name: str) -> bool:
    """Whether a place was reached by passing it, at a time that says nothing about lengths (rule 5)."""
    first = stance.firsts.get(name)
    return not rate.touched and first is not None and first.passed is not None


def _pairs(segments: Segments, touch: Segments = NO_SEGMENTS) -> tuple[tuple[str, str], ...]:
    if not segments:
        return ()
    return tuple((name, touch.get(name, value)) for name, value in segments.items()) if touch else tuple(segments.items())


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
_PASSED, _ENTERED, _ENTERED_LATER = (_REACHED, _INFERRED), (_REACHED, _FIRST), (_FIRST,)
"""What a first entry counts as: by passing, by entering, and by entering what was passed before."""
_FURTHEST: _Counts = (("furthest", 1),)
_STARTED: _Counts = (("started", 1),)
_CONVERTED: _Counts = (("started", 1), ("converted", 1))
