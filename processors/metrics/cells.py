"""Cells: what a published number is a sum of, and the sums themselves (invariant 4).

A timeline contributes parts to cells; a part once more or once less is a posting. Postings of one cell add up to its sum, exactly
and in any order: counts are integers, money is decimal, lengths are counted in buckets.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from decimal import Context, Decimal
from functools import lru_cache
from typing import Any, Literal

import msgspec
from msgspec.structs import astuple, replace

from processors.metrics.days import day_of
from processors.metrics.lengths import CHUNK, bucket_of

Kind = Literal["entries", "conversions", "standing", "stays", "rate", "lengths"]

RETRACTED = "_retracted"
"""Behind the name of a field that says how much of it was taken back."""

EXACT = Context(prec=200)
"""Amounts are bounded where they are captured, so that no sum of them is ever rounded."""
_IDENTITY = frozenset(
    {"kind", "funnel", "grain", "name", "place", "segment", "segment_value", "day", "partition", "recorded", "reason"}
)
_AMOUNTS = ("amounts", "amounts" + RETRACTED, "amounts_started", "amounts_converted")


class Cell(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a sum is of; `schemas.metrics` says what each kind means.

    Attributes:
        kind: Of the record.
        funnel: Its name.
        grain: Whose.
        name: Of the place, conversion or rate.
        day: UTC day that it is about, since 1970; None of all days that are no longer kept apart.
        place: Of what kind the place is; None of a conversion or a rate.
        recorded: UTC day on which it was announced or taken back; None of what is only known as of now, and of days before.
        reason: Why.
        chunk: Of a distribution.
        segment: By which it is split; None for all together.
        value: The segment's.
    """

    kind: Kind
    funnel: str
    grain: str
    name: str
    day: int | None
    place: str | None = None
    recorded: int | None = None
    reason: str | None = None
    chunk: int | None = None
    segment: str | None = None
    value: str | None = None


class Part(msgspec.Struct, frozen=True, gc=False):
    """A part of what a timeline contributes: fields of a cell, for all together and by every segment.

    Attributes:
        cell: Of all together.
        segments: Segment and value, each.
        counts: Field and count, each.
        money: Field, decimal and currency, each.
        length: In microseconds, of what took time: counted as timed, in the total, and in the distribution.
    """

    cell: Cell
    segments: tuple[tuple[str, str], ...]
    counts: tuple[tuple[str, int], ...]
    money: tuple[tuple[str, str, str], ...] = ()
    length: int | None = None


Posting = tuple[Part, int]
"""A part that is contributed once more (1) or once less (-1)."""


class Sum(msgspec.Struct, array_like=True, gc=False):
    """The sum of a cell: its fields that are not 0.

    Attributes:
        counts: By field; of a distribution by bucket.
        money: Field to currency to amount.
    """

    counts: dict[str, int] = {}
    money: dict[str, dict[str, Decimal]] = {}

    def add(self, field: str, amount: int | Decimal, currency: str | None = None) -> None:
        """Add a difference."""
        if currency is None:
            _put(self.counts, field, self.counts.get(field, 0) + amount)
            return
        sums = self.money.setdefault(field, {})
        total = EXACT.add(sums.get(currency, Decimal(0)), amount)
        _put(sums, currency, total.normalize(EXACT))  # 99 and 99.00 are one sum, whatever it was added up from
        if not sums:
            del self.money[field]

    def merge(self, other: "Sum") -> None:
        """Add all of another sum."""
        for field, count in other.counts.items():
            self.add(field, count)
        for field, sums in other.money.items():
            for currency, amount in sums.items():
                self.add(field, amount, currency)

    def negated(self) -> "Sum":
        """What takes it away."""
        counts = {field: -count for field, count in self.counts.items()}
        return Sum(
            counts,
            {field: {currency: each.copy_negate() for currency, each in sums.items()} for field, sums in self.money.items()},
        )

    def __bool__(self) -> bool:
        """Whether anything is left."""
        return bool(self.counts or self.money)


def _put(sums: dict[str, Any], key: str, amount: Any) -> None:
    if amount:
        sums[key] = amount
    else:
        sums.pop(key, None)


def tally(postings: Iterable[Posting]) -> dict[Cell, Sum]:
    """Postings added up by cell; a cell of which nothing is left is among them, empty."""
    sums: defaultdict[Cell, Sum] = defaultdict(Sum)
    for (part, sign), alike in Counter(postings).items():  # most of a transaction's are alike: they are split only once
        # What was reported is never rewritten: taking it back stands beside it.
        back, times = (RETRACTED, alike) if part.cell.recorded is not None and sign < 0 else ("", sign * alike)
        for cell in _split(part):
            found = sums[cell]
            for field, count in part.counts:
                found.add(field + back, count * times)
            for field, amount, currency in part.money:
                found.add(field + back, EXACT.multiply(Decimal(amount), times), currency)
            if part.length:
                bucket = bucket_of(part.length)
                found.add("timed", times)
                found.add("total_us", part.length * times)
                sums[replace(cell, kind="lengths", chunk=bucket // CHUNK)].add(str(bucket), times)
    return sums


def _split(part: Part) -> Iterator[Cell]:
    yield part.cell
    for segment, value in part.segments:
        yield replace(part.cell, segment=segment, value=value)


def restated(sums: Iterable[tuple[Cell, Sum]]) -> dict[Cell, Sum]:
    """Sums as they are known now: by what they are about, whenever and why ever it was recorded, less what was taken back."""
    net: defaultdict[Cell, Sum] = defaultdict(Sum)
    for cell, found in sums:
        total = net[replace(cell, recorded=None, reason=None)]
        for field, count in found.counts.items():
            total.add(field.removesuffix(RETRACTED), -count if field.endswith(RETRACTED) else count)
        for field, amounts in found.money.items():
            for currency, amount in amounts.items():
                total.add(field.removesuffix(RETRACTED), amount.copy_negate() if field.endswith(RETRACTED) else amount, currency)
    return {cell: total for cell, total in net.items() if total}


def known_now(records: Iterable[tuple[bytes | None, bytes | None]]) -> dict[Cell, Sum]:
    """The numbers that records of the metrics topic, key and value in their order, come to as they are known now."""
    last = {key or b"": value for key, value in records}
    return restated(read_record(key, value) for key, value in last.items() if value is not None)


def record_key(cell: Cell, partition: int) -> bytes:
    """Key of the published record."""
    return msgspec.json.encode((*astuple(cell), partition))


def record_body(cell: Cell, sums: Sum, partition: int) -> dict[str, Any]:
    """Body of the published record, see `schemas.metrics`."""
    body: dict[str, Any] = {"kind": cell.kind, "funnel": cell.funnel, "grain": cell.grain, "name": cell.name}
    if cell.kind == "lengths":
        body |= {"of": "rate" if cell.place is None else "stay", "place": cell.place, "chunk": cell.chunk}
    elif cell.place is not None:
        body["place"] = cell.place
    body |= {
        "segment": cell.segment,
        "segment_value": cell.value,
        "day": None if cell.day is None else iso_day(cell.day),
        "partition": partition,
    }
    if cell.reason is not None:
        body |= {"recorded": iso_day(cell.recorded) if cell.recorded is not None else None, "reason": cell.reason}
    if cell.kind == "lengths":
        body["buckets"] = sums.counts
    else:
        body |= sums.counts
    for field, amounts in sums.money.items():
        body[field] = {currency: format(amount, "f") for currency, amount in amounts.items()}
    return body


def read_record(key: bytes, value: bytes) -> tuple[Cell, Sum]:
    """A published record read back: what `record_key` and `record_body` wrote."""
    *cell, _ = msgspec.json.decode(key)
    body: dict[str, Any] = msgspec.json.decode(value)
    counts = body.get("buckets", {}) if body["kind"] == "lengths" else {k: v for k, v in body.items() if k not in _IDENTITY}
    money = {field: amounts for field in _AMOUNTS if (amounts := counts.pop(field, None)) is not None}
    exact = {field: {currency: Decimal(text) for currency, text in amounts.items()} for field, amounts in money.items()}
    return Cell(*cell), Sum(counts, exact)


@lru_cache(maxsize=1024)
def iso_day(day: int) -> str:
    """A day since 1970 as ISO 8601 writes it."""
    return day_of(day).isoformat()
