"""A partition is read from where the group has committed, or from where its log begins: by plain offsets, known beforehand."""

import pytest

from processors.engine.offsets import Bounds
from processors.engine.starts import Start
from processors.engine.stop import Stop
from tests.unit.engine.scripted import Bench, Record

FACTS, INPUT, OTHER = ("facts", 0), ("in", 0), ("in", 1)


def test_partitions_are_assigned_with_their_starts_once_all_are_known() -> None:
    bench = Bench()
    bench.consumer.offsets |= {FACTS: 31, INPUT: 7}
    bench.admin.logs[OTHER] = Bounds(5, 50)
    bench.consumer.unanswered = 2
    bench.run([bench.consumer.rebalance("on_assign", FACTS, INPUT, OTHER)])
    assert bench.consumer.began == {}, "assigned at an offset that nobody knew"
    bench.run([], [], [Record("in", 0, 7, b"a", b"drop")])
    assert bench.consumer.began == {FACTS: 31, INPUT: 7, OTHER: 5}
    assert bench.assignment.ready
    assert not bench.consumer.paused
    assert bench.producer.offsets[INPUT] == 8


@pytest.mark.parametrize(
    ("committed", "log", "offset"),
    [(None, (0, 9), 0), (None, (4, 9), 4), (5, (4, 9), 5), (9, (4, 9), 9), (3, (4, 9), 4), (10, (4, 9), 4)],
    ids=["new", "begins later", "within", "at the end", "deleted unread", "truncated"],
)
def test_a_start_lies_within_the_log(committed: int | None, log: tuple[int, int], offset: int) -> None:
    assert Start(committed, Bounds(*log)).offset == offset


def test_records_that_were_deleted_unread_are_said(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    bench.consumer.offsets[INPUT] = 3
    bench.admin.logs[INPUT] = Bounds(10, 50)
    bench.run([bench.consumer.rebalance("on_assign", INPUT)])
    assert "in partition 0 was read up to offset 3: its records from 3 to 9 were deleted unread" in caplog.text


def test_er25_a_source_that_was_read_into_facts_that_are_gone_is_not_read_on() -> None:
    """State and facts offsets may be gone with them, and nothing else would say that its history is."""
    bench = Bench()
    bench.run([bench.consumer.rebalance("on_assign", INPUT)], [], [Record(*INPUT, 0, b"a", b"1")])
    assert bench.producer.read_into == {INPUT: "facts=facts-1"}
    bench.consumer.read_into[OTHER] = "somebody else's"
    bench.run([bench.consumer.rebalance("on_revoke", INPUT)], [bench.consumer.rebalance("on_assign", INPUT, OTHER)])
    bench.consumer.read_into[INPUT] = "facts=facts-0"
    with pytest.raises(Stop, match="facts was deleted and made anew since in partition 0 was read up to offset 1") as stopped:
        bench.run([bench.consumer.rebalance("on_revoke", INPUT)], [bench.consumer.rebalance("on_assign", INPUT)])
    assert stopped.value.code == 3


def test_a_partition_that_goes_before_it_could_be_assigned_is_forgotten() -> None:
    bench = Bench()
    bench.consumer.unanswered = 1
    bench.run([bench.consumer.rebalance("on_assign", FACTS, INPUT), bench.consumer.rebalance("on_revoke", FACTS, INPUT)])
    assert bench.consumer.began == {}
    assert not bench.assignment.busy
    bench.run([bench.consumer.rebalance("on_assign", INPUT)])
    assert bench.consumer.began == {INPUT: 0}


def test_er22_an_offset_that_is_never_answered_is_named() -> None:
    bench = Bench(restore_patience=0.0)
    bench.consumer.unanswered = 100
    with pytest.raises(Stop, match="facts partition 0: the group's offset was not answered"):
        bench.run([bench.consumer.rebalance("on_assign", FACTS)])


@pytest.mark.parametrize("place", [FACTS, INPUT])
def test_a_consumer_that_goes_back_to_what_is_committed_ends_the_worker(place: tuple[str, int]) -> None:
    """Sources as well: nothing else would notice that their records are taken twice."""
    bench = Bench()
    bench.consumer.offsets[place] = 31
    bench.run([bench.consumer.rebalance("on_assign", place)])
    with pytest.raises(
        Stop, match=f"{place[0]} partition 0: a record at offset 0 came, but it was read up to offset 31"
    ) as stopped:
        bench.run([Record(*place, 0, b"a", b"1")])
    assert stopped.value.code == 5
    assert bench.producer.calls == []
