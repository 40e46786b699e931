"""Money: exact in its currencies, converted when it is read, and never silently left out (rule 28)."""

from datetime import date
from decimal import Decimal

from processors.metrics.exchange import Exchange
from schemas.exchange import DatedRate
from schemas.instants import parse_instant
from tests.metric_records import metric, projected, web

EXCHANGE = Exchange(
    "EUR", [DatedRate(date(2026, 1, 1), "USD", Decimal("0.5")), DatedRate(date(2026, 3, 1), "USD", Decimal("0.25"))]
)
NOW = parse_instant("2026-04-01")


def test_entries_have_the_rate_of_their_day_what_is_open_the_newest() -> None:
    records = [
        metric("entries", "a", "2026-01-05", touched_every=2, amounts={"USD": "10.00", "EUR": "1"}),
        metric("entries", "a", "2026-03-05", touched_every=1, amounts={"USD": "10.00", "XYZ": "3"}),
        metric("entries", "a", "2026-01-05", recorded="2026-01-09", reason="late", amounts_retracted={"EUR": "1"}),
        metric("standing", "a", "2026-01-05", standing=1, amounts={"USD": "8"}),
        metric("standing", "won", "2026-01-06", place="outcome", standing=1, amounts={"USD": "8"}),
        metric("conversions", "demo", "2026-01-05", counted=1, amounts={"USD": "0.10"}),
    ]
    projection = projected(records, exchange=EXCHANGE)
    [outline] = projection.outlines.funnels
    found = projection.funnel(outline, projection.all(outline), NOW)
    place, won = found.places[0], found.places[2]
    assert place.entered.amounts == {"USD": Decimal("20.00"), "XYZ": Decimal(3)}
    assert place.entered.converted == (Decimal("7.50"), {"XYZ": Decimal(3)})
    assert (place.held.converted, won.held.converted) == ((Decimal(2), {}), (Decimal(4), {}))
    assert found.conversions[0].worth.converted == (Decimal("0.05"), {})


def test_without_a_reporting_currency_amounts_stay_apart() -> None:
    projection = projected([metric("standing", "a", "2026-01-05", standing=1, amounts={"USD": "8", "EUR": "0.1"})])
    [outline] = projection.outlines.funnels
    held = projection.funnel(outline, projection.all(outline), NOW).places[0].held
    assert (held.amounts, held.converted) == ({"EUR": Decimal("0.1"), "USD": Decimal(8)}, None)


def test_a_rate_weighs_each_unit_by_its_value() -> None:
    records = [
        metric(
            "rate",
            "a->b",
            "2026-01-10",
            started=2,
            converted=1,
            amounts_started={"USD": "30", "XYZ": "1"},
            amounts_converted={"USD": "10"},
        ),
        metric("rate", "a->b", "2026-03-10", started=1, amounts_started={"USD": "20"}),
    ]
    projection = projected(records, web(rates=[{"from": "a", "to": "b"}]), exchange=EXCHANGE)
    [outline] = projection.outlines.funnels
    found = projection.cohort(outline, outline.rates[0], projection.all(outline), NOW)
    assert found.weighted is not None
    assert (found.weighted.share, found.weighted.excluded) == ((Decimal(5), Decimal(20)), {"XYZ": Decimal(1)})
    assert found.share.value == 1 / 3


def test_sums_are_exact_whatever_their_size() -> None:
    records = [
        metric("standing", "a", "2026-01-05", partition=partition, standing=1, amounts={"EUR": amount})
        for partition, amount in enumerate(("9" * 31, "0." + "0" * 30 + "1", "0.1"))
    ]
    projection = projected(records)
    [outline] = projection.outlines.funnels
    held = projection.funnel(outline, projection.all(outline), NOW).places[0].held
    assert format(held.amounts["EUR"], "f") == "9" * 31 + ".1" + "0" * 29 + "1"
