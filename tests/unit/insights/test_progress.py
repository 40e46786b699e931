"""How far the topics are read: nothing is taken twice, a gap is noticed, and ready means all that was there at the start."""

import pytest
from faust.types import TP

from processors.engine.stop import Stop
from processors.insights.committed import Batch, EveryPartition, Record
from processors.insights.progress import Progress
from schemas.instants import MILLISECOND, SECOND

ONE, TWO = TP("metrics", 0), TP("metrics", 1)
NOW = 1_000_000 * SECOND


def batch(place: TP, read_from: int | None, offsets: list[int], read_to: int) -> Batch:
    return Batch(place, read_from, tuple(Record(offset, b"k", b"v", 10 + offset) for offset in offsets), read_to)


def test_ready_is_who_has_read_what_was_there_at_the_start() -> None:
    """Markers and aborted records at the end are offsets, too; what comes later does not make it wait."""
    progress = Progress()
    assert progress.status()[:4] == (False, None, 0, 0)
    progress.answered({ONE: 10, TWO: 0}, progress.taken, NOW)
    progress.take(batch(ONE, None, [3, 4], 6))
    status = progress.status()
    assert (status.ready, status.behind, status.wanted, status.reached) == (False, 4, 7, 3)
    assert status.as_of == 14 * MILLISECOND, "the other partition is empty: it does not hold anything back"
    progress.take(batch(ONE, 6, [], 10))
    assert progress.status().ready
    assert progress.status().as_of == NOW, "everything committed is in"
    progress.answered({ONE: 15, TWO: 0}, progress.taken, NOW + SECOND)
    status = progress.status()
    assert (status.ready, status.behind, status.as_of) == (True, 5, NOW), "what is missing came after that"


def test_the_numbers_are_as_of_the_partition_that_is_furthest_behind() -> None:
    """A partition that has run ahead says nothing of the others, and one without a record yet says nothing at all."""
    progress = Progress()
    progress.take(batch(ONE, None, [900], 901))
    assert progress.status().as_of is None, "nobody knows yet which partitions there are"
    progress.answered({ONE: 2_000, TWO: 100}, progress.taken, NOW)
    assert progress.status().as_of is None, "of the other one nothing is read"
    progress.take(batch(TWO, None, [3, 40], 41))
    assert progress.status().as_of == 50 * MILLISECOND
    progress.take(batch(TWO, 41, [], 100))
    assert progress.status().as_of == 910 * MILLISECOND, "read to its end it is complete until that was asked for"
    progress.take(batch(ONE, 901, [1_999], 2_000))
    assert progress.status().as_of == NOW


def test_as_of_never_goes_back() -> None:
    """Records that are there but not read are newer than when nothing was missing; while Kafka is away nothing is added."""
    progress = Progress()
    seen = []
    progress.answered({ONE: 5, TWO: 5}, progress.taken, NOW)
    for place in (ONE, TWO):
        progress.take(batch(place, None, [1, 2], 5))
    seen.append(progress.status().as_of)
    progress.answered({ONE: 9, TWO: 5}, progress.taken, NOW + SECOND)
    progress.take(batch(ONE, 5, [6], 7))
    seen.append(progress.status().as_of)
    progress.silent(NOW + 2 * SECOND)
    seen.append(progress.status().as_of)
    progress.answered({ONE: 9, TWO: 8}, progress.taken, NOW + 3 * SECOND)
    progress.take(batch(ONE, 7, [8], 9))
    seen.append(progress.status().as_of)
    progress.take(batch(TWO, 5, [], 8))
    seen.append(progress.status().as_of)
    assert seen == [NOW, NOW, NOW, NOW + SECOND, NOW + 3 * SECOND]


def test_what_is_read_again_after_a_rebalance_is_taken_once() -> None:
    progress = Progress()
    progress.take(batch(ONE, None, [0, 1, 2], 5))
    again = progress.missing(batch(ONE, 1, [1, 2, 5, 6], 7))
    assert again is not None
    assert [record.offset for record in again.records] == [5, 6]
    progress.take(again)
    assert progress.taken == {ONE: 7}
    assert progress.missing(batch(ONE, None, [0, 1], 2)) == batch(ONE, None, [], 2)
    progress.take(batch(ONE, None, [], 2))
    assert progress.taken == {ONE: 7}


def test_a_batch_behind_a_gap_is_not_taken() -> None:
    """Faust drops what was fetched when the group's generation changes meanwhile; it is read again, and this batch with it."""
    progress = Progress()
    progress.take(batch(ONE, None, [0], 3))
    assert progress.missing(batch(ONE, 8, [8], 9)) is None
    assert progress.taken == {ONE: 3}
    assert progress.missing(batch(ONE, 3, [4, 8], 9)) == batch(ONE, 3, [4, 8], 9)


def test_a_topic_that_ends_before_what_was_read_is_another_one() -> None:
    progress = Progress()
    progress.take(batch(ONE, None, [0], 3))
    with pytest.raises(Stop, match="made anew"):
        progress.answered({ONE: 2}, progress.taken, NOW)


def test_what_was_read_while_it_was_asked_is_no_other_topic() -> None:
    progress = Progress()
    progress.take(batch(ONE, None, [0], 3))
    asked = dict(progress.taken)
    progress.take(batch(ONE, 3, [5], 7))
    progress.answered({ONE: 5}, asked, NOW)
    assert progress.status().behind == 0


def test_silence_is_told_once_and_its_end_too() -> None:
    progress = Progress()
    assert not progress.answered({}, progress.taken, NOW)
    assert [progress.silent(NOW), progress.silent(NOW + SECOND)] == [True, False]
    assert progress.status().silent_since == NOW
    assert progress.answered({}, progress.taken, NOW + 2 * SECOND)
    assert progress.status().silent_since is None


def test_every_member_of_the_group_gets_every_partition() -> None:
    class Cluster:
        def partitions_for_topic(self, topic: str) -> set[int] | None:
            return {"metrics": {0, 2, 1}}.get(topic)

    members = {name: EveryPartition.metadata(["metrics", "leads"]) for name in ("a", "b")}
    assigned = EveryPartition.assign(Cluster(), members)
    assert [assignment.assignment for assignment in assigned.values()] == [[("leads", []), ("metrics", [0, 1, 2])]] * 2
