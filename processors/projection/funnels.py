"""Funnels: what the database says of every place and conversion in a span of days."""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from processors.metrics import outlines
from processors.metrics.cells import EXACT
from processors.metrics.days import Span, day_at, day_of
from processors.metrics.exchange import Dated, Exchange
from processors.metrics.lengths import quantile
from processors.metrics.outlines import FunnelOutline
from processors.metrics.rates import Share
from processors.projection.answers import Conversion, Counted, Funnel, Lengths, Matches, Place, Slice, Step, Worth
from processors.projection.database import Asked, Database
from schemas.instants import DAY, SECOND

_PLACE = "place, name"
_ENTRIES = ("reached_first", "inferred", "touched_first", "touched_every", "sla_missed")
_CONVERSIONS = ("counted", "repeats", "advanced")
_NOBODY = Counted(0, 0, 0, 0)


class Question(NamedTuple):
    """Whose numbers, of which days, as of when, and at what rates of exchange."""

    database: Database
    outline: FunnelOutline
    of: Slice
    days: Span
    as_of: int
    exchange: Exchange | None


def net(*fields: str) -> str:
    """The columns that say what was announced less what was taken back."""
    return ", ".join(f"SUM({field} - {field}_retracted)" for field in fields)


def funnel(asked: Question) -> Funnel:
    """A funnel in a span of days."""
    places = _places(asked)
    reached = {place.name: place.restated.reached_first for place in places if place.kind != "detour"}
    return Funnel(
        places, _conversions(asked), _steps(asked.outline, reached), _overall(asked.outline, reached), _win_rate(asked, places)
    )


def _places(asked: Question) -> list[Place]:
    database, of, days = asked.database, asked.of, asked.days
    restated = _by_place(database.sums(Asked("entries", of, days), net(*_ENTRIES), _PLACE))
    reported = _by_place(database.sums(Asked("entries", of, recorded=days), net(*_ENTRIES), _PLACE))
    until = Asked("entries", of, Span(None, days.last))
    overdue = _by_place(database.sums(until, f"{net('sla_missed')} - {net('sla_recovered')}", _PLACE))
    standing = _by_place(
        database.sums(Asked("standing", of), "SUM(standing), SUM(standing * day), SUM(entered_s), SUM(entered_rest)", _PLACE)
    )
    since = _by_place(database.sums(Asked("standing", of, days), "SUM(standing), SUM(furthest)", _PLACE))
    stays = _stays(asked)
    entered, held = _entered(asked), _held(asked)
    found = []
    for place in asked.outline.places:
        key = place.kind, place.name
        now = standing.get(key, (0, 0, 0, 0))
        remained, furthest = since.get(key, (0, 0))
        found.append(
            Place(
                place.name,
                place.kind,
                _counted(restated.get(key)),
                _counted(reported.get(key)),
                now[0],
                remained,
                furthest,
                restated[key][-1] if key in restated else 0,
                overdue[key][0] if key in overdue else 0,
                stays.get(key, NO_LENGTHS),
                _age(now, asked.as_of),
                entered.get(key, _nothing(asked)),
                held.get(key, _nothing(asked)),
            )
        )
    return found


NO_LENGTHS = Lengths(0, 0, None, None, None)


def lengths(all_: int, timed: int, total: int, buckets: Mapping[int, int]) -> Lengths:
    """A distribution of lengths, of `all_` stays or conversions."""
    if not timed:
        return NO_LENGTHS._replace(untimed=all_)
    return Lengths(timed, all_ - timed, total / timed, quantile(buckets, 0.5), quantile(buckets, 0.9))


def _by_place(rows: Iterable[Any]) -> dict[tuple[str, str], tuple[int, ...]]:
    return {(row[0], row[1]): row[2:] for row in rows}


def _counted(sums: tuple[int, ...] | None) -> Counted:
    if sums is None:
        return _NOBODY
    reached_first, inferred, touched_first, touched_every, _ = sums
    return Counted(reached_first, touched_every + inferred, touched_first, touched_every)


def _age(standing: tuple[int, ...], as_of: int) -> float | None:
    number, days, seconds, rest = standing
    return as_of - (days * DAY + seconds * SECOND + rest) / number if number else None


def _stays(asked: Question) -> dict[tuple[str, str], Lengths]:
    sums = asked.database.sums(
        Asked("stays", asked.of, asked.days), "SUM(ended), SUM(timed), SUM(total_s), SUM(total_rest)", _PLACE
    )
    of_stays = Asked("lengths", asked.of, asked.days, where='"of" = ?', parameters=("stay",))
    buckets: dict[tuple[str, str], dict[int, int]] = {}
    for place, name, bucket, count in asked.database.spread(of_stays, "buckets", _PLACE):
        buckets.setdefault((place, name), {})[int(bucket)] = count
    return {
        (place, name): lengths(ended, timed, seconds * SECOND + rest, buckets.get((place, name), {}))
        for place, name, ended, timed, seconds, rest in sums
    }


def _entered(asked: Question) -> dict[tuple[str, str], Worth]:
    return _worths(asked, _net_amounts(asked, "entries", f"{_PLACE}, day"))


def _held(asked: Question) -> dict[tuple[str, str], Worth]:
    """What is open at the newest rate; what has ended at the rate of its day (rule 28)."""
    rows = asked.database.spread(Asked("standing", asked.of), "amounts", f"{_PLACE}, day", "exact_sum")
    today = day_at(asked.as_of)
    return _worths(
        asked,
        (
            (place, name, day_of(day) if place == "outcome" else today, currency, Decimal(amount))
            for place, name, day, currency, amount in rows
        ),
    )


def _net_amounts(asked: Question, kind: str, by: str) -> list[tuple[str, str, date, str, Decimal]]:
    about = Asked(kind, asked.of, asked.days)
    found = []
    for field, sign in (("amounts", 1), ("amounts_retracted", -1)):
        for place, name, day, currency, amount in asked.database.spread(about, field, by, "exact_sum"):
            found.append((place, name, day_of(day), currency, sign * Decimal(amount)))
    return found


def _worths(asked: Question, dated: Iterable[tuple[str, str, date, str, Decimal]]) -> dict[tuple[str, str], Worth]:
    by_place: dict[tuple[str, str], list[Dated]] = {}
    for place, name, day, currency, amount in dated:
        by_place.setdefault((place, name), []).append((day, currency, amount))
    return {key: worth(asked.exchange, found) for key, found in by_place.items()}


def worth(exchange: Exchange | None, dated: Iterable[Dated]) -> Worth:
    """Amounts added up by currency, and converted each at the rate of its day."""
    amounts: dict[str, Decimal] = {}
    for _, currency, amount in (dated := list(dated)):
        amounts[currency] = EXACT.add(amounts.get(currency, Decimal(0)), amount)
    kept = {currency: amount for currency, amount in sorted(amounts.items()) if amount}
    return Worth(kept, None if exchange is None else exchange.convert(dated))


def _nothing(asked: Question) -> Worth:
    return worth(asked.exchange, ())


def _conversions(asked: Question) -> list[Conversion]:
    restated = {
        row[0]: row[1:] for row in asked.database.sums(Asked("conversions", asked.of, asked.days), net(*_CONVERSIONS), "name")
    }
    said = Asked("conversions", asked.of, recorded=asked.days)
    reported = {row[0]: row[1:] for row in asked.database.sums(said, net(*_CONVERSIONS), "name")}
    worths = _worths(asked, _net_amounts(asked, "conversions", "'', name, day"))
    return [
        Conversion(
            name, Matches(*restated.get(name, ())), Matches(*reported.get(name, ())), worths.get(("", name), _nothing(asked))
        )
        for name in asked.outline.conversions
    ]


def _steps(outline: FunnelOutline, reached: Mapping[str, int]) -> list[Step]:
    """From each stage to the next; of optional ones nobody need have been there, so none is measured by them."""
    found, before = [], None
    for place in _stages(outline):
        if before is not None:
            found.append(Step(before, place.name, Share(reached[place.name], reached[before])))
        before = before if place.optional and before is not None else place.name
    return found


def _overall(outline: FunnelOutline, reached: Mapping[str, int]) -> list[Step]:
    first, *later = [place.name for place in outline.places if place.kind != "detour"]
    return [Step(first, name, Share(reached[name], reached[first])) for name in later]


def _stages(outline: FunnelOutline) -> list[outlines.Place]:
    return [place for place in outline.places if place.kind == "stage"]


def _win_rate(asked: Question, places: Iterable[Place]) -> Share:
    results = {place.name: place.result for place in asked.outline.places if place.kind == "outcome"}
    ended = [(results[place.name], place.remained) for place in places if place.kind == "outcome"]
    won = sum(count for result, count in ended if result == "won")
    return Share(won, won + sum(count for result, count in ended if result == "lost"))
