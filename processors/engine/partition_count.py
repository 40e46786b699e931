"""Whether the state was written with as many partitions as the topics have, found out before anything is joined (ER-3).

A restore would say so too, but per partition and only there: a new one has no state to contradict it, so a worker that owns only
such would go on and begin every lead anew. One mark of any partition tells, and every transaction leaves one at its end.
"""

import time
from collections.abc import Callable
from contextlib import suppress

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from processors.engine import mark
from processors.engine.stop import ENVIRONMENT, Stop
from processors.engine.triage import Verdict, ending, error_of, triage

_TIMEOUT = 10.0
_REFRESH = 2.0
_PAUSE = 0.2
_UNANSWERED = object()
_TAIL = 200
"""Offsets looked at first; rows of an aborted transaction may lie behind the last mark, so it goes back by the square of that."""


def check_partition_count(reader: Consumer, changelog: str, partitions: int, within: float, beat: Callable[[], None]) -> None:
    """Refuse state that was written with another partition count.

    Args:
        reader: Of uncommitted records, so that an open transaction does not hide the marks; is closed.
        changelog: The topic with the marks.
        partitions: How many partitions it has now.
        within: Seconds to keep trying brokers that do not answer, or whose leaders move.
        beat: Called between the tries.

    Raises:
        Stop: The count is another one, or the changelog cannot be read.
    """
    places = [TopicPartition(changelog, number) for number in range(partitions)]
    deadline = time.monotonic() + within
    try:
        while (found := _tried(reader, places, deadline)) is _UNANSWERED:
            beat()
    finally:
        reader.close()
    if isinstance(found, mark.Mark) and found.partitions != partitions:
        raise mark.grown(f"topic {changelog}", found.partitions, partitions)


def _tried(reader: Consumer, places: list[TopicPartition], deadline: float) -> mark.Mark | object | None:
    """Any mark, none, or no answer yet: leaders move, and of topics just made nobody knows them at once."""
    try:
        return _any_mark(reader, places)
    except KafkaException as raised:
        error = error_of(raised)
    topic = places[0].topic
    if triage(error) in (Verdict.EXIT, Verdict.FORBIDDEN):
        raise ending(error, "reading the changelog", topic)
    if time.monotonic() > deadline:
        raise Stop(ENVIRONMENT, f"{topic} cannot be read: {error.str()}: check the brokers, then start again")
    with suppress(KafkaException):
        reader.list_topics(topic, timeout=_REFRESH)
    time.sleep(_PAUSE)
    return _UNANSWERED


def _any_mark(reader: Consumer, places: list[TopicPartition]) -> mark.Mark | None:
    """The first mark met at the end of any partition; None when there is none."""
    bounds = {place.partition: reader.get_watermark_offsets(place, timeout=_TIMEOUT) for place in places}
    back = _TAIL
    while True:
        starts = {number: max(low, high - back) for number, (low, high) in bounds.items() if high > low}
        found = _read_for_mark(reader, places[0].topic, starts)
        if found is not None or all(start == bounds[number][0] for number, start in starts.items()):
            return found
        back *= _TAIL


def _read_for_mark(reader: Consumer, topic: str, starts: dict[int, int]) -> mark.Mark | None:
    reader.assign([TopicPartition(topic, number, start) for number, start in starts.items()])
    unfinished = set(starts)
    while unfinished:
        message = reader.poll(_TIMEOUT)
        if message is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no answer"))
        error, value = message.error(), message.value()
        if error is None and message.key() == mark.KEY and value is not None:
            return mark.decode(value)
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(error)
        if error is not None:
            unfinished.discard(message.partition() or 0)
    return None
