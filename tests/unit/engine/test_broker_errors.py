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
CLOSED_SILENTLY = "b:1/bootstrap: Disconnected: connection closed by peer: receive 0 after POLLIN (after 1ms in state UP)"
"""Said in the log only."""
IN_TLS = "ssl://b:1/bootstrap: Disconnected: SSL connection closed by peer (after 2ms in state SSL_HANDSHAKE)"
REFUSED = KafkaError(KafkaError._TRANSPORT, "b:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused")
RESET = KafkaError(KafkaError._SSL, "ssl://b:1/1: SSL handshake failed: SSL transport error: Connection reset by peer")
CLOSED = KafkaError(
    KafkaError._TRANSPORT, "ssl://b:1/1: SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener?"
)
PASSWORD = KafkaError(KafkaError._AUTHENTICATION, "sasl_ssl://b:1/1: SASL authentication error: invalid credentials")
UNTRUSTED = KafkaError(KafkaError._SSL, "ssl:///1: SSL handshake failed: error:0A000086:SSL routines::certificate verify failed")
LONG = 10.0
"""Seconds; longer than an uncertain refusal must be heard alone."""


def hear(errors: BrokerErrors, said: KafkaError | str) -> None:
    """As confluent-kafka calls back: every failure is a line of the log, most are errors too."""
    if isinstance(said, KafkaError):
        errors(said)
    if said is not DOWN:
        line = said if isinstance(said, str) else said.str()
        errors.log(3, "%s [%s] %s", "FAIL", "rdkafka#producer-1", f"[thrd:b:1/bootstrap]: {line}")


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
        ([DOWN], False),
        ([CLOSED_SILENTLY, DOWN], True),
        ([REFUSED, DOWN, CLOSED_SILENTLY], True),
        ([CLOSED_SILENTLY, REFUSED], False),
        ([REFUSED, DOWN], False),
        ([CLOSED, DOWN, CLOSED, IN_TLS], True),
        ([CLOSED, REFUSED], False),
        ([PASSWORD, DOWN, REFUSED], True),
        ([REFUSED, UNTRUSTED, RESET, CLOSED], True),
    ],
)
def test_what_is_heard_for_long_is_a_refusal_if_waiting_cannot_mend_it(
    clock: Clock, heard: list[KafkaError | str], refused: bool
) -> None:
    errors = BrokerErrors({})
    for said in heard:
        clock.now += LONG
        hear(errors, said)
    clock.now += LONG
    assert errors.refused() is refused


def test_what_may_be_a_broker_that_starts_counts_only_after_some_seconds(clock: Clock) -> None:
    errors = BrokerErrors({})
    for error in (REFUSED, CLOSED, IN_TLS):
        hear(errors, error)
        assert not errors.refused()
    clock.now += LONG
    hear(errors, CLOSED)
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

    def saying(*found: KafkaError) -> list[object]:
        def say() -> None:
            clock.now += LONG
            heard.append(len(bench.lanes))
            for error in found:
                hear(errors, error)

        return [say]

    consumer.script.extend(
        [joined, saying(PASSWORD), saying(), saying(CLOSED), lost, saying(CLOSED), saying(REFUSED), saying(), saying(UNTRUSTED)]
    )
    with pytest.raises(Stop, match="certificate verify failed") as stopped:
        Worker(bench.settings, Summing(), check_configs=False)._work(bench.parts)
    assert stopped.value.code == 3
    assert consumer.script == type(consumer.script)()
    assert heard[0] > 0
    assert consumer.closed
