"""Days: spans of UTC days, and the days, weeks and months that cohorts are put together by (rule 24)."""

from calendar import monthrange
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Literal, NamedTuple

from schemas.instants import DAY

Bucket = Literal["day", "week", "month"]

_FIRST_DAY = date(1970, 1, 1).toordinal()


class Span(NamedTuple):
    """UTC days from `first` to `last`, both among them; None: without a bound."""

    first: date | None = None
    last: date | None = None

    def __contains__(self, day: object) -> bool:
        """Whether a day is one of them."""
        return isinstance(day, date) and (self.first is None or self.first <= day) and (self.last is None or day <= self.last)


ALWAYS = Span()
"""All days."""


EARLIER = date.min
"""Stands for all days before those that are kept apart (`topics.keep_metrics`)."""


def bucket_of(day: date, by: Bucket) -> Span:
    """The day, the week from Monday to Sunday, or the month that a day is in."""
    if by == "day":
        return Span(day, day)
    if by == "week":
        first = day - timedelta(days=min(day.weekday(), (day - date.min).days))
        return Span(first, day + timedelta(days=min(6 - day.weekday(), (date.max - day).days)))
    return Span(day.replace(day=1), day.replace(day=monthrange(day.year, day.month)[1]))


def buckets(days: Span, by: Bucket) -> Iterator[Span]:
    """Every bucket that has a day in a span with two bounds, in order."""
    assert days.first is not None
    assert days.last is not None
    day = days.first
    while day <= days.last:
        found = bucket_of(day, by)
        yield found
        assert found.last is not None
        if found.last == date.max:
            return
        day = found.last + timedelta(days=1)


def number_of(day: date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - _FIRST_DAY


def day_of(number: int) -> date:
    """The day of a number of days since 1970-01-01."""
    return date.fromordinal(_FIRST_DAY + number)


def day_at(instant: int) -> date:
    """The UTC day of an instant in microseconds."""
    return day_of(instant // DAY)


def end_of(day: date) -> int:
    """The first instant after a day, in microseconds."""
    return (number_of(day) + 1) * DAY
