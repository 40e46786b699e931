"""Partitions that are far behind advance side by side, and nothing ever waits for good."""

from typing import Any, cast

import pytest

from processors.engine import merge as module
from processors.engine.lanes import Lane, Place
from processors.engine.merge import Merge
from tests.unit.engine.scripted import Record


class Timed(Record):
    """A record with a Kafka time in milliseconds."""

    def __init__(self, partition: int, offset: int, at: int, topic: str = "in") -> None:
        super().__init__(topic, partition, offset, b"", b"v")
        self.at = at

    def timestamp(self) -> tuple[int, int]:
        return 1, self.at


def lanes(partitions: int = 2) -> dict[Place, Lane]:
    found = {("in", number): Lane("in", number, "web") for number in range(partitions)}
    return found | {("facts", 0): Lane("facts", 0, "")}


def records(partition: int, *times: int, first: int = 0) -> list[Any]:
    return [Timed(partition, first + index, at) for index, at in enumerate(times)]


def taken(found: Any) -> list[tuple[int, int]]:
    return [(record.partition(), record.at) for _, records in found for record in records]


def test_what_lies_ahead_waits_for_the_others() -> None:
    merge = Merge(lanes(), 100, 100)
    assert taken(merge.arrange(records(0, 1, 5, 9), 100)) == []
    assert taken(merge.arrange(records(1, 2, 6), 100)) == [(0, 1), (0, 5), (1, 2), (1, 6)]
    assert merge.holds
    assert taken(merge.arrange(records(1, 12, first=2), 100)) == [(0, 9)]
    assert taken(merge.rest(100)) == [(1, 12)]
    assert not merge.holds


def test_once_nothing_more_is_there_nobody_is_waited_for() -> None:
    """As in live traffic: the next record of a partition is taken at once."""
    merge = Merge(lanes(), 100, 100)
    merge.rest(100)
    assert taken(merge.arrange(records(0, 7), 100)) == [(0, 7)]
    assert taken(merge.arrange(records(1, 3), 100)) == [(1, 3)]


def test_the_order_of_a_partition_is_kept_whatever_its_times() -> None:
    merge = Merge(lanes(), 100, 100)
    merge.arrange(records(0, 9, 1, 20), 100)
    first = taken(merge.arrange(records(1, 8), 100))
    assert first == [(1, 8)]
    assert taken(merge.arrange(records(1, 15, first=1), 100)) == [(0, 9), (0, 1), (1, 15)]


def test_facts_pass_and_strangers_go() -> None:
    merge = Merge(lanes(), 100, 100)
    facts, stranger = [cast(Any, Timed(0, 0, 99, topic="facts"))], [cast(Any, Timed(7, 0, 99))]
    assert taken(merge.arrange([*records(0, 50), *facts, *stranger], 100)) == [(0, 99)]


@pytest.mark.parametrize(("most_records", "most_bytes"), [(3, 100), (100, 3)])
def test_a_partition_that_delivers_nothing_holds_up_a_bounded_amount(most_records: int, most_bytes: int) -> None:
    merge = Merge(lanes(), most_records, most_bytes)
    assert taken(merge.arrange(records(0, 1, 2, 3), 100)) == []
    assert taken(merge.arrange(records(0, 4, first=3), 100)) == [(0, 1)], "the earliest goes on"
    assert taken(merge.arrange(records(0, 5, 6, first=4), 100)) == [(0, 2), (0, 3)]
    assert taken(merge.arrange(records(1, 4), 100)) == [(0, 4), (1, 4)], "and it is still expected"


def test_nothing_waits_longer_than_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """A partition that is days behind must not hold up live traffic."""
    merge = Merge(lanes(), 100, 100)
    merge.arrange([*records(0, 1_000), *records(1, 5)], 100)
    assert merge.holds
    monkeypatch.setattr(module, "_LONGEST", 0.0)
    assert taken(merge.arrange(records(1, 6, first=1), 100)) == [(0, 1_000), (1, 6)]


def test_what_the_worker_works_between_two_looks_is_no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a slow worker would take whatever came first, and make late what others had delivered meanwhile."""
    clock = iter(range(0, 1_000, 10))  # ten seconds from look to look
    monkeypatch.setattr("processors.engine.merge.time.monotonic", lambda: next(clock))
    merge = Merge(lanes(), 100, 100)
    merge.arrange([*records(0, 1_000), *records(1, 5)], 100)
    found = [taken(merge.arrange(records(1, 5 + offset, first=offset), 100)) for offset in range(1, 30)]
    assert (0, 1_000) not in [record for looks in found[:18] for record in looks], "a second is twenty looks"
    assert (0, 1_000) in [record for looks in found for record in looks]


def test_what_waits_is_read_again_when_its_transaction_is_aborted() -> None:
    flowing = lanes()
    merge = Merge(flowing, 100, 100)
    merge.arrange([*records(0, 1, 9), *records(1, 5)], 100)
    lane = flowing["in", 0]
    lane.start = 0  # the record that was taken
    lane.settle(committed=False)
    assert not merge.holds


def test_what_waits_of_a_partition_that_is_left_alone_comes_before_what_follows() -> None:
    """KIP-848 takes single partitions away: the rest of the lanes stay, with what waits of them (ER-2)."""
    flowing = lanes()
    merge = Merge(flowing, 100, 100)
    merge.arrange([*records(0, 1, 9), *records(1, 5)], 100)
    del flowing["in", 1]
    assert taken(merge.arrange(records(0, 12, first=2), 100)) == [(0, 9), (0, 12)]


def test_a_partition_alone_waits_for_nobody() -> None:
    merge = Merge(lanes(partitions=1), 100, 100)
    assert taken(merge.arrange(records(0, 3, 1), 100)) == [(0, 3), (0, 1)]


def test_no_more_is_taken_than_there_is_room_for_and_of_that_the_earliest() -> None:
    merge = Merge(lanes(), 100, 100)
    assert taken(merge.arrange([*records(0, 1, 4, 6), *records(1, 2, 3, 8)], 4)) == [(0, 1), (0, 4), (1, 2), (1, 3)]
    assert taken(merge.arrange([], 1)) == [(0, 6)]
    assert taken(merge.rest(0)) == []
    assert taken(merge.rest(1)) == [(1, 8)]
    assert not merge.holds


def test_facts_take_room_as_well() -> None:
    merge = Merge(lanes(), 100, 100)
    facts = [cast(Any, Timed(0, offset, 99, topic="facts")) for offset in range(2)]
    assert taken(merge.arrange([*records(0, 1, 2), *records(1, 3), *facts], 3)) == [(0, 99), (0, 99), (0, 1)]


def test_records_of_one_time_find_room_in_turn() -> None:
    """A batch that was stamped at once: no time lies between its records, and yet each transaction takes some of them."""
    merge = Merge(lanes(), 100, 100)
    assert len(taken(merge.arrange([*records(0, 7, 7, 7), *records(1, 7, 7)], 2))) == 2
    assert len(taken(merge.rest(2))) == 2
    assert len(taken(merge.rest(2))) == 1


def test_who_lies_behind_a_later_record_never_stops_what_waits() -> None:
    """Times go back within a partition: an earlier one behind a later one is taken after it, and something is always taken."""
    merge = Merge(lanes(), 2, 100)
    merge.arrange(records(0, 9), 1)
    merge.arrange([*records(0, 1, first=1)], 0)
    found = [taken(merge.arrange(records(1, 5), 1))]
    found += [taken(merge.rest(1)) for _ in range(2)]
    assert found == [[(1, 5)], [(0, 9)], [(0, 1)]]


def test_room_lets_nobody_take_what_still_waits_for_others() -> None:
    """A later record with an earlier one behind it goes with that one, and raises the level for nothing else."""
    merge = Merge(lanes(), 100, 100)
    merge.arrange(records(0, 5, 100, 6), 0)
    found = merge.arrange([*records(0, 50, first=3), *records(1, 7, 8, 10)], 5)
    assert taken(found) == [(0, 5), (0, 100), (0, 6), (1, 7), (1, 8)]


def test_a_later_record_that_was_taken_holds_nobody_back() -> None:
    """One wrong clock: those behind it count by their own times once it has gone."""
    merge = Merge(lanes(), 100, 100)
    merge.arrange(records(0, 1_000, 5, 6, 20), 0)
    assert taken(merge.rest(1)) == [(0, 1_000)]
    assert taken(merge.arrange(records(1, 8, 10), 100)) == [(0, 5), (0, 6), (1, 8), (1, 10)]
