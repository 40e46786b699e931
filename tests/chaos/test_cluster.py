"""Three brokers, three copies, two in sync: stopped, killed, killed in pairs; and a worker away for too long (ER-13, ER-27)."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from uuid import uuid4

import pytest
from confluent_kafka import IsolationLevel, KafkaException, Producer, TopicPartition

from processors.engine.admin import AdminClient, NewTopic, OffsetSpec
from tests.broker.discovery import Broker, start_private_cluster
from tests.kafka.application import Application
from tests.kafka.processes import wait_until

SHORT = {"session.timeout.ms": "30000", "transaction.timeout.ms": "30000", "max.poll.interval.ms": "30000"}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Sequence[Broker]]:
    brokers = start_private_cluster()
    yield brokers
    for broker in brokers:
        broker.stop()


@pytest.fixture
def app(cluster: Sequence[Broker], tmp_path: Path) -> Iterator[Application]:
    application = Application(",".join(broker.bootstrap for broker in cluster), tmp_path)
    wait_until(lambda: len(application.admin.list_topics(timeout=10).brokers) == 3, "all brokers to be back", 120)
    application.create()
    yield application
    application.close()


def test_brokers_that_are_restarted_one_after_the_other_cost_nothing(app: Application, cluster: Sequence[Broker]) -> None:
    """A rolling restart: two copies in sync are enough to go on. A call that hangs in librdkafka ends the worker (ER-15)."""
    worker = app.worker().start().wait_ready()
    for broker in cluster:
        broker.shut_down()
        app.send_some(300)
        app.settle(worker)
        broker.start()
        wait_until(lambda: len(app.admin.list_topics(timeout=10).brokers) == 3, "the broker to be back", 120)
        app.send_some(300)
        app.settle(worker)


def test_one_broker_killed_and_then_another(app: Application, cluster: Sequence[Broker]) -> None:
    """With one gone the work goes on; with two nothing can be committed, and nothing is; with one back it goes on, exact."""
    first, second, _ = cluster
    worker = app.worker(limits={"batch_records": 50}).start().wait_ready()
    app.send_some(500)
    first.kill()
    app.send_some(500)
    app.settle(worker)
    app.send_some(1_000)
    second.kill()
    time.sleep(15)  # past the 10 s of one transaction call
    first.start()
    app.send_some(500)
    app.settle(worker)
    second.start()
    app.send_some(100)
    app.settle(worker)


def test_er27_a_lone_worker_that_was_paused_past_its_timeouts(app: Application) -> None:
    """Nobody took over: awake, it finds its transaction aborted and its session over, and goes on or ends to be restarted."""
    worker = app.worker(kafka=SHORT, limits={"batch_records": 50}).start().wait_ready()
    app.send_some(2_000)
    worker.sigstop()
    time.sleep(45)  # past session and transaction, and their check on the brokers
    worker.sigcont()
    app.send_some(100)
    app.settle(worker)


def test_a_worker_that_is_slower_than_max_poll_interval_ends_with_the_setting(app: Application) -> None:
    """librdkafka has left the group and does not let a static member back: it would stand still with its probes green."""
    worker = app.worker(kafka=SHORT, naps=True).start().wait_ready()
    app.send_some(100)
    app.wait_exact()
    app.send([("slow", "sleep 35")])
    app.send_some(100)
    assert worker.wait_ended(120) == 5
    # Its transaction has timed out as well by then, and which of the two is heard first is up to the brokers.
    assert "took longer than max.poll.interval.ms" in worker.output or "transaction.timeout.ms" in worker.output
    app.worker(kafka=SHORT).start().wait_ready()
    app.wait_exact()


def test_a_transaction_is_ended_everywhere_although_a_partition_had_no_leader_just_then(cluster: Sequence[Broker]) -> None:
    """What exactness rests on, asked of the brokers alone: some versions forget such a partition for good (decision 18)."""
    bootstrap = ",".join(broker.bootstrap for broker in cluster)
    admin, topic = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0}), f"test-{uuid4().hex[:12]}"
    wait_until(lambda: len(admin.list_topics(timeout=10).brokers) == 3, "all brokers to be back", 120)
    admin.create_topics([NewTopic(topic, 1, replica_assignment=[[3]])])[topic].result()
    wait_until(lambda: _leader(admin, topic) == 3, "the topic to be there")
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0, "transactional.id": topic})
    producer.init_transactions(60)
    producer.begin_transaction()
    producer.produce(topic, b"value")
    assert producer.flush(60) == 0
    cluster[2].kill()
    wait_until(lambda: _leader(admin, topic) == -1, "the only copy to be missed", 60)
    producer.commit_transaction(120)  # its coordinator may have been on the broker that is gone
    cluster[2].start()
    wait_until(lambda: _leader(admin, topic) == 3, "the only copy to be back", 120)
    wait_until(lambda: _ends(admin, topic) == (2, 2), "the record to be readable, and the marker behind it", 60, every=0.5)


def _leader(admin: AdminClient, topic: str) -> int | None:
    """The broker that leads the only partition of a topic; -1: none."""
    with contextlib.suppress(KafkaException):
        found = admin.list_topics(timeout=10).topics.get(topic)
        return found.partitions[0].leader if found and found.partitions else None
    return None


def _ends(admin: AdminClient, topic: str) -> tuple[int, ...]:
    """Where the only partition of a topic ends for readers of committed records, and for all others."""
    place, last = TopicPartition(topic, 0), OffsetSpec.latest()  # type: ignore[no-untyped-call]
    return tuple(
        admin.list_offsets({place: last}, isolation_level=level)[place].result().offset
        for level in (IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED)
    )
