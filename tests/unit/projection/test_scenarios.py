"""Scenarios s and u and their like, on records as a worker publishes them: both truths at once, both rates, labelled."""

from datetime import date

from processors.metrics.days import Span
from processors.projection.answers import Correction, Difference, Reconciled
from schemas.instants import DAY, parse_instant
from tests.metric_records import metric, projected, web

JANUARY = Span(date(2026, 1, 1), date(2026, 1, 31))


def test_scenario_u_period_80_and_cohort_70_percent() -> None:
    """10 leads enter A in January, 3 reach B in January, 4 more in February; 5 others, in A before, reach B in January."""
    rate = {"from": "a", "to": "b", "within": "60d"}
    entered = {"touched_every": 1, "touched_first": 1, "reached_first": 1}
    many = dict.fromkeys(entered, 10)
    records = [
        metric("entries", "a", "2025-12-20", **dict.fromkeys(entered, 5)),
        metric("entries", "a", "2026-01-10", **many),
        metric("entries", "b", "2026-01-20", **dict.fromkeys(entered, 8)),
        metric("entries", "b", "2026-02-10", **dict.fromkeys(entered, 4)),
        metric("rate", "a->b within 60d", "2025-12-20", started=5, converted=5),
        metric("rate", "a->b within 60d", "2026-01-10", started=10, converted=7),
    ]
    projection = projected(records, web(rates=[rate], policies={"lateness": "10d"}))
    [outline] = projection.outlines.funnels
    [declared], of = outline.rates, projection.all(outline)
    assert projection.period(outline, declared, of, JANUARY).share == (8, 10)
    _, january = projection.cohorts(outline, declared, of, parse_instant("2026-02-15"))
    assert (january.days, january.share, january.share.value) == (JANUARY, (7, 10), 0.7)
    assert january.maturity == (10, 3, False)
    ended = projection.cohort(outline, declared, of, parse_instant("2026-04-12"), JANUARY)
    assert (ended.share, ended.maturity) == ((7, 10), (0, 0, True))


def test_scenario_s_a_win_of_january_that_was_lost_in_march() -> None:
    records = [
        metric("entries", "won", "2026-01-15", place="outcome", touched_every=1, touched_first=1, reached_first=1),
        metric("entries", "a", "2026-02-10", touched_every=1),
        metric("entries", "lost", "2026-03-05", place="outcome", touched_every=1, touched_first=1, reached_first=1),
        metric("standing", "lost", "2026-03-05", place="outcome", standing=1),
    ]
    projection = projected(records)
    [outline] = projection.outlines.funnels
    of = projection.all(outline)
    january = {place.name: place for place in projection.funnel(outline, of, 0, JANUARY).places}
    assert (january["won"].reported.touched_every, january["won"].remained) == (1, 0)
    assert projection.funnel(outline, of, 0).win_rate == (0, 1)
    [ended] = projection.reconciled(outline, of, JANUARY)
    assert ended == Reconciled("ended", "won", "standing", 1, 0, [Difference("moved_on", "these days", -1)])


def test_every_difference_between_reported_and_restated_has_its_reason() -> None:
    late = {"recorded": "2026-02-03", "reason": "late"}
    records = [
        metric("entries", "a", "2026-01-10", touched_every=5, touched_first=5, reached_first=5),
        metric("entries", "a", "2026-01-10", **late, touched_every=2, touched_first=2, reached_first=2),
        metric("entries", "a", "2026-01-10", recorded="2026-02-04", reason="deletion", touched_every_retracted=1),
        metric("entries", "a", "2025-12-30", recorded="2026-01-02", reason="late", touched_every=3),
        metric("conversions", "demo", "2026-01-10", recorded="2026-01-12", reason="late", counted=1),
    ]
    projection = projected(records)
    [outline] = projection.outlines.funnels
    of = projection.all(outline)
    found = {(number.kind, number.name, number.field): number for number in projection.reconciled(outline, of, JANUARY)}
    assert found["entries", "a", "touched_every"] == Reconciled(
        "entries",
        "a",
        "touched_every",
        reported=8,
        restated=6,
        differences=[
            Difference("deletion", "these days", -1),
            Difference("late", "these days", 2),
            Difference("late", "other days", -3),
        ],
    )
    assert ("conversions", "demo", "counted") not in found
    for number in found.values():
        assert number.reported + sum(each.amount for each in number.differences) == number.restated
    assert Correction("entries", "a", "touched_every", "deletion", 0, 1) in projection.corrections(outline, of)
    assert Correction("conversions", "demo", "counted", "late", 1, 0) in projection.corrections(outline, of, JANUARY)
    by_day = {day: projection.funnel(outline, of, 0, Span(day, day)).places[0] for day in (date(2025, 12, 30), date(2026, 1, 10))}
    assert {day: place.restated.touched_every for day, place in by_day.items()} == {date(2025, 12, 30): 3, date(2026, 1, 10): 6}


def test_rule_23_a_version_that_begins_within_a_period_is_named() -> None:
    second = web(version=2, effective_from="2026-01-20T12:00:00Z", reason="Sales asked.")
    projection = projected([], web(), second)
    [outline] = projection.outlines.funnels
    [found] = projection.versions(outline, JANUARY)
    assert (found.number, found.began, found.reason) == (2, date(2026, 1, 20), "Sales asked.")
    assert projection.versions(outline, Span(date(2026, 2, 1), None)) == []


def test_rule_29_ever_missed_and_still_overdue_are_two_numbers() -> None:
    records = [
        metric("entries", "a", "2025-12-20", sla_missed=4),
        metric("entries", "a", "2025-12-28", sla_recovered=1),
        metric("entries", "a", "2026-01-10", sla_missed=2),
        metric("entries", "a", "2026-01-15", sla_recovered=3),
        metric("entries", "a", "2026-02-01", sla_recovered=1, sla_missed=7),
    ]
    projection = projected(records)
    [outline] = projection.outlines.funnels
    place = projection.funnel(outline, projection.all(outline), 0, JANUARY).places[0]
    assert (place.sla_missed, place.overdue) == (2, 2)


def test_times_to_convert_say_who_has_none() -> None:
    rate = {"from": "a", "to": "b"}
    records = [
        metric("rate", "a->b", "2026-01-10", started=4, converted=3, timed=2, total_us=3 * DAY),
        metric("lengths", "a->b", "2026-01-10", place=None, of="rate", chunk=1, buckets={"2500": 1, "2570": 1}),
    ]
    projection = projected(records, web(rates=[rate]))
    [outline] = projection.outlines.funnels
    found = projection.cohort(outline, outline.rates[0], projection.all(outline), 0)
    assert (found.times.timed, found.times.untimed, found.times.mean) == (2, 1, 1.5 * DAY)
    assert found.times.median == (1.01**2500.5 + 1.01**2570.5) / 2
    assert not found.maturity.final
