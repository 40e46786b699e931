"""`funnelstream traffic`: invented people reach an installation's sources, other ones at every start, and only when asked for."""

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition

from processors.cli.demo import CONFIGURATION, embedded_broker
from processors.cli.loading import Loaded, load
from processors.topology.topology import Topology
from tests.command import funnelstream, run
from tests.shared_material import ROOT
from tests.whole_path import source_record

FUNNEL = ROOT / "funnels/hubspot-lifecycle.yml"


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    """The demo's application on a broker that makes the topics it is asked about."""
    with embedded_broker() as address:
        file = tmp_path / "demo.yml"
        file.write_text(CONFIGURATION.format(definitions=FUNNEL, address=address, folder=tmp_path))
        yield file


def sent(loaded: Loaded) -> dict[str, list[bytes]]:
    """What the topics of the sources hold, by source."""
    names = {source.topics[0]: name for name, source in loaded.application.sources.items()}
    reader = Consumer({**loaded.application.kafka, "group.id": "reader", "auto.offset.reset": "earliest"})
    reader.assign([TopicPartition(topic, partition, 0) for topic in names for partition in range(4)])
    found: dict[str, list[bytes]] = {name: [] for name in names.values()}
    while messages := reader.consume(500, 2.0):
        for each in messages:
            found[names[each.topic() or ""]].append(each.value() or b"")
    reader.close()
    return found


def test_people_are_sent_and_understood_and_are_others_at_every_start(config: Path) -> None:
    loaded = load(config)
    for _ in range(2):
        funnelstream("traffic", "--config", config, "--rate", "300", "--seconds", "2.5", "--yes")
    found = sent(loaded)
    ingest = Topology(loaded.program).ingest
    now = time.time_ns() // 1_000
    effects = [ingest(source_record(name, value, at=now)) for name, values in found.items() for value in values]
    assert all(found.values())
    published = Counter(publish.topic for each in effects for publish in each.published)
    assert published.keys() == {"facts"}
    contacts = {msgspec.json.decode(value)[0]["objectId"] for value in found["crm"]}
    assert max(contacts) - min(contacts) > 1_000, "the second start went on with the people of the first"


def test_nobody_is_invented_without_a_yes(config: Path) -> None:
    refused = run("traffic", "--config", config, "--seconds", "1")
    assert (refused.returncode, "--yes" in refused.stderr) == (2, True)


def test_a_source_that_is_missing_is_named(config: Path) -> None:
    config.write_text(config.read_text().replace("  crm:", "  hubspot:"))
    refused = run("traffic", "--config", config, "--seconds", "1", "--yes")
    assert refused.returncode == 1
    assert "sources.crm: the demo's people need a source of this name with format: hubspot" in refused.stderr
