"""Shares and maturity: no data is no zero, and a cohort is final only when nothing can change it (rules 24 and 25)."""

from datetime import date
from itertools import pairwise

import pytest

from processors.metrics.days import Bucket, Span, bucket_of, buckets
from processors.metrics.rates import Share, Started, maturity
from schemas.instants import DAY, parse_instant

JANUARY = Span(date(2026, 1, 1), date(2026, 1, 31))
UNITS = [Started(date(2026, 1, 1), 6, 5), Started(date(2026, 1, 31), 4, 2)]


def test_of_an_empty_whole_there_is_no_share() -> None:
    assert (Share(0, 0).value, Share(0, 4).value, Share(8, 10).value, Share(3, 2).value) == (None, 0.0, 0.8, 1.5)


@pytest.mark.parametrize(
    ("as_of", "found"),
    [
        ("2026-02-01", (10, 3, False)),
        ("2026-03-02T23:59:59Z", (10, 3, False)),
        ("2026-03-03", (4, 2, False)),  # the windows of January 1 end with the day 60 days later
        ("2026-04-02", (0, 0, False)),
        ("2026-04-08T23:59:59Z", (0, 0, False)),
        ("2026-04-09", (0, 0, True)),  # end of January + 60 d + 7 d of lateness
    ],
)
def test_rule_25_a_cohort_is_final_after_window_and_lateness(as_of: str, found: tuple[int, int, bool]) -> None:
    assert maturity(JANUARY, UNITS, 60 * DAY, 7 * DAY, parse_instant(as_of)) == found


def test_without_a_window_a_cohort_is_never_final() -> None:
    assert maturity(JANUARY, UNITS, None, 0, parse_instant("2099-01-01")) == (10, 3, False)


@pytest.mark.parametrize(
    ("by", "first", "last"),
    [("day", "2026-02-28", "2026-02-28"), ("week", "2026-02-23", "2026-03-01"), ("month", "2026-02-01", "2026-02-28")],
)
def test_a_day_is_in_one_bucket(by: Bucket, first: str, last: str) -> None:
    assert bucket_of(date(2026, 2, 28), by) == (date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(("by", "count"), [("day", 366), ("week", 53), ("month", 12)])
def test_buckets_follow_each_other_without_a_gap(by: Bucket, count: int) -> None:
    found = [*buckets(Span(date(2024, 1, 1), date(2024, 12, 31)), by)]
    assert len(found) == count
    for before, after in pairwise(found):
        assert before.last is not None
        assert after.first is not None
        assert (after.first - before.last).days == 1


def test_the_last_of_all_days_has_buckets_too() -> None:
    """Whoever asks for cohorts until the year 9999 is answered."""
    last = date.max
    assert [bucket_of(last, by).last for by in ("day", "week", "month")] == [last] * 3
    assert bucket_of(date.min, "week").first == date.min
    assert [*buckets(Span(last, last), "month")] == [Span(last.replace(day=1), last)]
