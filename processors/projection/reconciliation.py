"""Reconciliation: the published sums held against the recount, number by number."""

from collections.abc import Iterable, Iterator
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from processors.metrics.cells import EXACT
from processors.metrics.days import EARLIER, day_of
from processors.metrics.outlines import FunnelOutline
from processors.projection.answers import Slice
from processors.projection.database import Asked, Database
from processors.projection.ledger import Ledger
from processors.projection.recount import Number, recount
from schemas.instants import SECOND

_CORRECTED = {
    "entries": ("touched_every", "touched_first", "reached_first", "inferred", "sla_missed", "sla_recovered"),
    "conversions": ("counted", "repeats", "advanced"),
}
_COUNTED = {
    "standing": ("standing", "furthest"),
    "stays": ("ended", "timed"),
    "rate": ("started", "converted", "timed"),
}
_LENGTHS = {"standing": "entered", "stays": "total", "rate": "total"}
_AMOUNTS = {
    "entries": ("amounts", "amounts_retracted"),
    "conversions": ("amounts", "amounts_retracted"),
    "standing": ("amounts",),
    "rate": ("amounts_started", "amounts_converted"),
}
_BY = "segment, segment_value, place, name, day"

Sums = dict[Number, int | Decimal]


class Unlike(NamedTuple):
    """A number on which the published sums and the recount differ."""

    number: Number
    published: int | Decimal
    recounted: int | Decimal


class Compared(NamedTuple):
    """What a comparison came to.

    Attributes:
        numbers: How many were compared.
        positions: How many positions were recounted, of how many records.
        records: Transitions, conversions and snapshots that stand.
        left_out: Positions of funnels that are not defined any more.
        unlike: The differences, in the order of their numbers.
    """

    numbers: int
    positions: int
    records: int
    left_out: int
    unlike: list[Unlike]


def compare(database: Database, outlines: Iterable[FunnelOutline], ledger: Ledger, first: date) -> Compared:
    """Hold every restated sum of the outlined funnels against a recount; days before `first` are one."""
    by_name = {(outline.funnel, outline.grain): outline for outline in outlines}
    recounted: Sums = {}
    positions = records = left_out = 0
    for published in ledger.net():
        outline = by_name.get((published.funnel, published.grain))
        if outline is None:
            left_out += 1
            continue
        positions += 1
        records += len(published.transitions) + len(published.conversions) + (published.lead is not None)
        _add(recounted, _since(first, recount(outline, published)))
    sums: Sums = {}
    for outline in by_name.values():
        _add(sums, _since(first, restated(database, outline)))
    numbers = sorted(sums.keys() | recounted.keys(), key=lambda number: [part or "" for part in number])
    unlike = [
        Unlike(number, there, here) for number in numbers if (there := sums.get(number, 0)) != (here := recounted.get(number, 0))
    ]
    return Compared(len(numbers), positions, records, left_out, unlike)


def _since(first: date, counts: Iterable[tuple[Number, int | Decimal]]) -> Iterator[tuple[Number, int | Decimal]]:
    """Numbers of days before the first one as those of none; who stands somewhere is kept by the day of the entry."""
    for number, amount in counts:
        past = number.day < first.isoformat() and number.kind != "standing"
        yield (number._replace(day=EARLIER.isoformat()) if past else number), amount


def restated(database: Database, outline: FunnelOutline) -> Iterator[tuple[Number, int | Decimal]]:
    """The published sums of a funnel at a grain, over all days on which they were recorded."""
    every = [
        Slice(outline.funnel, outline.grain),
        *(Slice(outline.funnel, outline.grain, name) for name in _segments(database, outline)),
    ]
    for of in every:
        for kind, fields in {**_CORRECTED, **_COUNTED}.items():
            yield from _counts(database, Asked(kind, of), fields)
        for kind, amounts in _AMOUNTS.items():
            for field in amounts:
                yield from _money(database, Asked(kind, of), field)
        yield from _buckets(database, Asked("lengths", of))


def _segments(database: Database, outline: FunnelOutline) -> list[str]:
    rows = database.rows(
        "SELECT DISTINCT segment FROM metric WHERE funnel = ? AND grain = ? AND segment IS NOT NULL",
        [outline.funnel, outline.grain],
    )
    return [segment for (segment,) in rows]


def _counts(database: Database, asked: Asked, fields: tuple[str, ...]) -> Iterator[tuple[Number, int]]:
    length = _LENGTHS.get(asked.kind)
    columns = [f"SUM({field} - {field}_retracted)" if asked.kind in _CORRECTED else f"SUM({field})" for field in fields]
    columns += [f"SUM({length}_s)", f"SUM({length}_rest)"] if length else []
    for *group, sums in ((*row[:5], row[5:]) for row in database.sums(asked, ", ".join(columns), _BY)):
        for field, amount in zip(fields, sums, strict=False):
            yield _number(asked, group, field), amount
        if length is not None:
            yield _number(asked, group, f"{length}_us"), sums[-2] * SECOND + sums[-1]


def _money(database: Database, asked: Asked, field: str) -> Iterator[tuple[Number, Decimal]]:
    back = field.endswith("_retracted")
    for *group, currency, amount in database.spread(asked, field, _BY, "exact_sum"):
        yield (
            _number(asked, group, f"{field.removesuffix('_retracted')} {currency}"),
            -Decimal(amount) if back else Decimal(amount),
        )


def _buckets(database: Database, asked: Asked) -> Iterator[tuple[Number, int]]:
    for *group, bucket, count in database.spread(asked, "buckets", _BY):
        yield _number(asked, group, f"bucket {bucket}"), count


def _number(asked: Asked, group: list[object], field: str) -> Number:
    segment, value, place, name, day = group
    return Number(
        asked.kind, asked.of.funnel, asked.of.grain, str(place or ""), str(name), _iso(day), _text(segment), _text(value), field
    )


def _iso(day: object) -> str:
    assert isinstance(day, int)
    return day_of(day).isoformat()


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _add(sums: Sums, counts: Iterable[tuple[Number, int | Decimal]]) -> None:
    """Add up; what nets to nothing is no number."""
    for number, amount in counts:
        total = sums.get(number, 0)
        sums[number] = (
            total + amount if isinstance(amount, int) and isinstance(total, int) else EXACT.add(Decimal(total), Decimal(amount))
        )
        if not sums[number]:
            del sums[number]
