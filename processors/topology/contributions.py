"""Contributions: what one timeline adds to each number, and what a change of it adds more or less (invariant 4).

Two parts make up a timeline's contributions. Moves and matches count by themselves: every entry, every stay that ended, every
conversion. The rest follows from where each position stands and how it first came to its places: first entries, who stands where,
cohorts. Whatever changes, the difference is posted: of each operation its content more, or less; of each position what it
was less and what it is more. The moves and the position of a deleted record do not count (rule 16), until it is restored; what
was recognised as a conversion has happened.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import zip_longest
from typing import NamedTuple

from processors.metrics.cells import RETRACTED, Cell, Kind, Posting
from processors.metrics.lengths import CHUNK, bucket_of
from processors.stages.diff import Change
from processors.stages.fold import Timeline
from processors.stages.path import OVERDUE, TOUCHING
from processors.stages.rules import Lineage, RateRule, Version
from processors.stages.timeline import OWN, Entry, First, FunnelState, Match, Money, Move, Point
from processors.topology.publishing import segments_shown
from schemas.instants import DAY

Segments = Mapping[str, str]

_NONE: frozenset[str] = frozenset()


class Stance(NamedTuple):
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


class Stances(NamedTuple):
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
        return Stances({OWN: _stance(version, state, OWN)}, _NONE) if state.walk.spells else NOWHERE
    gone = frozenset(name for name, track in state.tracks if track.deleted)
    walking = state.walks if version.walks_deals else [(OWN, state.walk)]
    return Stances({name: _stance(version, state, name) for name, walk in walking if walk.spells and name not in gone}, gone)


def _stance(version: Version, state: FunnelState, deal: str) -> Stance:
    walk = state.deals[deal].walk if deal else state.walk
    furthest = version.stages[walk.furthest].name if walk.furthest >= 0 else None
    segments = segments_shown(state, version, deal)
    return Stance(version, walk.position, furthest, walk.moved_at or 0, walk.firsts, walk.value, segments)


class Part(NamedTuple):
    """A part of what a timeline contributes: fields of one cell, by every segment.

    Attributes:
        cell: Of all segments together.
        segments: Segment to value.
        counts: Field to count.
        money: Field to amount.
        length: In microseconds; of what took time. Counted as timed, in the total, and in the distribution.
    """

    cell: Cell
    segments: Segments
    counts: Mapping[str, int]
    money: Mapping[str, Money] = {}
    length: int | None = None


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
        for deal in {**before.of, **after.of}:
            was, now = before.of.get(deal), after.of.get(deal)
            if was == now:
                continue
            self._firsts(deal, was, now)
            for old, new in zip_longest(self._standing(deal, was), self._standing(deal, now)):
                if old != new:
                    self._exchange([old] if old else [], [new] if new else [])

    def _exchange(self, old: list[Part], new: list[Part]) -> None:
        for part in old:
            if part not in new:
                self._post(part, -1)
        for part in new:
            if part not in old:
                self._post(part, +1)

    # --- moves and matches -----------------------------------------------------------------------------------------

    def _content(self, content: Move | Match | None, gone: frozenset[str]) -> list[Part]:
        if content is None:
            return []
        if isinstance(content, Match):
            return [self._match(content)]
        return [] if content.deal in gone else list(self._move(content))

    def _match(self, match: Match) -> Part:
        counts = {"counted" if match.counted else "repeats": 1, **({"advanced": 1} if match.advanced else {})}
        money = {"amounts": match.value} if match.counted and match.value is not None else {}
        return Part(self._reported("conversions", self._subject, match.name, match.effective_at), match.segments, counts, money)

    def _move(self, move: Move) -> Iterator[Part]:
        grain, target, at = self._grain(move.deal), move.target, move.effective_at
        if target is not None and move.kind in TOUCHING:
            money = {"amounts": move.value} if move.value is not None else {}
            yield Part(self._reported("entries", grain, target.name, at, target.place), move.segments, _TOUCHED, money)
        elif target is not None and OVERDUE in move.flags:
            yield Part(self._reported("entries", grain, target.name, at, target.place), move.segments, _MISSED)
        for stay in move.stays:
            yield Part(self._cell("stays", grain, stay.name, at, stay.place), move.segments, _ENDED, length=stay.length)
            if stay.missed:
                yield Part(self._reported("entries", grain, stay.name, at, stay.place), move.segments, _RECOVERED)

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
            Part(self._reported("entries", self._grain(deal), name, entry.at, first.place), entry.segments, counts)
            for entry, counts in entries
            if entry is not None
        ]

    def _standing(self, deal: str, stance: Stance | None) -> Iterator[Part | None]:
        """What holds of a position now: where it stands, how far it came, and its rates; always in this order."""
        if stance is None:
            return
        here, grain = stance.position, self._grain(deal)
        yield self._stands(grain, stance, here) if here is not None else None
        yield self._came(grain, stance, stance.furthest) if stance.furthest is not None else None
        for rate in stance.version.rates:
            yield self._credit(grain, stance, rate) if rate.of_deals == bool(deal) else None

    def _stands(self, grain: str, stance: Stance, here: Point) -> Part:
        counts = {"standing": 1, "entered_us": here.entered_at % DAY}
        money = {"amounts": stance.value} if stance.value is not None else {}
        return Part(self._cell("standing", grain, here.name, here.entered_at, here.place), stance.segments, counts, money)

    def _came(self, grain: str, stance: Stance, furthest: str) -> Part:
        first = stance.firsts.get(furthest)  # none where the stage has taken over from one that was removed (rule 23)
        reached = first.reached if first is not None else None
        at = reached.at if reached is not None else stance.moved_at
        return Part(self._cell("standing", grain, furthest, at, "stage"), stance.segments, _FURTHEST)

    def _credit(self, grain: str, stance: Stance, rate: RateRule) -> Part | None:
        """What a subject counts for in a cohort rate (rule 24)."""
        start = _entry(stance.firsts.get(rate.start), rate)
        if start is None:
            return None
        counts = {"started": 1}
        money = {"amounts_started": stance.value} if stance.value is not None else {}
        length, end = None, _end(stance, rate)
        if end is not None and _earns(stance.firsts[rate.start], start, end, rate):
            counts["converted"] = 1
            if stance.value is not None:
                money["amounts_converted"] = stance.value
            timed = start.known and end.known and not _is_passed(stance, rate.start) and not _is_passed(stance, rate.end)
            length = end.at - start.at if timed else None
        return Part(self._cell("rate", grain, rate.name, start.at), start.segments, counts, money, length)

    # --- postings --------------------------------------------------------------------------------------------------

    def _grain(self, deal: str) -> str:
        return "deal" if deal else self._subject

    def _cell(self, kind: Kind, grain: str, name: str, at: int, place: str | None = None) -> Cell:
        return Cell(kind, self._funnel, grain, name, at // DAY, place)

    def _reported(self, kind: Kind, grain: str, name: str, at: int, place: str | None = None) -> Cell:
        return Cell(kind, self._funnel, grain, name, at // DAY, place, self._recorded, self._reason)

    def _post(self, part: Part, sign: int) -> None:
        """Post all fields of a part, for all together and by every segment."""
        cells = [part.cell]
        cells += [part.cell._replace(segment=name, value=value) for name, value in part.segments.items()]
        for cell in cells:
            # What was reported is never rewritten: taking it back stands beside it.
            back, one = (RETRACTED, 1) if cell.recorded is not None and sign < 0 else ("", sign)
            for field, count in part.counts.items():
                self.postings.append(Posting(cell, field + back, one * count))
            for field, (amount, currency) in part.money.items():
                self.postings.append(Posting(cell, field + back, one * Decimal(amount), currency))
            if part.length:
                self._post_length(cell, part.length, one)

    def _post_length(self, cell: Cell, length: int, sign: int) -> None:
        bucket = bucket_of(length)
        self.postings.append(Posting(cell, "timed", sign))
        self.postings.append(Posting(cell, "total_us", sign * length))
        self.postings.append(Posting(cell._replace(kind="lengths", chunk=bucket // CHUNK), str(bucket), sign))


def contributed(timeline: Timeline, lineage: Lineage) -> list[Posting]:
    """All that a timeline contributes (invariant 4), as if it had been recorded in one go, in order, on the first of all days."""
    present, contributions = stances(lineage, timeline.state), Contributions(lineage, 0, "live")
    for move in timeline.moves:
        contributions.exchange(None, move, present.gone)
    for match in timeline.matches:
        contributions.exchange(None, match, present.gone)
    contributions.positions(NOWHERE, present)
    return contributions.postings


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


_NO_FIRSTS: Mapping[str, First] = {}
_TOUCHED: Mapping[str, int] = {"touched_every": 1}
_MISSED: Mapping[str, int] = {"sla_missed": 1}
_RECOVERED: Mapping[str, int] = {"sla_recovered": 1}
_ENDED: Mapping[str, int] = {"ended": 1}
_REACHED: Mapping[str, int] = {"reached_first": 1}
_INFERRED: Mapping[str, int] = {"inferred": 1}
_FIRST: Mapping[str, int] = {"touched_first": 1}
_FURTHEST: Mapping[str, int] = {"furthest": 1}
