"""What a worker says of its source partitions, and by whose clock: never more than it has taken, never what is not committed."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from confluent_kafka import KafkaError

from processors.engine.frontier import BrokersClock, Frontier
from processors.engine.offsets import Bounds
from processors.sources.statement import SourceRecord
from processors.topology.effects import Effects, FactsRecord, Publish, Rows
from schemas.facts import Watermark
from tests.kafka.summing import Summing
from tests.unit.engine.scripted import Bench, Record

INPUT, OTHER, FACTS = ("in", 0), ("in", 1), ("facts", 0)
SECOND = 1_000_000
KAFKA_TIME = 1_700_000_000 * SECOND
"""Of every scripted record, and of every delivery report."""


class Armed(Summing):
    """Timers are armed; a fact's event time is the number that it carries, in seconds before Kafka's time."""

    timed = True

    def ingest(self, record: SourceRecord) -> Effects:
        effects = Effects()
        at = KAFKA_TIME - int(record.value or b"0") * SECOND
        effects.published.append(Publish("facts", b"key", b"{}", [], at))
        return effects

    def advance(self, record: FactsRecord, rows: Rows) -> Effects:
        effects = Effects()
        effects.published.append(Publish("facts", None, b"next", [], partition=record.partition))
        return effects


def told(bench: Bench) -> list[Watermark]:
    return [
        msgspec.msgpack.decode(value, type=Watermark)
        for topic, _, value in bench.producer.committed
        if topic == "facts" and value not in (b"{}", b"next")
    ]


@pytest.fixture
def bench() -> Bench:
    """A worker that owns a source partition of a log that ends at 7, and is committed there."""
    made = Bench(topology=Armed(), tell_every=0.0)
    made.admin.logs[INPUT] = Bounds(0, 7)
    made.consumer.offsets[INPUT] = 7
    return made


# The brokers' clock.


def test_the_clock_goes_on_from_what_the_brokers_said_and_the_slowest_of_them_counts() -> None:
    monotonic = [100.0]
    clock = BrokersClock(lambda: monotonic[0])
    assert clock.now() == 0
    clock.hear(0, KAFKA_TIME)
    monotonic[0] += 5
    assert clock.now() == KAFKA_TIME + 5 * SECOND
    clock.hear(1, KAFKA_TIME - 3 * SECOND)
    assert clock.now() == KAFKA_TIME - 3 * SECOND
    clock.hear(1, KAFKA_TIME + 6 * SECOND)
    assert clock.now() == KAFKA_TIME + 5 * SECOND


# How far one partition is read.


def test_a_partition_is_caught_up_as_of_the_question_whose_end_it_has_reached() -> None:
    frontier = Frontier()
    frontier.newest = 50
    frontier.ask()
    assert not frontier.reached(7), "nobody has answered"
    frontier.ends(7, 90)
    assert not frontier.reached(6)
    assert frontier.watermark(100) == 50
    assert frontier.reached(7)
    assert frontier.watermark(100) == 90
    frontier.newest = 95
    assert frontier.watermark(100) == 95, "what came since is read as well"
    assert frontier.watermark(93) == 93, "later than the brokers' clock"


def test_what_an_abort_takes_back_is_not_said() -> None:
    frontier = Frontier()
    frontier.ends(7, 90)
    frontier.newest = frontier.telling = 50
    frontier.settle(committed=True)
    frontier.newest = 80
    assert frontier.reached(7)
    frontier.telling = 90
    frontier.settle(committed=False)
    assert (frontier.watermark(100), frontier.telling, frontier.told) == (50, 50, 50)


# The worker.


def test_nothing_is_said_where_no_timer_is_armed() -> None:
    bench = Bench(tell_every=0.0)
    bench.run([bench.consumer.rebalance("on_assign", INPUT)], [], [], [])
    assert bench.producer.calls == []


def test_er08_an_idle_worker_says_the_brokers_time_with_the_offsets_of_its_partitions(bench: Bench) -> None:
    """The first watermark is of no instant yet: its delivery report brings the time."""
    bench.run([bench.consumer.rebalance("on_assign", INPUT)], [], [], [])
    first, second, *_ = [each.at for each in told(bench)[::2]]
    assert first == 0
    assert 0 <= second - KAFKA_TIME < 60 * SECOND
    assert {each.source for each in told(bench)} == {INPUT}
    assert {each.sources for each in told(bench)} == {(INPUT, OTHER)}
    assert {place for place in bench.producer.addressed if place[0] == "facts"} == {("facts", 0), ("facts", 1)}
    assert bench.producer.offsets == {INPUT: 7}


def test_a_partition_that_nobody_knew_at_the_start_is_among_those_waited_for(bench: Bench) -> None:
    bench.run([bench.consumer.rebalance("on_assign", ("in", 2))], [])
    assert {each.sources for each in told(bench)} == {(INPUT, OTHER, ("in", 2))}


def test_a_watermark_comes_behind_the_facts_that_it_covers(bench: Bench) -> None:
    """Of a partition that is behind: its newest event, however its records are ordered, and no event of the future."""
    bench.admin.logs[INPUT] = Bounds(0, 1_000)
    bench.run([bench.consumer.rebalance("on_assign", INPUT)], [])
    _expect_in_time(bench, lambda: bench.run([Record("in", 0, 7, b"a", b"60"), Record("in", 0, 8, b"a", b"-90")], [], []))
    values = [value for topic, _, value in bench.producer.committed if topic == "facts"]
    last_fact = max(index for index, value in enumerate(values) if value == b"{}")
    said = [index for index, value in enumerate(values) if value != b"{}" and _at(value) == KAFKA_TIME]
    assert said, "the newest event was not said"
    assert min(said) > last_fact
    assert bench.producer.offsets == {INPUT: 9}


def test_what_waits_for_other_partitions_is_not_taken(bench: Bench) -> None:
    """The consumer has passed it; a watermark must not."""
    bench.admin.logs[INPUT] = Bounds(0, 8)
    bench.run([bench.consumer.rebalance("on_assign", INPUT)], [])
    lane = bench.lanes[INPUT]
    lane.waiting.add([Record("in", 0, 7, b"a", b"60")], 0.0)  # type: ignore[list-item]
    bench.consumer.positions[INPUT] = 8
    bench.loop._tell()
    assert {each.at for each in told(bench)} == {0}
    assert not bench.producer.open
    lane.waiting.clear()
    bench.loop._tell()
    assert bench.producer.open, "nothing waits any more, and everything is taken"


def test_a_watermark_of_an_aborted_transaction_is_said_again(bench: Bench) -> None:
    bench.producer.failures["commit"] = [KafkaError(KafkaError._INCONSISTENT, "never", txn_requires_abort=True)]
    bench.run([bench.consumer.rebalance("on_assign", INPUT)], [], [])
    assert bench.producer.calls.count("abort") == 1
    assert bench.consumer.sought == [], "nothing was taken, so nothing is read again"
    assert [each.at for each in told(bench)[:2]] == [0, 0]


def test_er07_a_member_without_a_generation_says_nothing(bench: Bench) -> None:
    bench.consumer.generation = -1
    bench.run([bench.consumer.rebalance("on_assign", INPUT)], [])
    assert told(bench) == []


def test_er19_nothing_is_said_while_partitions_go(bench: Bench) -> None:
    """Within that call records may be on their way that nobody has taken."""
    bench.run([bench.consumer.rebalance("on_assign", INPUT)], [])
    before = len(told(bench))
    bench.run([bench.consumer.rebalance("on_revoke", INPUT)], [], [])
    assert len(told(bench)) == before


def test_a_message_to_a_partition_of_facts_goes_there(bench: Bench) -> None:
    """`Continue` has no key: a partition writes it to itself."""
    bench.run([bench.consumer.rebalance("on_assign", ("facts", 1))], [Record("facts", 1, 0, b"a", b"x")])
    assert [place for place in bench.producer.addressed if place[0] == "facts"] == [("facts", 1)]


def _at(value: bytes) -> int:
    return msgspec.msgpack.decode(value, type=Watermark).at


def _expect_in_time(bench: Bench, act: Callable[[], Any]) -> None:
    """A round that waits for what is not there ends by its patience."""
    patience = pytest.MonkeyPatch()
    patience.setattr("processors.engine.watermarks._PATIENCE", -1.0)
    try:
        act()
    finally:
        patience.undo()
