"""What the programs answer to Prometheus: the samples of a worker that has a partition, and of insights that has read a little.

Labels whose values come from records, such as a currency, are there because a record of each kind was read.
"""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec
from faust.types import TP
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from processors.cli.run import engine_settings
from processors.engine.metrics import Metrics
from processors.insights.committed import Batch, Record
from processors.insights.progress import Progress
from processors.insights.read_model import ReadModel
from processors.insights.settings import InsightsSettings
from tests.insights_site import Site
from tests.insights_world import AS_OF, FUNNEL, configure, settings_of
from tests.whole_path import WORLD


class Sample(NamedTuple):
    """A value of a series, without the labels that Prometheus adds."""

    name: str
    labels: dict[str, str]


def of_a_worker() -> Iterator[Sample]:
    """What a worker that has just begun answers, and has a partition."""
    settings, metrics = engine_settings(WORLD, "worker-1"), Metrics()
    topics = [*settings.source_topics, settings.topics.facts]
    metrics.initialise(WORLD.program.definitions.digest, settings.source_topics, topics, settings.label_sets)
    for gauge in (metrics.lag, metrics.lag_seconds, metrics.watermark):
        gauge.labels(topics[0], "0")
    return _samples(generate_latest(metrics.registry).decode())


def of_insights() -> Iterator[Sample]:
    """What insights answers to a request for /metrics when it has read a conversion with a value, a segment and a move."""
    with TemporaryDirectory() as folder:
        Path(folder, "funnel.yml").write_text(FUNNEL)
        settings = settings_of(configure(Path(folder)))
    model, progress = ReadModel(settings), Progress()
    for batch in _batches(settings):
        model.put(batch)
        progress.take(batch)
    progress.answered(progress.taken, progress.taken, AS_OF)
    with Site(settings, model, progress) as site:
        return _samples(site.get("/metrics").body)


def _batches(settings: InsightsSettings) -> Iterator[Batch]:
    about = {"funnel": "revenue", "grain": "lead", "day": "2026-02-01", "partition": 0}
    reported = {**about, "recorded": "2026-02-01", "reason": "live"}
    counted = {**reported, "kind": "conversions", "name": "demo_request", "segment": None, "segment_value": None, "counted": 1}
    entered = {**reported, "kind": "entries", "place": "stage", "name": "demo", "segment": "source", "segment_value": "google"}
    at = "2026-02-01T00:00:00Z"
    moved = {
        "transition_id": "1",
        "revision": 1,
        "op": "announce",
        "kind": "advance",
        "funnel": "revenue",
        "subject": {"kind": "lead", "id": "contact:1"},
        "deal": None,
        "from": None,
        "to": {"stage": "demo", "entered_at": at, "entry": 1},
        "flags": [],
        "effective_at": at,
        "recorded_at": at,
    }
    for topic, bodies in (
        (settings.topics.metrics, [{**counted, "amounts": {"EUR": "5"}}, {**entered, "reached_first": 1}]),
        (settings.topics.transitions, [moved]),
        (settings.topics.leads, []),
    ):
        records = [Record(offset, b"%d" % offset, msgspec.json.encode(body), 0) for offset, body in enumerate(bodies)]
        yield Batch(TP(topic, 0), None, tuple(records), len(records))


def _samples(text: str) -> Iterator[Sample]:
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            yield Sample(sample.name, dict(sample.labels))
