"""Totals: sums over all days for the metrics of a process, with what was announced and what was taken back side by side.

Each of the two only grows, so they are counters; less one another they are the number as known now.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from processors.metrics.days import ALWAYS, EARLIER, Span, number_of
from processors.metrics.outlines import FunnelOutline, RateOutline
from processors.projection.answers import Slice
from processors.projection.database import Asked, Database
from schemas.instants import SECOND


class Both(NamedTuple):
    """What was announced, and what of it was taken back."""

    announced: int = 0
    retracted: int = 0


class PlaceTotals(NamedTuple):
    """Entries into a place, who stands there, and the stays that ended; `overdue` stand there past the service level."""

    every: Both = Both()
    first: Both = Both()
    reached: Both = Both()
    inferred: Both = Both()
    sla_missed: Both = Both()
    overdue: int = 0
    standing: int = 0
    furthest: int = 0
    stays: int = 0
    stays_seconds: float = 0.0


class ConversionTotals(NamedTuple):
    """Matches of a conversion, and the value of the counted ones by currency as known now."""

    counted: Both = Both()
    repeats: Both = Both()
    advanced: Both = Both()
    values: Sequence[tuple[str, float]] = ()


class Totals(NamedTuple):
    """Totals of a funnel at a grain, by name; corrections of entries by reason, those in order left out."""

    places: dict[tuple[str, str], PlaceTotals]
    conversions: dict[str, ConversionTotals]
    corrections: dict[str, Both]

    def entries(self, rate: RateOutline, place: str) -> Both:
        """Entries into one end of a rate, counted as the rate says: what a period rate divides (rule 25)."""
        of = next((totals for (_, name), totals in self.places.items() if name == place), PlaceTotals())
        if rate.entries == "first":
            return of.reached if rate.count == "reached" else of.first
        if rate.count == "touched":
            return of.every
        return Both(of.every.announced + of.inferred.announced, of.every.retracted + of.inferred.retracted)


class SliceTotals(NamedTuple):
    """Who reached each place of a slice, and who stands there, as known now; by kind and name of the place."""

    reached: dict[tuple[str, str], int]
    standing: dict[tuple[str, str], int]


_ENTRIES = ("touched_every", "touched_first", "reached_first", "inferred", "sla_missed")
_MATCHES = ("counted", "repeats", "advanced")


def totals(database: Database, outline: FunnelOutline, folded: Mapping[int, int]) -> Totals:
    """The totals of a funnel at a grain; places and conversions of which nothing was published are not among them.

    Args:
        database: With the records.
        outline: The funnel at a grain.
        folded: By facts partition the first day, since 1970, that is not in its sum of all earlier days. What is there of days
            before is left out, since that sum has them or is about to come: no count is ever too large.
    """
    of = Slice(outline.funnel, outline.grain)
    apart, parameters = _apart(folded)
    overdue = "SUM(sla_missed - sla_missed_retracted - sla_recovered + sla_recovered_retracted)"
    places: dict[tuple[str, str], PlaceTotals] = {}
    entries = Asked("entries", of, where=apart, parameters=parameters)
    for kind, name, late, *sums in database.sums(entries, f"{overdue}, {_both(_ENTRIES)}", "place, name"):
        every, first, reached, inferred, missed = _pairs(sums)
        places[kind, name] = PlaceTotals(every, first, reached, inferred, missed, late)
    for kind, name, standing, furthest in database.sums(Asked("standing", of), "SUM(standing), SUM(furthest)", "place, name"):
        places[kind, name] = places.get((kind, name), PlaceTotals())._replace(standing=standing, furthest=furthest)
    lengths = "SUM(timed), SUM(total_s), SUM(total_rest)"
    for kind, name, timed, seconds, rest in database.sums(Asked("stays", of), lengths, "place, name"):
        length = seconds + rest / SECOND
        places[kind, name] = places.get((kind, name), PlaceTotals())._replace(stays=timed, stays_seconds=length)
    conversions, values = {}, _values(database, of)
    for name, *sums in database.sums(entries._replace(kind="conversions"), _both(_MATCHES), "name"):
        counted, repeats, advanced = _pairs(sums)
        conversions[name] = ConversionTotals(counted, repeats, advanced, sorted(values.get(name, {}).items()))
    corrected = entries._replace(where=" AND ".join(filter(None, ("reason != 'live'", apart))))
    corrections = {reason: Both(*sums) for reason, *sums in database.sums(corrected, _both(("touched_every",)), "reason")}
    return Totals(places, conversions, corrections)


def _apart(folded: Mapping[int, int]) -> tuple[str, tuple[int, ...]]:
    """The condition that a record is not about a day that its partition has folded, and its values."""
    partitions: dict[int, list[int]] = {}
    for partition, first in folded.items():
        partitions.setdefault(first, []).append(partition)
    conditions, parameters = [], []
    for first, alike in partitions.items():
        conditions.append(f"NOT (day > ? AND day < ? AND partition IN ({', '.join('?' * len(alike))}))")
        parameters += [number_of(EARLIER), first, *alike]
    return " AND ".join(conditions), tuple(parameters)


def slice_totals(database: Database, of: Slice, days: Span = ALWAYS) -> SliceTotals:
    """The totals of a slice: who reached each place on these days, and who entered on them and stands there."""
    reached = database.sums(Asked("entries", of, days), "SUM(reached_first - reached_first_retracted)", "place, name")
    standing = database.sums(Asked("standing", of, days), "SUM(standing)", "place, name")
    return SliceTotals(
        {(kind, name): number for kind, name, number in reached}, {(kind, name): number for kind, name, number in standing}
    )


def rest_of(whole: SliceTotals, parts: Iterable[SliceTotals]) -> SliceTotals:
    """What is left of a whole without some of its parts: a million values need not be looked at to add them up.

    It is exact where every unit of the whole has one value of the segment.
    """
    reached, standing = Counter(whole.reached), Counter(whole.standing)
    for part in parts:
        reached.subtract(part.reached)
        standing.subtract(part.standing)
    return SliceTotals(dict(reached), dict(standing))


def _values(database: Database, of: Slice) -> dict[str, dict[str, float]]:
    """Value of each conversion by currency."""
    values: dict[str, dict[str, float]] = {}
    for field, sign in (("amounts", 1), ("amounts_retracted", -1)):
        for name, currency, amount in database.spread(Asked("conversions", of), field, "name", "exact_sum"):
            by_currency = values.setdefault(name, {})
            by_currency[currency] = by_currency.get(currency, 0.0) + sign * float(amount)
    return values


def _both(fields: Sequence[str]) -> str:
    return ", ".join(f"SUM({field}), SUM({field}_retracted)" for field in fields)


def _pairs(sums: Sequence[int]) -> list[Both]:
    return [Both(*pair) for pair in zip(sums[::2], sums[1::2], strict=True)]
