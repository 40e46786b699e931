"""What the loop does when partitions go in the middle of a batch, and when a commit does not simply work."""

import json

import pytest
from confluent_kafka import KafkaError

from processors.engine.mark import KEY, Mark, decode
from processors.engine.stop import Stop
from tests.kafka.summing import DEFINITIONS
from tests.unit.engine.scripted import Bench, Record

FACTS, INPUT = ("facts", 0), ("in", 0)
ALL = (FACTS, ("facts", 1), INPUT)


def fact(offset: int, value: int | str = 1, partition: int = 0, milliseconds: int = 7) -> Record:
    body = json.dumps({"key": "a", "value": str(value)}).encode()
    return Record("facts", partition, offset, b"a", body, milliseconds)


def steps(bench: Bench) -> list[int]:
    return [json.loads(value)["count"] for topic, _, value in bench.producer.committed if topic == "transitions"]


@pytest.fixture
def bench() -> Bench:
    made = Bench()
    made.run([made.consumer.rebalance("on_assign", *ALL)])
    assert made.assignment.ready
    assert not made.consumer.paused
    return made


def test_a_batch_is_one_transaction_and_the_store_follows_it(bench: Bench) -> None:
    bench.run([fact(0), fact(1)], [fact(2)])
    assert steps(bench) == [1, 2, 3]
    assert bench.producer.calls == ["begin", "send_offsets", "commit"]
    assert bench.producer.offsets == {FACTS: 3}
    store = bench.storehouse.store
    assert json.loads(store.get(0, b"sum:a") or b"") == [3, 3]
    assert json.loads(store.get(0, b"!mark") or b"")["facts"] == 3
    position = store.position(0)
    assert position is not None
    assert position.offset == 11


def test_the_mark_says_which_versions_wrote_the_rows_and_how_far_time_has_come(bench: Bench) -> None:
    """The furthest that it ever came, whatever came late, and whoever owned the partition before."""

    def mark() -> Mark:
        return decode(bench.storehouse.store.get(0, KEY) or b"")

    bench.run([fact(0, milliseconds=5), fact(1, milliseconds=9), fact(2, milliseconds=8)])
    assert mark() == Mark(3, DEFINITIONS.digest, 2, 9_000, DEFINITIONS.rows, DEFINITIONS.versions, "facts-1")
    bench.run([bench.consumer.rebalance("on_revoke", *ALL)], [bench.consumer.rebalance("on_assign", *ALL)])
    bench.run([fact(3, milliseconds=2)])
    assert (mark().facts, mark().reached) == (4, 9_000)


def test_er19_partitions_revoked_within_a_batch_are_committed_and_their_later_records_dropped(bench: Bench) -> None:
    bench.run([fact(0)], [fact(1), bench.consumer.rebalance("on_revoke", *ALL), fact(2)])
    assert steps(bench) == [1]
    assert bench.producer.offsets == {FACTS: 1}
    assert bench.lanes == {}
    assert bench.consumer.assigned == []


def test_er20_lost_partitions_are_aborted_never_committed(bench: Bench) -> None:
    bench.run([fact(0)], [bench.consumer.rebalance("on_lost", *ALL)])
    assert bench.producer.calls == ["begin", "abort"]
    assert bench.producer.committed == []
    assert bench.storehouse.store.get(0, b"sum:a") is None
    assert bench.consumer.sought == [], "who does not own a partition does not seek in it"


def test_er21_records_of_a_former_assignment_of_the_same_partition_are_dropped(bench: Bench) -> None:
    """Revoked and assigned again within one call: they will come again, from the committed offset."""
    again = [bench.consumer.rebalance("on_revoke", *ALL), bench.consumer.rebalance("on_assign", *ALL)]
    bench.run([fact(0)], [fact(1), *again, fact(2)], [fact(1)], [fact(2)])
    assert steps(bench) == [1, 2, 3]
    assert bench.producer.offsets == {FACTS: 3}


@pytest.mark.parametrize("call", ["send_offsets", "commit"])
def test_er09_er13_an_abortable_error_drops_the_overlay_and_reads_again(bench: Bench, call: str) -> None:
    bench.run([fact(0)])
    bench.producer.failures[call] = [KafkaError(KafkaError._INCONSISTENT, "not delivered", txn_requires_abort=True)]
    bench.run([fact(1), fact(2)], [], [fact(1), fact(2)])
    assert bench.consumer.sought == [("facts", 0, 1)]
    assert steps(bench) == [1, 2, 3]
    assert bench.producer.calls.count("abort") == 1
    assert json.loads(bench.storehouse.store.get(0, b"sum:a") or b"") == [3, 3]


def test_er13_produce_that_fails_reads_the_rest_of_the_batch_again_too(bench: Bench) -> None:
    bench.producer.failures["produce"] = [KafkaError(KafkaError._STATE, "the transaction is in an error state")]
    dropped, other = Record("in", 0, 4, b"b", b"drop"), fact(7, partition=1)
    bench.run([dropped], [fact(0), other], [], [dropped], [fact(0), other])
    assert sorted(bench.consumer.sought) == [("facts", 0, 0), ("facts", 1, 7), ("in", 0, 4)]
    assert steps(bench) == [1, 1]
    assert bench.producer.offsets == {FACTS: 1, ("facts", 1): 8, INPUT: 5}


def test_er14_an_undecided_commit_is_asked_again_and_not_aborted(bench: Bench) -> None:
    bench.producer.failures["commit"] = [KafkaError(KafkaError._TIMED_OUT, "undecided", retriable=True)] * 2
    bench.run([fact(0)])
    assert bench.producer.calls == ["begin", "send_offsets", "commit", "commit", "commit"]
    assert steps(bench) == [1]


def test_er04_a_fenced_worker_ends_saying_by_what(bench: Bench) -> None:
    bench.producer.failures["commit"] = [KafkaError(KafkaError._FENCED, "fenced", fatal=True)]
    with pytest.raises(Stop, match="--instance") as stopped:
        bench.run([fact(0)])
    assert stopped.value.code == 5
    assert bench.storehouse.store.get(0, b"sum:a") is None


def test_er07_a_member_without_a_generation_commits_nothing(bench: Bench) -> None:
    bench.consumer.generation = -1
    bench.run([fact(0)])
    assert bench.producer.calls == ["begin", "abort"]
    assert bench.consumer.sought == [("facts", 0, 0)]


def test_er18_aborts_in_a_row_end_the_worker(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("processors.engine.loop._LONGEST_BACKOFF", 0.0)
    bench.producer.failures["commit"] = [KafkaError(KafkaError._INCONSISTENT, "never", txn_requires_abort=True)] * 20
    with pytest.raises(Stop, match="8 transactions in a row") as stopped:
        bench.run(*[[fact(0)], []] * 20)
    assert stopped.value.code == 5


def test_er25_facts_before_what_the_rows_reach_are_not_counted_again(bench: Bench) -> None:
    """The group's offsets were reset after the rows were checked against them, while the partition was still paused."""
    bench.lanes[FACTS].next = 5
    with pytest.raises(Stop, match="counted twice") as stopped:
        bench.run([fact(4)])
    assert stopped.value.code == 5
    assert bench.producer.calls == []


def test_a_row_of_the_engine_from_the_topology_is_a_bug(bench: Bench) -> None:
    overlay = bench.lanes[FACTS].overlay
    assert overlay is not None
    overlay.put({b"!mine": b"1"})
    with pytest.raises(Stop) as stopped:
        bench.run([fact(0)])
    assert stopped.value.code == 4
