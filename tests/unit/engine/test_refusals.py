"""Settings that would break exactness are refused by name, and what is not up to the user is set (ER-1 to 3, 5, 15, 17)."""

from pathlib import Path

import pytest

from processors.engine.membership import member_name
from processors.engine.settings import Clients, EngineSettings, Limits
from processors.engine.stop import Stop
from schemas.application import OwnTopics

TOPICS = OwnTopics("facts", "changelog", "transitions", "conversions", "leads", "metrics", "dead")


def clients(kafka: dict[str, object] | None = None, *, instance: str = "one", limits: Limits | None = None) -> Clients:
    brokers = {"bootstrap.servers": "localhost:9092"}
    settings = EngineSettings("app", instance, brokers | (kafka or {}), {"in": "web"}, TOPICS, Path("state"), limits or Limits())
    return Clients(settings)


@pytest.mark.parametrize(
    ("kafka", "said"),
    [
        ({"partition.assignment.strategy": "cooperative-sticky"}, "write range"),
        ({"group.protocol": "consumer", "group.remote.assignor": "uniform"}, "write range"),
        ({"group.protocol": "consumer", "session.timeout.ms": 45000}, "the broker decides"),
        ({"group.protocol": "streams"}, "write classic or consumer"),
        ({"partitioner": "consistent"}, "murmur2_random"),
        ({"enable.auto.commit": True}, "must be false"),
        ({"isolation.level": "read_uncommitted"}, "read_committed"),
        ({"auto.offset.reset": "latest"}, "earliest"),
        ({"metadata.recovery.strategy": "rebootstrap"}, "must be none"),
        ({"group.instance.id": "x"}, "leave it out"),
        ({"transactional.id": "x"}, "leave it out"),
        ({"acks": 1}, "must be all"),
        ({"session.timeout.ms": 6000}, "at least 30000"),
        ({"max.poll.interval.ms": 40000}, "at least 45000"),
        ({"transaction.timeout.ms": 60000}, "at most 45000"),
        ({"transaction.timeout.ms": "soon"}, "is no number"),
        ({"bootstrap.servers": ""} | {"transaction.timeout.ms": 100}, "batch_time must be shorter"),
    ],
)
def test_er17_contradictions_are_refused_with_what_to_write(kafka: dict[str, object], said: str) -> None:
    with pytest.raises(Stop, match=said) as refused:
        clients(kafka)
    assert refused.value.code == 1


@pytest.mark.parametrize("instance", ["", "..", "a/b", "a:b", "x" * 201])
def test_er01_an_instance_that_cannot_name_a_member_and_a_folder_is_refused(instance: str) -> None:
    with pytest.raises(Stop, match="instance"):
        clients(instance=instance)


def test_all_faults_are_said_at_once() -> None:
    with pytest.raises(Stop) as refused:
        clients({"partitioner": "random", "group.id": "mine", "session.timeout.ms": 10})
    for name in ("partitioner", "group.id", "session.timeout.ms"):
        assert name in refused.value.sentence


def test_er01_er05_er15_what_exactness_needs_is_set() -> None:
    made = clients({"ssl.ca.location": "ca.pem", "fetch.min.bytes": 10, "linger.ms": 1})
    consumer, producer, reader = made.consumer("sha256:mine"), made.producer(), made.reader()
    assert consumer["group.instance.id"] == member_name("one", "sha256:mine")
    assert consumer["partition.assignment.strategy"] == "range"
    assert consumer["enable.auto.commit"] == consumer["allow.auto.create.topics"] == "false"
    assert producer["transactional.id"] == "app:one"
    assert producer["partitioner"] == "murmur2_random"
    assert {each["metadata.recovery.strategy"] for each in (consumer, producer, reader, made.admin())} == {"none"}
    assert {each["ssl.ca.location"] for each in (consumer, producer, reader, made.admin())} == {"ca.pem"}
    assert (producer["linger.ms"], "linger.ms" in consumer) == ("1", False)
    assert "fetch.min.bytes" not in producer
    assert "group.instance.id" not in reader


def test_er02_the_new_protocol_is_dynamic_and_names_no_broker_side_setting() -> None:
    consumer = clients({"group.protocol": "consumer", "client.id": "mine"}).consumer("sha256:mine")
    assert consumer["group.remote.assignor"] == "range"
    assert consumer["client.id"] == member_name("mine", "sha256:mine")
    for name in ("group.instance.id", "session.timeout.ms", "partition.assignment.strategy"):
        assert name not in consumer
