"""`report` on a running application: the numbers of its metrics topic, and the recount at one point in time."""

import json
from pathlib import Path

import pytest
from confluent_kafka import Producer

from processors.engine import one_point
from processors.engine.one_point import read_to_one_point
from processors.engine.stop import ENVIRONMENT, Stop
from tests.broker.discovery import Broker
from tests.command import funnelstream, run
from tests.kafka.desk import MENDED, Desk, demo, status


@pytest.fixture
def desk(broker: Broker, tmp_path: Path) -> Desk:
    desk = Desk(broker, tmp_path)
    desk.configure(MENDED)
    return desk


def test_a_running_application_is_reported_and_recounted(desk: Desk) -> None:
    worker = desk.app.worker("one").start().wait_ready()
    desk.send(desk.crm, status(7, "2"))
    desk.app.wait_through()
    desk.send(desk.web, *(demo(user) for user in range(1, 9)))
    desk.app.wait_through()
    report = ("report", "--config", desk.config)
    found = {row["name"]: row for row in json.loads(funnelstream(*report, "--format", "json"))}
    assert (found["asked"]["reached"], found["asked"]["now"], found["open"]["touched"], found["demo"]["counted"]) == (8, 7, 1, 8)
    assert ": all equal." in funnelstream(*report, "--reconcile")
    assert worker.terminate() == 0

    last = {record.key(): record for record in desk.app.read(desk.app.topics.metrics)}
    wrong = next(record for record in last.values() if b'"touched_first":' in (record.value() or b""))
    value = (wrong.value() or b"").replace(b'"touched_first":', b'"touched_first":1')
    desk.send(desk.app.topics.metrics, value, key=wrong.key(), partition=wrong.partition())
    done = run(*report, "--reconcile", "--format", "json")
    assert (done.returncode, {each["number"] for each in json.loads(done.stdout)}) == (1, {"touched_first"})


def test_one_point_is_not_found_while_a_transaction_is_open(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a transaction that is being committed one partition may say so before another."""
    monkeypatch.setattr(one_point, "_PATIENCE", 2.0)
    topics = [desk.app.topics.leads, desk.app.topics.metrics]
    desk.send(topics[0], b"seen", key=b"k")
    producer = Producer({**desk.app.kafka, "transactional.id": f"{desk.name}-open", "log_level": 0})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(topics[1], b"unseen", b"k")
    producer.flush(30)
    with pytest.raises(Stop, match="something was being committed at every moment") as stopped:
        list(read_to_one_point(desk.app.kafka, desk.name, topics))
    assert stopped.value.code == ENVIRONMENT
    producer.commit_transaction(30)
    found = [message for batch in read_to_one_point(desk.app.kafka, desk.name, topics) for message in batch]
    assert sorted(message.value() or b"" for message in found) == [b"seen", b"unseen"]
