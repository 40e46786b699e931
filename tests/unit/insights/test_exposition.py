"""/metrics: every name that the docs promise, every label set from the start, counters that only rise, labels that stay few."""

import json
import re
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from faust.types import TP
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from processors.insights.committed import Batch, Record
from processors.insights.progress import Progress
from processors.insights.read_model import ReadModel
from processors.insights.settings import InsightsSettings
from tests.insights_site import Site
from tests.insights_world import AS_OF, HOSTILE
from tests.shared_material import ROOT
from tests.unit.insights.conftest import World

ENTRY = {"kind": "entries", "funnel": "revenue", "grain": "lead", "name": "signed_up", "segment": None, "segment_value": None}
WHEN = {"day": "2026-02-01", "recorded": "2026-02-01", "reason": "live", "place": "stage", "partition": 0}


class Scraped:
    """A read model that a test fills, and what is scraped of it."""

    def __init__(self, settings: InsightsSettings) -> None:
        self.settings = settings
        self.model, self.progress = ReadModel(settings), Progress()
        self._place = TP(settings.topics.metrics, 0)
        self._read = 0
        self.progress.answered({self._place: 0}, self.progress.taken, AS_OF)

    def put(self, *records: dict[str, Any]) -> None:
        """Take metric records; the key is what a body says its cell is."""
        new = [Record(self._read + number, key_of(each), json.dumps(each).encode(), 0) for number, each in enumerate(records)]
        self.model.put(Batch(self._place, self._read, tuple(new), self._read + len(new)))
        self._read += len(new)

    def families(self) -> dict[str, Metric]:
        with Site(self.settings, self.model, self.progress) as site:
            return parsed(site.get("/metrics").body)


def key_of(record: dict[str, Any]) -> bytes:
    return json.dumps([record.get(name) for name in (*ENTRY, *WHEN)]).encode()


def parsed(text: str) -> dict[str, Metric]:
    return {family.name: family for family in text_string_to_metric_families(text)}


@pytest.fixture
def scraped(world: World) -> Scraped:
    return Scraped(world.settings)


def capped(settings: InsightsSettings, most: int) -> InsightsSettings:
    """The same with `limits.label_values`."""
    return replace(settings, outlines=msgspec.structs.replace(settings.outlines, label_values=most))


def values(families: dict[str, Metric], name: str, **labels: str) -> list[float]:
    return [sample.value for sample in families[name].samples if labels.items() <= sample.labels.items()]


def test_every_name_stands_in_the_docs_and_every_name_of_the_docs_is_served(site: Site) -> None:
    served = parsed(site.get("/metrics").body)
    names = {f"{name}{'_total' * (family.type == 'counter')}" for name, family in served.items()}
    table = (ROOT / "docs/insights.md").read_text()
    promised = {*re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE), "funnel_label_overflow_total"}
    promised |= {f"{name.removesuffix('_total')}_retracted_total" for name in promised if name in RETRACTED}
    assert names == promised


RETRACTED = {
    "funnel_stage_entries_total",
    "funnel_stage_first_entries_total",
    "funnel_stage_reached_total",
    "funnel_detour_entries_total",
    "funnel_outcomes_total",
    "funnel_sla_missed_total",
    "funnel_conversions_total",
    "funnel_conversion_repeats_total",
    "funnel_conversions_advanced_total",
    "funnel_transitions_total",
    "funnel_policy_violations_total",
    "funnel_rate_from_entries_total",
    "funnel_rate_to_entries_total",
    "funnel_corrections_total",
}


def test_every_label_set_is_there_from_the_start(scraped: Scraped) -> None:
    families = scraped.families()
    assert values(families, "funnel_stage_entries", stage="proposal") == [0]
    assert values(families, "funnel_outcomes_retracted", outcome="lost") == [0]
    assert values(families, "funnel_conversions", conversion="download") == [0]
    assert len(families["funnel_leads"].samples) == 4
    assert values(families, "funnel_corrections", reason="late") == [0]
    assert values(families, "funnelstream_insights_unreadable_records") == [0, 0, 0]


def test_half_a_count_is_never_shown(world: World) -> None:
    """Prometheus takes a counter that falls for one that began anew, and would add all of it again."""
    progress = Progress()
    with Site(world.settings, world.model, progress) as site:
        unasked = parsed(site.get("/metrics").body)
        progress.answered({TP("t", 0): 10}, progress.taken, AS_OF)
        families = parsed(site.get("/metrics").body)
    assert "funnelstream_insights_behind_records" not in unasked, "0 would say that nothing is missing"
    assert values(families, "funnelstream_insights_behind_records") == [10]
    assert {*families}
    assert all(name.startswith("funnelstream_insights_") for name in families)
    assert values(families, "funnelstream_insights_ready") == [0]


def test_counters_only_rise_and_say_what_was_taken_back(scraped: Scraped) -> None:
    """A correction empties a bucket: the announced entries stay, the retracted ones come beside them."""
    scraped.put(ENTRY | WHEN | {"touched_every": 5, "touched_first": 5})
    before = scraped.families()
    scraped.put(
        ENTRY | WHEN | {"touched_every": 5, "touched_first": 5, "touched_every_retracted": 2},
        ENTRY | WHEN | {"recorded": "2026-03-01", "reason": "late", "touched_every_retracted": 3, "touched_first_retracted": 5},
    )
    after = scraped.families()
    assert values(before, "funnel_stage_entries", stage="signed_up") == [5]
    assert values(after, "funnel_stage_entries", stage="signed_up") == [5]
    assert values(after, "funnel_stage_entries_retracted", stage="signed_up") == [5]
    assert values(after, "funnel_corrections_retracted", reason="late") == [3]
    for name, family in before.items():
        if family.type == "counter":
            assert all(old.value <= new.value for old, new in zip(family.samples, after[name].samples, strict=True)), name


def test_the_same_record_again_changes_nothing(scraped: Scraped) -> None:
    scraped.put(ENTRY | WHEN | {"touched_every": 5})
    scraped.put(ENTRY | WHEN | {"touched_every": 5})
    assert values(scraped.families(), "funnel_stage_entries", stage="signed_up") == [5]


def test_of_a_great_many_values_few_are_labels(world: World) -> None:
    """`limits.label_values` holds whatever a segment's `top` allows; what is folded is counted, and nobody is lost."""
    scraped = Scraped(capped(world.settings, 3))
    many = [ENTRY | WHEN | {"segment": "source", "segment_value": f"s{number}", "reached_first": 1} for number in range(5_000)]
    whole = ENTRY | WHEN | {"reached_first": 5_007}
    scraped.put(*many, ENTRY | WHEN | {"segment": "source", "segment_value": HOSTILE, "reached_first": 7}, whole)
    families = scraped.families()
    reached = {
        sample.labels["value"]: sample.value
        for sample in families["funnel_segment_reached"].samples
        if sample.labels["stage"] == "signed_up"
    }
    assert reached == {HOSTILE: 7, "s0": 1, "s1": 1, "other": 4_998}
    assert values(families, "funnel_label_overflow", label="source") == [4_998]
    assert values(families, "funnel_segment_values", segment="source") == [5_001]


def test_a_value_that_is_called_other_is_not_the_rest(world: World) -> None:
    scraped = Scraped(capped(world.settings, 2))
    counts = {"other": 9, "b": 4, "c": 2, "d": 1}
    split = [ENTRY | WHEN | {"segment": "source", "segment_value": name, "reached_first": n} for name, n in counts.items()]
    scraped.put(*split, ENTRY | WHEN | {"reached_first": 16})
    samples = scraped.families()["funnel_segment_reached"].samples
    assert {sample.labels["value"]: sample.value for sample in samples if sample.labels["stage"] == "signed_up"} == {
        "other": 9,
        "b": 4,
        "(other)": 3,
    }


def test_unknown_currencies_do_not_become_labels_without_end(world: World) -> None:
    scraped = Scraped(capped(world.settings, 2))
    cell = {
        "kind": "conversions",
        "funnel": "revenue",
        "grain": "lead",
        "name": "download",
        "segment": None,
        "segment_value": None,
    }
    scraped.put(cell | WHEN | {"place": None, "counted": 9, "amounts": {f"X{number:02}": "1.50" for number in range(60)}})
    families = scraped.families()
    assert [sample.labels["currency"] for sample in families["funnel_conversion_value"].samples] == ["X00", "X01"]
    assert values(families, "funnel_label_overflow", label="currency") == [58]
