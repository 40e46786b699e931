"""The projection: what it answers to records that are made by hand."""

from datetime import date

from processors.metrics.days import Span
from processors.projection.answers import Counted, Matches
from schemas.instants import DAY, parse_instant
from tests.metric_records import metric, projected

JANUARY, FEBRUARY = Span(date(2026, 1, 1), date(2026, 1, 31)), Span(date(2026, 2, 1), date(2026, 2, 28))
NOW = parse_instant("2026-04-01")


def test_partial_sums_add_up_and_an_upsert_replaces() -> None:
    records = [
        metric("entries", "a", "2026-01-05", touched_every=3, touched_first=2, reached_first=2),
        metric("entries", "a", "2026-01-05", touched_every=4, touched_first=3, reached_first=3, inferred=1),
        metric("entries", "a", "2026-01-05", partition=1, touched_every=1, touched_first=1, reached_first=1),
        metric("conversions", "demo", "2026-01-05", counted=2, repeats=1, advanced=1),
    ]
    projection = projected([*records, *records])
    [outline] = projection.outlines.funnels
    found = projection.funnel(outline, projection.all(outline), NOW)
    assert found.places[0].restated == Counted(reached_first=4, reached_every=6, touched_first=4, touched_every=5)
    assert found.conversions[0].restated == Matches(2, 1, 1)
    projection.put([(records[2][0], None)])
    assert projection.funnel(outline, projection.all(outline), NOW).places[0].restated.touched_every == 4


def test_standing_is_now_and_its_age_is_the_mean() -> None:
    records = [
        metric("standing", "a", "2026-03-30", standing=1, entered_us=DAY // 2, furthest=1),
        metric("standing", "a", "2026-01-01", standing=2, furthest=2),
    ]
    projection = projected(records)
    [outline] = projection.outlines.funnels
    place = projection.funnel(outline, projection.all(outline), NOW, JANUARY).places[0]
    assert (place.standing, place.remained, place.furthest) == (3, 2, 2)
    assert place.open_age == (1.5 + 2 * 90) / 3 * DAY
