"""Exchange: sums of money in several currencies as one of the reporting currency, by dated rates (rule 28)."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from processors.metrics.cells import EXACT
from schemas.exchange import DatedRate

Amounts = Mapping[str, Decimal]
"""Sums by ISO 4217 code."""
Dated = tuple[date, str, Decimal]
"""A day, a currency, and an amount in it."""


class Converted(NamedTuple):
    """A sum in the reporting currency, and what could not be converted: it is in no sum, but named."""

    amount: Decimal
    excluded: Amounts


class Exchange:
    """Rates of one reporting currency: units of it for one unit of another, each from its day until the next one."""

    def __init__(self, reporting: str, rates: Iterable[DatedRate] = ()) -> None:
        """Keep rates.

        Args:
            reporting: ISO 4217 code of the currency that is converted into; its own rate is 1.
            rates: In any order; of two for one day and currency the later one counts.
        """
        self.reporting = reporting
        by_currency: dict[str, dict[date, Decimal]] = {}
        for day, currency, rate in rates:
            by_currency.setdefault(currency, {})[day] = rate
        self._rates = {currency: sorted(dated.items()) for currency, dated in by_currency.items()}

    def rate(self, currency: str, day: date) -> Decimal | None:
        """The latest rate at or before a day; None: there is none, or the currency is not known."""
        if currency == self.reporting:
            return Decimal(1)
        dated = self._rates.get(currency, [])
        found = bisect_right(dated, day, key=lambda each: each[0])
        return dated[found - 1][1] if found else None

    def convert(self, amounts: Iterable[Dated]) -> Converted:
        """Add up amounts, each at the rate of its day."""
        total, excluded = Decimal(0), dict[str, Decimal]()
        for day, currency, amount in amounts:
            rate = self.rate(currency, day)
            if rate is not None:
                total = EXACT.add(total, EXACT.multiply(amount, rate))
            elif amount:
                excluded[currency] = EXACT.add(excluded.get(currency, Decimal(0)), amount)
        return Converted(total, {currency: amount for currency, amount in excluded.items() if amount})
