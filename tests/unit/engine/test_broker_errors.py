"""What is a refusal and what an outage: only the first ends a worker before its time, and only at the start (ER-16)."""

import pytest
from confluent_kafka import KafkaError

from processors.engine import broker_errors
from processors.engine.broker_errors import BrokerErrors
from processors.engine.stop import Stop
from processors.engine.worker import Worker
from tests.kafka.summing import Summing
from tests.unit.engine.scripted import Bench

DOWN = KafkaError(KafkaError._ALL_BROKERS_DOWN, "1/1 brokers are down")
REFUSED = KafkaError(KafkaError._TRANSPORT, "b:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused")
RESET = KafkaError(KafkaError._SSL, "ssl://b:1/1: SSL handshake failed: SSL transport error: Connection reset by peer")
CLOSED = KafkaError(
    KafkaError._TRANSPORT, "ssl://b:1/1: SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener?"
)
PASSWORD = KafkaError(KafkaError._AUTHENTICATION, "sasl_ssl://b:1/1: SASL authentication error: invalid credentials")
UNTRUSTED = KafkaError(KafkaError._SSL, "ssl:///1: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed")
LONG = 10.0
"""Seconds; longer than an uncertain refusal must be heard alone."""


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(broker_errors, "time", found)
    return found


@pytest.mark.parametrize(
    ("heard", "refused"),
    [
        ([], False),
        ([REFUSED, DOWN, REFUSED, REFUSED], False),
        ([RESET, DOWN, RESET], False),
        ([DOWN], True),
        ([DOWN, REFUSED], False),
        ([REFUSED, DOWN], False),
        ([CLOSED, DOWN, CLOSED], True),
        ([CLOSED, REFUSED], False),
        ([PASSWORD, DOWN, REFUSED], True),
        ([REFUSED, UNTRUSTED, RESET, CLOSED], True),
    ],
)
def test_what_is_heard_for_long_is_a_refusal_if_waiting_cannot_mend_it(
    clock: Clock, heard: list[KafkaError], refused: bool
) -> None:
    errors = BrokerErrors({})
    for error in heard:
        clock.now += LONG
        errors(error)
    clock.now += LONG
    assert errors.refused() is refused


def test_what_may_be_a_broker_that_starts_counts_only_after_some_seconds(clock: Clock) -> None:
    errors = BrokerErrors({})
    for error in (REFUSED, CLOSED):
        errors(error)
        assert not errors.refused()
    clock.now += LONG
    errors(CLOSED)
    assert errors.refused()
    errors.reached()
    assert not errors.refused()
    errors(PASSWORD)
    assert errors.refused(), "certain at once"


def test_a_running_worker_is_ended_by_a_refusal_only_without_an_assignment(clock: Clock) -> None:
    """Its session ended because it was refused when it connected anew: nothing but a restart reads another secret."""
    bench = Bench()
    errors, consumer = bench.parts.errors, bench.consumer
    joined = [consumer.rebalance("on_assign", ("in", 0))]
    lost = [consumer.rebalance("on_lost", ("in", 0))]
    heard: list[int] = []

    def hear(*found: KafkaError) -> list[object]:
        def say() -> None:
            clock.now += LONG
            heard.append(len(bench.lanes))
            for error in found:
                errors(error)

        return [say]

    consumer.script.extend(
        [joined, hear(PASSWORD), hear(), hear(CLOSED), lost, hear(CLOSED), hear(REFUSED), hear(), hear(UNTRUSTED)]
    )
    with pytest.raises(Stop, match="certificate verify failed") as stopped:
        Worker(bench.settings, Summing())._work(bench.parts)
    assert stopped.value.code == 3
    assert consumer.script == type(consumer.script)()
    assert heard[0] > 0
    assert consumer.closed
