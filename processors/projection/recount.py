"""The recount: what one position's published records amount to, without a look at any metric.

It follows the rules anew from what consumers can read, so that the two ways to a number hold each other (invariant 4).
"""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import NamedTuple

from processors.metrics.days import day_at
from processors.metrics.lengths import bucket_of
from processors.metrics.outlines import FunnelOutline, PlaceKind, RateOutline, VersionOutline
from processors.projection.ledger import Published
from processors.projection.path_order import in_order
from processors.projection.published import Conversion, Lead, Transition, Value
from schemas.instants import DAY, SECOND, instant_of

_ENTERING = frozenset({"advance", "regress", "reopen", "outcome"})
"""Moves whose target is touched; back from a detour one goes on where one was."""
_DELETED, _MISSED, _CUSTOMER = "deleted", "sla_missed", "customer"


class Number(NamedTuple):
    """What is counted: a field of a kind of record, by day, all together or of one value of a segment.

    `place` is the kind of a place, empty of conversions and rates; `field` is a record's, behind it the currency or the bucket.
    """

    kind: str
    funnel: str
    grain: str
    place: str
    name: str
    day: str
    segment: str | None
    value: str | None
    field: str


Counts = Iterator[tuple[Number, int | Decimal]]


class _Entry(NamedTuple):
    """When somebody entered or passed a place, with the segments of then; `known` says whether that time means anything."""

    at: int
    segments: Mapping[str, str]
    known: bool


class _First(NamedTuple):
    """How a position first came to a place; see `processors.stages.timeline.First` for the words."""

    place: PlaceKind
    touched: _Entry | None = None
    passed: _Entry | None = None
    expired_at: int | None = None
    carried: bool = False

    @property
    def reached(self) -> _Entry | None:
        return self.passed or self.touched


def recount(outline: FunnelOutline, published: Published) -> Counts:
    """All that the published records of one position amount to."""
    return _Recount(outline, published).counts()


class _Recount:
    """One position's records."""

    def __init__(self, outline: FunnelOutline, published: Published) -> None:
        self._outline = outline
        self._published = published
        self._versions = {version.number: version for version in outline.versions}
        lead = published.lead
        by_touch = self._versions[lead.version].first_touch if lead is not None and lead.version in self._versions else ()
        self._touch = {name: lead.segments[name] for name in by_touch if name in lead.segments} if lead is not None else {}

    def counts(self) -> Counts:
        for conversion in self._published.conversions:
            yield from self._conversion(conversion)
        lead = self._published.lead
        if lead is None or _DELETED in lead.flags:  # rule 16: what is deleted counts nowhere
            return
        moves = in_order(self._published.transitions)
        for move in moves:
            yield from self._move(move)
        firsts = self._firsts(moves, lead)
        for name, first in firsts.items():
            yield from self._first(name, first)
        yield from self._stands(lead)
        yield from self._came(lead, firsts, moves)
        for rate in self._outline.rates:
            if self._index(rate.since) <= self._index(lead.version):
                yield from self._rate(rate, lead, firsts)

    # --- what counts by itself -------------------------------------------------------------------------------------

    def _conversion(self, conversion: Conversion) -> Counts:
        number = self._number("conversions", "", conversion.name, conversion.at)
        counted = conversion.count == "counted"
        yield from self._each(number, conversion.segments, "counted" if counted else "repeats", 1)
        if conversion.advanced:
            yield from self._each(number, conversion.segments, "advanced", 1)
        if counted:
            yield from self._money(number, conversion.segments, "amounts", conversion.value)

    def _move(self, move: Transition) -> Counts:
        if move.target is not None and (move.kind in _ENTERING or _is_missed(move)):
            number, segments = self._number("entries", *move.target.place, move.at), self._touched(move.segments)
            if move.kind in _ENTERING:
                yield from self._each(number, segments, "touched_every", 1)
                yield from self._money(number, segments, "amounts", move.value)
            else:
                yield from self._each(number, segments, "sla_missed", 1)
        for stay in move.stays:
            number, began = self._number("stays", stay.place, stay.name, move.at), self._touched(stay.segments)
            yield from self._each(number, began, "ended", 1)
            if stay.sla_missed is not None:
                missed = self._number("entries", stay.place, stay.sla_missed, move.at)
                yield from self._each(missed, began, "sla_recovered", 1)
            if stay.seconds:
                yield from self._length(number, began, round(stay.seconds * SECOND))

    # --- what follows from the path --------------------------------------------------------------------------------

    def _firsts(self, moves: Iterable[Transition], lead: Lead) -> dict[str, _First]:
        """First entries by place (rules 5 and 8), under the names of the version that a lead was last judged by (rule 23)."""
        firsts: dict[str, _First] = {}
        version: VersionOutline | None = None
        for move in moves:
            version = self._carry(firsts, version, move.version)
            self._note(firsts, move)
        self._carry(firsts, version, lead.version)
        return firsts

    def _note(self, firsts: dict[str, _First], move: Transition) -> None:
        if move.kind == "notice":
            return
        entry = _Entry(move.at, self._touched(move.segments), self._is_known(move))
        passed = [name for name in move.skipped if name not in firsts]
        if move.target is not None and move.kind in _ENTERING:
            place, name = move.target.place
            known = firsts.get(name, _First(place))
            if known.touched is None:
                firsts[name] = (_First(place) if known.carried else known)._replace(touched=entry)
        elif move.kind == "expire" and move.source is not None:
            known_first = firsts.get(move.source.place[1])
            if known_first is not None and known_first.expired_at is None:
                firsts[move.source.place[1]] = known_first._replace(expired_at=move.at)
        firsts.update((name, _First("stage", passed=entry)) for name in passed)

    def _is_known(self, move: Transition) -> bool:
        """Whether the time of an entry says anything: a whole record has none, unless a field or a timer gives it (rule 21)."""
        version = self._versions.get(move.version)
        dated = version is not None and move.target is not None and move.target.place[1] in version.dated
        return dated or move.provenance != "snapshot" or move.cause.kind == "timer"

    def _carry(self, firsts: dict[str, _First], before: VersionOutline | None, number: int) -> VersionOutline | None:
        """Who was in a stage that another has replaced goes on in that one, without having entered it."""
        after = self._versions.get(number)
        if before is None or after is None:
            return after or before
        begun = self._outline.versions.index(before)
        for later in self._outline.versions[begun + 1 : self._outline.versions.index(after) + 1]:
            for name, first in [*firsts.items()]:
                new = _name_in(later, name, before)
                if new is not None and new not in firsts:
                    firsts[new] = first._replace(carried=True)
            before = later
        return before

    def _first(self, name: str, first: _First) -> Counts:
        if first.carried:
            return
        for field, entry in (("reached_first", first.reached), ("inferred", first.passed), ("touched_first", first.touched)):
            if entry is not None:
                yield from self._each(self._number("entries", first.place, name, entry.at), entry.segments, field, 1)

    def _stands(self, lead: Lead) -> Counts:
        if lead.position is None:
            return
        at = instant_of(lead.position.entered_at)
        number = self._number("standing", *lead.position.place, at)
        yield from self._each(number, lead.segments, "standing", 1)
        yield from self._each(number, lead.segments, "entered_us", at % DAY)
        yield from self._money(number, lead.segments, "amounts", lead.value)

    def _came(self, lead: Lead, firsts: Mapping[str, _First], moves: list[Transition]) -> Counts:
        """How far it came, by the day it first did; where the stage is another by now, by that of the last move."""
        if lead.furthest is None:
            return
        first = firsts.get(lead.furthest)
        reached = first.reached if first is not None else None
        at = reached.at if reached is not None else max((move.at for move in moves if move.kind != "notice"), default=0)
        yield from self._each(self._number("standing", "stage", lead.furthest, at), lead.segments, "furthest", 1)

    def _rate(self, rate: RateOutline, lead: Lead, firsts: Mapping[str, _First]) -> Counts:
        """Whether it began, and whether it got there in time, before time took the beginning away (rule 24, scenario e)."""
        first = firsts.get(rate.start)
        start = None if first is None else _by(rate, first)
        if first is None or start is None or start.at < self._begins(rate):
            return
        number = self._number("rate", "", rate.name, start.at)
        yield from self._each(number, start.segments, "started", 1)
        yield from self._money(number, start.segments, "amounts_started", lead.value)
        end = self._end(rate, lead, firsts)
        if end is None or not start.at <= end.at or (rate.within is not None and end.at - start.at > rate.within):
            return
        if first.expired_at is not None and end.at >= first.expired_at:
            return
        yield from self._each(number, start.segments, "converted", 1)
        yield from self._money(number, start.segments, "amounts_converted", lead.value)
        passed = rate.count == "reached" and any(
            name in firsts and firsts[name].passed is not None for name in (rate.start, rate.end)
        )
        if start.known and end.known and not passed and end.at > start.at:
            yield from self._length(number, start.segments, end.at - start.at)

    def _end(self, rate: RateOutline, lead: Lead, firsts: Mapping[str, _First]) -> _Entry | None:
        """When it first got to the end of a rate: to an outcome only if it stands there, or is a customer (rules 12 and 13)."""
        first = firsts.get(rate.end)
        if first is None or self._versions[rate.since].places.get(rate.end) != "outcome":
            return None if first is None else _by(rate, first)
        stands = lead.position is not None and lead.position.place == ("outcome", rate.end)
        won = any(place.name == rate.end and place.result == "won" for place in self._outline.places)
        return first.touched if stands or (won and _CUSTOMER in lead.flags) else None

    def _begins(self, rate: RateOutline) -> float:
        """When its first cohort began: with the version that was the first to have it; no bound if that is the first of all."""
        since = self._versions[rate.since]
        return float("-inf") if since is self._outline.versions[0] else since.effective_from

    def _touched(self, segments: Mapping[str, str]) -> Mapping[str, str]:
        """Segments of the first touch have the value that they have now: each subject is in one bucket (rule 26)."""
        return {name: self._touch.get(name, value) for name, value in segments.items()}

    # --- numbers ---------------------------------------------------------------------------------------------------

    def _index(self, number: int) -> int:
        return next((index for index, version in enumerate(self._outline.versions) if version.number == number), -1)

    def _number(self, kind: str, place: str, name: str, at: int) -> Number:
        day = day_at(at).isoformat()
        return Number(kind, self._published.funnel, self._published.grain, place, name, day, None, None, "")

    def _each(self, number: Number, segments: Mapping[str, str], field: str, amount: int | Decimal) -> Counts:
        """All together, and by every segment."""
        if amount:
            yield number._replace(field=field), amount
            for segment, value in segments.items():
                yield number._replace(field=field, segment=segment, value=value), amount

    def _money(self, number: Number, segments: Mapping[str, str], field: str, value: Value | None) -> Counts:
        if value is not None:
            yield from self._each(number, segments, f"{field} {value.currency}", value.amount)

    def _length(self, number: Number, segments: Mapping[str, str], length: int) -> Counts:
        yield from self._each(number, segments, "timed", 1)
        yield from self._each(number, segments, "total_us", length)
        yield from self._each(number._replace(kind="lengths"), segments, f"bucket {bucket_of(length)}", 1)


def _is_missed(move: Transition) -> bool:
    return move.kind == "notice" and _MISSED in move.flags


def _by(rate: RateOutline, first: _First) -> _Entry | None:
    return first.touched if rate.count == "touched" else first.reached


def _name_in(version: VersionOutline, name: str, before: VersionOutline) -> str | None:
    """What a place of the version before is called in a version; None where it is removed."""
    place = before.places.get(name)
    if place is None or version.places.get(name) == place:
        return name
    successor = version.retired.get(name, "remove") if place == "stage" else "remove"
    return None if successor == "remove" else successor
