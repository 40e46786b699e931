"""`funnelstream traffic`: invented people reach an installation's sources, other ones at every start, and only when asked for."""

import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Consumer, TopicPartition
from typer.testing import CliRunner

from processors.cli.demo import CONFIGURATION, embedded_broker
from processors.cli.loading import Loaded, load
from processors.cli.main import app
from processors.cli.traffic import traffic
from processors.engine.stop import INPUT, Stop
from processors.topology.topology import Topology
from tests.command import funnelstream
from tests.shared_material import ROOT
from tests.whole_path import source_record

pytestmark = pytest.mark.slow

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
    while messages := reader.consume(500, 1.0):
        for each in messages:
            found[names[each.topic() or ""]].append(each.value() or b"")
    reader.close()
    return found


def test_people_are_sent_and_understood_and_are_others_at_every_start(config: Path) -> None:
    """Whom the CRM calls by a number of the time at which it began, in milliseconds, has not been there before."""
    loaded, began = load(config), time.time_ns() // 1_000_000
    funnelstream("traffic", "--config", config, "--rate", "500", "--seconds", "4", "--yes")
    found = sent(loaded)
    ingest, now = Topology(loaded.program).ingest, time.time_ns() // 1_000
    effects = [ingest(source_record(name, value, at=now)) for name, values in found.items() for value in values]
    assert all(found.values())
    assert {publish.topic for each in effects for publish in each.published} == {"facts"}
    assert min(msgspec.json.decode(value)[0]["objectId"] for value in found["crm"]) >= began


def test_nobody_is_invented_without_a_yes(config: Path) -> None:
    refused = CliRunner().invoke(app, ["traffic", "--config", str(config)])
    assert (refused.exit_code, "--yes" in refused.output) == (2, True)


def test_a_source_that_is_missing_is_named(config: Path) -> None:
    config.write_text(config.read_text().replace("  crm:", "  hubspot:"))
    with pytest.raises(Stop, match=r"sources\.crm: the demo's people need a source of this name with format: hubspot") as refused:
        traffic(config, yes=True)
    assert refused.value.code == INPUT
