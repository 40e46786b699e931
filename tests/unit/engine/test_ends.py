"""However a worker ends: with a sentence and a code, and not before it has left what it had joined (ER-13, ER-16, ER-28)."""

from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException

from processors.engine import reading
from processors.engine.broker_errors import BrokerErrors
from processors.engine.settings import make_client
from processors.engine.stop import Stop
from processors.engine.transaction import Transaction
from processors.engine.triage import ending
from processors.engine.watchdog import Watchdog
from processors.engine.worker import Worker
from tests.kafka.processes import WorkerProcess
from tests.kafka.summing import Summing
from tests.unit.engine.scripted import TOPICS, Bench, Producer

NOBODY = "127.0.0.1:1"


def test_er28_sigterm_ends_a_worker_that_waits_for_brokers(tmp_path: Path) -> None:
    """With 0: the end by force, some seconds later, has another code."""
    settings = {
        "application": "app",
        "instance": "one",
        "kafka": {"bootstrap.servers": NOBODY},
        "source_topics": {"in": "web"},
        "topics": TOPICS._asdict(),
        "state_path": str(tmp_path / "state"),
        "listen": None,
        "connect_within": 600.0,
    }
    worker = WorkerProcess.of_module("tests.kafka.worker_main", settings, tmp_path, "one").start()
    try:
        worker.wait_said("brokers:")
        assert worker.terminate() == 0, worker.tail()
        assert "stopped before it joined" in worker.output
    finally:
        worker.kill9()


def test_er28_waiting_for_the_coordinator_can_be_stopped() -> None:
    class Unanswered(Producer):
        def init_transactions(self, timeout: float) -> None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no coordinator", retriable=True))

    class Stopped(Exception):
        pass

    beats = [1, 2]

    def beat() -> None:
        if not beats:
            raise Stopped
        beats.pop()

    transaction = Transaction(cast(Any, Unanswered()), Watchdog(), BrokerErrors({}, "app", "app:one"), 30)
    with pytest.raises(Stopped):
        transaction.initialise(600, beat)


def test_er13_an_exception_of_a_client_in_the_loop_leaves_the_group_first(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench()

    def broken(_: object) -> None:
        raise KafkaException(KafkaError(KafkaError._UNKNOWN_PARTITION, "cannot pause"))

    monkeypatch.setattr(bench.consumer, "pause", broken)
    bench.consumer.script.append([bench.consumer.rebalance("on_assign", ("facts", 0))])
    with pytest.raises(Stop, match="cannot pause") as stopped:
        Worker(bench.settings, Summing(), check_configs=False)._work(bench.parts)
    assert stopped.value.code == 5
    assert bench.consumer.closed
    assert bench.producer.calls == ["close"]


def test_er04_the_reason_within_a_fatal_error_is_explained() -> None:
    said = KafkaError(KafkaError.FENCED_INSTANCE_ID).str()
    for text in (f"Fatal error: {said}", "Fatal error: FENCED_INSTANCE_ID: told by a heartbeat"):
        assert "--instance" in ending(KafkaError(KafkaError._FATAL, text, fatal=True), "reading").sentence
    assert "--instance" not in ending(KafkaError(KafkaError._FATAL, "Fatal error: another", fatal=True), "reading").sentence


def test_a_setting_that_librdkafka_does_not_know_is_named() -> None:
    with pytest.raises(Stop, match=r"no\.such\.setting") as refused:
        make_client(Consumer, {"group.id": "x", "no.such.setting": "1"})
    assert refused.value.code == 1
    with pytest.raises(Stop, match=r"no\.such\.setting") as refused:
        list(reading.read_topic({"no.such.setting": "1"}, "app", "topic"))
    assert refused.value.code == 1


def test_brokers_that_vanish_while_a_topic_is_read_are_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_SILENCE", 0.2)
    consumer = Consumer({"bootstrap.servers": NOBODY, "group.id": "x", "log_level": 0})
    try:
        with pytest.raises(Stop, match=r"topic leads .* partitions \[0, 1\] are not through") as stopped:
            list(reading._to_the_end(consumer, BrokerErrors({}), "leads", [0, 1]))
    finally:
        consumer.close()
    assert stopped.value.code == 3
