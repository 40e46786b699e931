"""Partitions come and go, and so do workers (ER-1 to ER-4, ER-7, ER-19 to ER-21, ER-27, ER-28)."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from processors.engine.broker_errors import BrokerErrors
from processors.engine.transaction import Transaction
from processors.engine.triage import MustAbort
from processors.engine.watchdog import Watchdog
from tests.kafka.application import INPUTS, PARTITIONS, Application
from tests.kafka.processes import WorkerProcess, wait_until

REBALANCES = 'funnelstream_worker_rebalances_total{{kind="{}"}}'


def partitions_of(worker: WorkerProcess) -> int:
    metrics = worker.metrics()
    return int(sum(value for name, value in metrics.items() if name.startswith("funnelstream_worker_assigned_partitions")))


def shared_out(*workers: WorkerProcess) -> bool:
    """Every partition has an owner, and every worker its part."""
    owned = [partitions_of(worker) for worker in workers]
    return min(owned) >= 3 and sum(owned) == INPUTS + PARTITIONS


@contextmanager
def flowing(app: Application, count: int = 200) -> Iterator[None]:
    """Input flows while the block runs."""
    ended = threading.Event()

    def flow() -> None:
        while not ended.is_set():
            app.send_some(count)
            time.sleep(0.1)

    thread = threading.Thread(target=flow)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def test_er19_er21_er28_workers_join_die_and_leave_under_load(app: Application) -> None:
    """The assignment changes under full load; every partition has one owner, and its rows move with it."""
    one, two = app.worker("one"), app.worker("two")
    with flowing(app):
        one.start().wait_ready()
        two.start().wait_ready()
        wait_until(lambda: shared_out(one, two), "the two workers to have all partitions between them")
        two.kill9()
        two.start().wait_ready()
        assert two.terminate() == 0
        before = one.metrics()
        two.start().wait_ready()
    app.wait_exact()
    after = one.metrics()
    for kind in ("revoked", "lost"):
        assert after[REBALANCES.format(kind)] == before[REBALANCES.format(kind)], (
            "a static member's restart moved its peer's partitions"
        )


def test_er02_the_new_group_protocol_moves_single_partitions(app: Application) -> None:
    """KIP-848: assignments are incremental, membership is dynamic, and leaving gives the partitions back at once."""
    kip848 = {"group.protocol": "consumer"}
    one, two = app.worker("one", kafka=kip848), app.worker("two", kafka=kip848)
    with flowing(app):
        one.start().wait_ready()
        two.start().wait_ready()
        wait_until(lambda: shared_out(one, two), "the two workers to have all partitions between them")
        assert two.terminate() == 0
        wait_until(lambda: partitions_of(one) == INPUTS + PARTITIONS, "the partitions to come back")
    app.wait_exact()
    assert one.running


def test_er04_the_older_of_two_processes_of_one_instance_ends(app: Application) -> None:
    older, newer = app.worker("one"), app.worker("one", log="newer")
    older.start().wait_ready()
    with flowing(app):
        newer.start().wait_ready()
    assert older.wait_ended() == 5
    assert "--instance" in older.output
    app.wait_exact()


def test_er04_an_idle_older_process_is_ended_by_the_group_and_lets_the_store_go(app: Application) -> None:
    """Nothing it does would show it that it is fenced, and the newer one may not touch its store before it is gone."""
    older, newer = app.worker("one"), app.worker("one", log="newer")
    app.send_some(50)
    older.start().wait_ready()
    app.wait_exact()
    newer.start().wait_ready()
    assert older.wait_ended() == 5
    assert "--instance" in older.output
    app.send_some(50)
    app.wait_exact()


def test_er07_offsets_of_a_consumer_that_is_no_member_are_not_sent(app: Application) -> None:
    """The broker accepts them: nobody but us can refuse."""
    errors, watchdog = BrokerErrors(app.kafka, app.name, app.name), Watchdog()
    producer = Producer(app.client(**{"transactional.id": app.name}))
    transaction = Transaction(producer, watchdog, errors, timeout=30)
    transaction.initialise(30, lambda: None)
    consumer = Consumer(app.client(**{"group.id": app.name, "enable.auto.commit": False}))
    offsets = [TopicPartition(app.input, 0, 1)]
    transaction.begin()
    with pytest.raises(MustAbort, match="no member"):
        transaction.commit(offsets, consumer.consumer_group_metadata())
    transaction.abort()
    consumer.subscribe([app.input])
    wait_until(lambda: consumer.poll(0.1) or consumer.assignment(), "the consumer to join")
    transaction.begin()
    transaction.commit(offsets, consumer.consumer_group_metadata())
    assert app.committed(app.input) == {0: 1}
    consumer.close()


@pytest.mark.soak
def test_er20_er27_a_paused_worker_wakes_after_its_partitions_moved(app: Application) -> None:
    """Its session ends during the pause, the peer takes over; awake, it may neither commit nor keep what it had."""
    short = {"session.timeout.ms": "30000", "transaction.timeout.ms": "30000"}
    one, two = app.worker("one", kafka=short).start(), app.worker("two", kafka=short).start()
    one.wait_ready()
    two.wait_ready()
    with flowing(app, 20):
        time.sleep(1)
        two.sigstop()
        wait_until(lambda: partitions_of(one) == INPUTS + PARTITIONS, "the peer to take over", 90)
        time.sleep(15)  # past the transaction timeout, too
        two.sigcont()
        wait_until(lambda: not two.running or "lost" in two.output, "the paused worker to notice", 60)
        if not two.running:
            assert two.process.returncode == 5
            two.start()
        two.wait_ready()
    app.wait_exact()
