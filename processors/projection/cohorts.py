"""Cohorts: declared rates by the day of the first entry (rules 24 and 25)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from processors.metrics.days import ALWAYS, EARLIER, Span, bucket_of, buckets, day_of
from processors.metrics.exchange import Dated, Exchange
from processors.metrics.outlines import RateOutline
from processors.metrics.rates import Share, Started, maturity
from processors.projection.answers import Cohort, Step, Weighted
from processors.projection.database import Asked
from processors.projection.funnels import Question, lengths
from schemas.instants import SECOND

_COUNTED = {
    ("reached", "first"): "reached_first - reached_first_retracted",
    ("reached", "every"): "touched_every - touched_every_retracted + inferred - inferred_retracted",
    ("touched", "first"): "touched_first - touched_first_retracted",
    ("touched", "every"): "touched_every - touched_every_retracted",
}
"""What a period rate divides, by how the rate counts and which entries."""


class _Day(NamedTuple):
    """The units that started on one day."""

    day: date
    started: int
    converted: int
    timed: int
    total: int


class _Sums(NamedTuple):
    """What the database says of a rate, by day."""

    days: list[_Day]
    lengths: list[tuple[date, int, int]]
    started: list[Dated]
    converted: list[Dated]


def cohorts(asked: Question, rate: RateOutline) -> list[Cohort]:
    """Every bucket that has a day in the span, from the first to the last that has units."""
    sums = _sums(asked, rate, _whole(asked.days, rate))
    days = [each.day for each in sums.days if each.day != EARLIER]
    if not days:
        return []
    span = Span(min(days), max(days))
    by_bucket = _by_bucket(sums, rate)
    return [_cohort(asked, rate, bucket, by_bucket[bucket]) for bucket in buckets(span, rate.cohort)]


def _by_bucket(sums: _Sums, rate: RateOutline) -> defaultdict[Span, _Sums]:
    """The sums of each bucket: of a day a year ago nobody looks when the next bucket comes."""
    found: defaultdict[Span, _Sums] = defaultdict(lambda: _Sums([], [], [], []))
    for each in sums.days:
        found[bucket_of(each.day, rate.cohort)].days.append(each)
    for dated in sums.lengths:
        found[bucket_of(dated[0], rate.cohort)].lengths.append(dated)
    for amount in sums.started:
        found[bucket_of(amount[0], rate.cohort)].started.append(amount)
    for amount in sums.converted:
        found[bucket_of(amount[0], rate.cohort)].converted.append(amount)
    return found


def cohort(asked: Question, rate: RateOutline) -> Cohort:
    """All units of a span of days as one cohort; without a last day it is never final."""
    return _cohort(asked, rate, asked.days, _sums(asked, rate, asked.days))


def period(asked: Question, rate: RateOutline) -> Step:
    """Entries of the days into `to` over entries of the same days into `from`, counted as the rate says."""
    field = _COUNTED[rate.count, rate.entries]
    entered = dict(asked.database.sums(Asked("entries", asked.of, asked.days), f"SUM({field})", "name"))
    return Step(rate.start, rate.end, Share(entered.get(rate.end, 0), entered.get(rate.start, 0)))


def _whole(days: Span, rate: RateOutline) -> Span:
    """A span widened to whole buckets."""
    if days == ALWAYS:
        return days
    first = days.first and bucket_of(days.first, rate.cohort).first
    return Span(first, days.last and bucket_of(days.last, rate.cohort).last)


def _sums(asked: Question, rate: RateOutline, days: Span) -> _Sums:
    named = Asked("rate", asked.of, days, where="name = ?", parameters=(rate.name,))
    rows = asked.database.sums(named, "SUM(started), SUM(converted), SUM(timed), SUM(total_s), SUM(total_rest)", "day")
    timed = Asked("lengths", asked.of, days, where="\"of\" = 'rate' AND name = ?", parameters=(rate.name,))
    by_currency = [asked.database.spread(named, field, "day", "exact_sum") for field in ("amounts_started", "amounts_converted")]
    return _Sums(
        [
            _Day(day_of(day), started, converted, times, seconds * SECOND + rest)
            for day, started, converted, times, seconds, rest in rows
        ],
        [(day_of(day), int(bucket), count) for day, bucket, count in asked.database.spread(timed, "buckets", "day")],
        *([(day_of(day), currency, Decimal(amount)) for day, currency, amount in found] for found in by_currency),
    )


def _cohort(asked: Question, rate: RateOutline, days: Span, sums: _Sums) -> Cohort:
    units = [each for each in sums.days if each.day in days]
    converted = sum(each.converted for each in units)
    by_day = [Started(each.day, each.started, each.converted) for each in units]
    return Cohort(
        days,
        Share(converted, sum(each.started for each in units)),
        None if asked.exchange is None else _weighted(asked.exchange, days, sums),
        maturity(days, by_day, rate.within, asked.outline.lateness, asked.as_of),
        lengths(converted, sum(each.timed for each in units), sum(each.total for each in units), _buckets(days, sums.lengths)),
    )


def _buckets(days: Span, dated: Iterable[tuple[date, int, int]]) -> Mapping[int, int]:
    found: dict[int, int] = {}
    for day, bucket, count in dated:
        if day in days:
            found[bucket] = found.get(bucket, 0) + count
    return found


def _weighted(exchange: Exchange, days: Span, sums: _Sums) -> Weighted:
    """Both sums at the rates of the day on which a unit started, so that exchange alone moves no rate."""
    whole = exchange.convert(each for each in sums.started if each[0] in days)
    part = exchange.convert(each for each in sums.converted if each[0] in days)
    return Weighted(Share(part.amount, whole.amount), whole.excluded)
