"""Insights on a real broker: what it shows is what was committed, whatever happens to it and to Kafka, and it only reads."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions, Producer
from confluent_kafka.admin import AclOperation, AdminClient, ResourceType  # type: ignore[attr-defined]

from tests.broker.discovery import Broker
from tests.command import funnelstream
from tests.kafka.guarded import Guarded
from tests.kafka.insights import Funnelled, InsightsProcess
from tests.kafka.permissions import grant_all
from tests.kafka.processes import wait_until

STAGE = {"funnel": "revenue", "grain": "lead"}
STEPS = ("Signed Up", "Demo Requested", "Meeting Held")


@pytest.fixture
def funnelled(broker: Broker, tmp_path: Path) -> Funnelled:
    return Funnelled(tmp_path, **{"bootstrap.servers": broker.bootstrap})


@pytest.fixture
def running() -> Iterator[list[InsightsProcess]]:
    """What a test starts is ended with it."""
    processes: list[InsightsProcess] = []
    yield processes
    for process in processes:
        process.kill9()


def people(first: int, last: int) -> list[tuple[str, str]]:
    """Of ten people all sign up, seven ask for a demo, and three have a meeting."""
    return [
        (f"contact{number}", step)
        for number in range(first, last)
        for step, of_ten in zip(STEPS, (10, 7, 3), strict=True)
        if number % 10 < of_ten
    ]


def shown(insights: InsightsProcess) -> dict[str, int]:
    """Who reached each stage, as the API says."""
    places = insights.api("/funnels/revenue")["places"]
    return {place["name"]: place["restated"]["reached_first"] for place in places if place["kind"] == "stage"}


def reached(insights: InsightsProcess) -> dict[str, int]:
    """The same, and as /metrics does, while nothing flows."""
    said = shown(insights)
    announced, retracted = (insights.samples(f"funnel_stage_reached{part}_total", **STAGE) for part in ("", "_retracted"))
    assert said == {stage: announced[stage] - retracted[stage] for stage in announced}
    return said


def reported(funnelled: Funnelled) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(funnelstream("report", "--config", funnelled.app.config, "--format", "json"))
    return found


def test_its_numbers_are_those_of_report(funnelled: Funnelled, running: list[InsightsProcess]) -> None:
    """The same from /metrics, the API and `report`; a second process of the group has all of them too, and neither loses any."""
    worker = funnelled.app.worker("one").start().wait_ready()
    running += (insights := funnelled.insights().start(), funnelled.insights(name="second").start())
    funnelled.send(*people(0, 200))
    funnelled.app.wait_through()
    try:
        for process in running:
            process.wait_caught_up()
            by_report = {row["name"]: row["reached"] for row in reported(funnelled) if row["kind"] == "stage"}
            assert reached(process) == by_report == {"signed_up": 200, "demo": 140, "meeting": 60, "proposal": 0}
        assert insights.samples("funnel_leads", **STAGE) == {"signed_up": 60, "demo": 80, "meeting": 60, "proposal": 0}
        assert insights.samples("funnel_transitions_total", **STAGE, direction="advance") == {
            "(none),signed_up": 200,
            "signed_up,demo": 140,
            "demo,meeting": 60,
        }
        found = insights.api("/leads?id=contact:contact1")
        lead = insights.api(f"/leads/{found['handle']}")
        assert [move["to"]["stage"] for move in lead["path"]] == ["signed_up", "demo", "meeting"]
        assert lead["path"][0]["cause"]["facts"][0]["topic"] == funnelled.app.source_topic["web"]
        assert "contact1" not in json.dumps(lead), "personal values are masked unless they are to be shown"
    finally:
        assert worker.terminate() == 0
    assert [process.terminate() for process in running] == [0, 0]
    assert "Traceback" not in insights.output


def test_what_was_aborted_is_never_shown(funnelled: Funnelled, running: list[InsightsProcess]) -> None:
    """Faust reads uncommitted records unless it is made to do otherwise. What is open is not shown, what is aborted never."""
    topic = funnelled.app.topics.metrics
    running.append(insights := funnelled.insights().start())
    insights.wait_caught_up()
    producers = {}
    for name, number in (("aborted", 500), ("open", 40), ("committed", 3)):
        producer = producers[name] = Producer(
            funnelled.app.kafka | {"transactional.id": f"{funnelled.name}-{name}", "log_level": 0}
        )
        producer.init_transactions(30)
        producer.begin_transaction()
        producer.produce(topic, entries(number, name), json.dumps([name]).encode(), partition=len(producers) - 1)
        producer.flush()
    producers["aborted"].abort_transaction()
    producers["committed"].commit_transaction()
    insights.wait_caught_up()
    wait_until(lambda: shown(insights)["signed_up"] > 0, "the committed record to be shown")
    assert reached(insights)["signed_up"] == 3
    producers["open"].commit_transaction()
    wait_until(lambda: shown(insights)["signed_up"] == 43, "what is committed now to be shown")
    insights.kill9()
    insights.start().wait_caught_up()
    assert reached(insights)["signed_up"] == 43, "nor to a process that reads from the beginning"


def entries(number: int, reason: str) -> bytes:
    """A metric record."""
    said = {"kind": "entries", "funnel": "revenue", "grain": "lead", "name": "signed_up", "segment": None, "segment_value": None}
    when = {"day": "2026-01-05", "recorded": "2026-01-05", "reason": reason, "place": "stage", "partition": 0}
    return json.dumps(said | when | {"reached_first": number}).encode()


def sending(funnelled: Funnelled) -> None:
    for first in range(0, 600, 20):
        funnelled.send(*people(first, first + 20))


def test_it_is_killed_while_transitions_flow(funnelled: Funnelled, running: list[InsightsProcess]) -> None:
    """It has everything again after each kill -9, from the topics alone; no number is lost or counted twice."""
    worker = funnelled.app.worker("one").start().wait_ready()
    running.append(insights := funnelled.insights().start())
    flow = threading.Thread(target=sending, args=(funnelled,))
    flow.start()
    try:
        for _ in range(3):
            insights.wait_ready()
            assert insights.samples("funnelstream_insights_ready") == {"": 1.0}
            insights.kill9()
            insights.start()
        flow.join()
        funnelled.app.wait_through()
        insights.wait_caught_up()
        assert reached(insights) == {"signed_up": 600, "demo": 420, "meeting": 180, "proposal": 0}
        assert insights.samples("funnel_leads", **STAGE)["signed_up"] == 180
    finally:
        flow.join()
        assert worker.terminate() == 0


@pytest.mark.soak  # it waits until clients have noticed, twice
def test_kafka_is_gone_and_comes_back(private_broker: Broker, tmp_path: Path, running: list[InsightsProcess]) -> None:
    """It says so, shows what it has, and goes on by itself."""
    funnelled = Funnelled(tmp_path, **{"bootstrap.servers": private_broker.bootstrap})
    worker = funnelled.app.worker("one").start().wait_ready()
    running.append(insights := funnelled.insights().start())
    funnelled.send(*people(0, 50))
    funnelled.app.wait_through()
    insights.wait_caught_up()
    assert worker.terminate() == 0
    private_broker.kill()
    insights.wait_said("Kafka does not answer")
    assert "Kafka has not answered since" in insights.get("/funnels/revenue")
    assert insights.samples("funnelstream_insights_kafka_up") == {"": 0.0}
    assert reached(insights)["signed_up"] == 50
    assert insights.probe("/readyz") == 200
    private_broker.start()
    insights.wait_said("Kafka answers again")
    worker.start().wait_ready()
    funnelled.send(*people(50, 80))
    funnelled.app.wait_through()
    wait_until(lambda: shown(insights)["signed_up"] == 80, f"what came since\n{insights.tail()}")
    assert worker.terminate() == 0
    assert insights.terminate() == 0


def test_it_needs_no_more_than_to_read_and_makes_nothing(
    guarded: Guarded, tmp_path: Path, running: list[InsightsProcess]
) -> None:
    """The workers' own settings, SCRAM over TLS and certificates; READ on three topics and its group; no topic, no offset, no
    file where it runs, which may be read-only."""
    funnelled = Funnelled(tmp_path, **{"bootstrap.servers": guarded.bootstrap})
    admin = AdminClient({"bootstrap.servers": guarded.bootstrap, "log_level": 0})
    topics = funnelled.app.topics
    before = {*admin.list_topics(timeout=10).topics}
    worker = funnelled.app.worker("one").start().wait_ready()
    funnelled.send(*people(0, 30))
    funnelled.app.wait_through()
    assert worker.terminate() == 0

    unpermitted = funnelled.insights(funnelled.configure("unpermitted", **guarded.scram()), "unpermitted").start()
    assert unpermitted.wait_ended() == 3, unpermitted.tail()
    assert "may not see it" in unpermitted.output
    read = [(ResourceType.TOPIC, topic, AclOperation.READ) for topic in (topics.metrics, topics.transitions, topics.leads)]
    grant_all(admin, [*read, (ResourceType.GROUP, f"{funnelled.name}-insights", AclOperation.READ)])
    unwritten = tmp_path / "unwritten"
    unwritten.mkdir(mode=0o555)
    for number, way in enumerate((guarded.scram(), guarded.scram(mechanism="SCRAM-SHA-256"), guarded.mutual())):
        config = funnelled.configure(f"way{number}", **way)
        running.append(insights := funnelled.insights(config, f"way{number}", unwritten).start())
        insights.wait_caught_up()
        assert reached(insights)["signed_up"] == 30
        assert insights.terminate() == 0
        assert [*unwritten.iterdir()] == []

    assert {*admin.list_topics(timeout=10).topics} - before <= {"__consumer_offsets", "__transaction_state"}
    [offsets] = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(f"{funnelled.name}-insights")]).values()
    assert offsets.result().topic_partitions == []

    wrong = funnelled.insights(funnelled.configure("wrong", **guarded.scram(password="guess")), "wrong").start()
    assert wrong.wait_ended() == 3, wrong.tail()
    assert "guess" not in wrong.output
    assert "Traceback" not in wrong.output + unpermitted.output


def test_a_topic_made_anew_is_not_taken_for_the_old_one(funnelled: Funnelled, running: list[InsightsProcess]) -> None:
    """The numbers of another topic of that name are not added to those that are there: it ends to be restarted."""
    producer = funnelled.app.producer()
    for number in range(50):
        producer.produce(funnelled.app.topics.metrics, entries(1, "live"), json.dumps([number]).encode(), partition=0)
    producer.flush()
    running.append(insights := funnelled.insights().start())
    insights.wait_caught_up()
    assert reached(insights)["signed_up"] == 50
    admin = AdminClient(funnelled.app.kafka | {"log_level": 0})
    admin.delete_topics([funnelled.app.topics.metrics])[funnelled.app.topics.metrics].result()
    wait_until(lambda: funnelled.app.topics.metrics not in admin.list_topics(timeout=10).topics, "the topic to be gone")
    funnelstream("topics", "create", "--config", funnelled.app.config)
    assert insights.wait_ended() == 5, insights.tail()
    assert "made anew" in insights.output
    insights.start().wait_caught_up()
    assert reached(insights)["signed_up"] == 0
