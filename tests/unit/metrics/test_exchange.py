"""Money in one currency: each amount at the rate of its day; what has no rate is in no sum and is named (rule 28)."""

from datetime import date
from decimal import Decimal

import pytest

from processors.metrics.exchange import Converted, Exchange
from schemas.exchange import DatedRate

RATES = [
    DatedRate(date(2026, 2, 1), "USD", Decimal("0.80")),
    DatedRate(date(2026, 1, 1), "USD", Decimal("0.90")),
    DatedRate(date(2026, 1, 15), "GBP", Decimal("1.2")),
]


def exchange() -> Exchange:
    return Exchange("EUR", RATES)


@pytest.mark.parametrize(
    ("currency", "day", "rate"),
    [
        ("USD", "2025-12-31", None),
        ("USD", "2026-01-01", "0.90"),
        ("USD", "2026-01-31", "0.90"),
        ("USD", "2026-02-01", "0.80"),
        ("USD", "2030-01-01", "0.80"),
        ("GBP", "2026-01-14", None),
        ("EUR", "1999-01-01", "1"),
        ("XYZ", "2026-01-01", None),
    ],
)
def test_the_latest_rate_at_or_before_a_day_counts(currency: str, day: str, rate: str | None) -> None:
    assert exchange().rate(currency, date.fromisoformat(day)) == (None if rate is None else Decimal(rate))


def test_what_has_no_rate_is_excluded_and_named() -> None:
    january = date(2026, 1, 1)
    found = exchange().convert(
        [
            (january, "USD", Decimal("100.10")),
            (january, "EUR", Decimal("0.01")),
            (january, "XYZ", Decimal(5)),
            (january, "GBP", Decimal(7)),
            (date(2026, 2, 1), "XYZ", Decimal("0.5")),
        ]
    )
    assert found == Converted(Decimal("90.10"), {"XYZ": Decimal("5.5"), "GBP": Decimal(7)})


def test_sums_are_never_rounded() -> None:
    huge = [(date(2026, 1, 1), "EUR", Decimal("9" * 31)), (date(2026, 1, 1), "EUR", Decimal("0." + "0" * 30 + "1"))]
    assert format(exchange().convert(huge).amount, "f") == "9" * 31 + "." + "0" * 30 + "1"
