"""`/metrics`: both ends of the declared rates, each counted as its rate says, and the order of stages."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from processors.insights.exposition import Exposition, Numbers
from tests.metric_records import metric, projected, web

RECORDS = [
    metric("entries", "a", "2026-01-05", touched_every=70, touched_first=60, reached_first=64, inferred=4),
    metric("entries", "b", "2026-01-06", touched_every=9, touched_first=7, reached_first=8, inferred=1),
    metric("entries", "b", "2026-01-06", reason="late", touched_every_retracted=2, reached_first_retracted=1),
    metric("entries", "b", "2026-01-06", reason="deletion", touched_first_retracted=1),
]


def exposed(**rate: str) -> dict[str, float]:
    """The series of a funnel with one rate from a to b, by name; those of stages are of b."""
    projection = projected(RECORDS, web(rates=[{"from": "a", "to": "b", **rate}]))
    [outline] = projection.outlines.funnels
    body = Exposition(projection.outlines).business([Numbers(outline, projection.totals(outline, {}), [])], [], [])
    samples = [sample for family in text_string_to_metric_families(body.decode()) for sample in family.samples]
    return {each.name: each.value for each in samples if each.labels.get("stage", "b") == "b"}


@pytest.mark.parametrize(
    ("rate", "start", "end", "taken_back"),
    [
        ({}, 64, 8, 1),
        ({"count": "touched"}, 60, 7, 1),
        ({"entries": "every"}, 74, 10, 2),
        ({"count": "touched", "entries": "every"}, 70, 9, 2),
    ],
)
def test_both_ends_of_a_rate_are_counted_as_it_says(rate: dict[str, str], start: int, end: int, taken_back: int) -> None:
    found = exposed(**rate)
    assert found["funnel_rate_from_entries_total"] == start
    assert found["funnel_rate_to_entries_total"] == end
    assert found["funnel_rate_from_entries_retracted_total"] == 0
    assert found["funnel_rate_to_entries_retracted_total"] == taken_back


def test_stages_have_their_place_and_policies_begin_at_nothing() -> None:
    found = exposed()
    assert found["funnel_stage_position"] == 2
    assert found["funnel_policy_violations_total"] == found["funnel_policy_violations_retracted_total"] == 0
