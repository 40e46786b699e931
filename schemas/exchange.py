"""Exchange rates: what one unit of a currency is worth in the reporting currency, from a day on (rule 28)."""

from datetime import date
from decimal import Decimal
from typing import NamedTuple


class DatedRate(NamedTuple):
    """One rate; it holds until the next one of its currency. Sorts by day.

    Attributes:
        day: UTC day from which it holds.
        currency: ISO 4217 code.
        rate: Units of the reporting currency per unit of `currency`; more than 0.
    """

    day: date
    currency: str
    rate: Decimal
