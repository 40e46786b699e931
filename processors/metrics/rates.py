"""Rates: shares that say what they are shares of, and how far a cohort has come (rules 24 and 25)."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal
from typing import NamedTuple

from processors.metrics.days import Span, end_of


class Share(NamedTuple):
    """A part of a whole. Of an empty whole there is no share: "no data", not 0 %."""

    part: int | Decimal
    whole: int | Decimal

    @property
    def value(self) -> float | None:
        """Between 0 and, for a period, more than 1; None: no data."""
        return float(self.part / self.whole) if self.whole else None


class Started(NamedTuple):
    """Units of one day of a cohort."""

    day: date
    started: int
    converted: int


class Maturity(NamedTuple):
    """How far a cohort has come (rule 25).

    Attributes:
        inside: Units whose window is still open, by the day they started on; all of them where the window has no end.
        undecided: Those of them that have not converted.
        final: Whether nothing can change it any more: its last window and the funnel's lateness are over.
    """

    inside: int
    undecided: int
    final: bool


def maturity(cohort: Span, days: Iterable[Started], within: int | None, lateness: int, as_of: int) -> Maturity:
    """How far a cohort has come.

    Args:
        cohort: Its days.
        days: Its units by day.
        within: The rate's window in microseconds; None: unbounded.
        lateness: Microseconds for which late facts still change it.
        as_of: Until when time has passed, in microseconds.
    """
    open_days = [each for each in days if within is None or end_of(each.day) + within > as_of]
    inside = sum(each.started for each in open_days)
    undecided = inside - sum(each.converted for each in open_days)
    over = cohort.last is not None and within is not None and end_of(cohort.last) + within + lateness <= as_of
    return Maturity(inside, undecided, over)
