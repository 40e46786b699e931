"""The last mark of every changelog partition, read from its end before anything is joined, without restoring anything.

A restore looks at marks too, but per partition and only at those it owns. Whether there are as many partitions as the state was
written with (ER-3), and whether these definitions may go on with it, must be known of all before the first one is continued.
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
_TAIL = 200
"""Offsets looked at first; rows of an aborted transaction may lie behind the last mark, so it goes back by the square of that."""


def last_marks(
    reader: Consumer, changelog: str, partitions: int, within: float, beat: Callable[[], None]
) -> dict[int, mark.Mark]:
    """The last mark of each partition that has one.

    Args:
        reader: Of uncommitted records, so that an open transaction does not hide marks, or of committed ones; is closed.
        changelog: The topic with the marks.
        partitions: How many partitions it has now.
        within: Seconds to keep trying brokers that do not answer, or whose leaders move.
        beat: Called between the tries.

    Raises:
        Stop: The changelog cannot be read.
    """
    places = [TopicPartition(changelog, number) for number in range(partitions)]
    deadline = time.monotonic() + within
    try:
        while (found := _tried(reader, places, deadline)) is None:
            beat()
    finally:
        reader.close()
    return found


def _tried(reader: Consumer, places: list[TopicPartition], deadline: float) -> dict[int, mark.Mark] | None:
    """The marks, or no answer yet: leaders move, and of topics just made nobody knows them at once."""
    try:
        return _from_the_end(reader, places)
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
    return None


def _from_the_end(reader: Consumer, places: list[TopicPartition]) -> dict[int, mark.Mark]:
    """Back from the end of every partition until its last mark is met, or its beginning."""
    bounds = {place.partition: reader.get_watermark_offsets(place, timeout=_TIMEOUT) for place in places}
    unmet = {number: (low, high) for number, (low, high) in bounds.items() if high > low}
    found: dict[int, mark.Mark] = {}
    back = _TAIL
    while unmet:
        starts = {number: max(low, high - back) for number, (low, high) in unmet.items()}
        found |= _read_to_the_end(reader, places[0].topic, starts)
        unmet = {number: bound for number, bound in unmet.items() if number not in found and starts[number] > bound[0]}
        back *= _TAIL
    return found


def _read_to_the_end(reader: Consumer, topic: str, starts: dict[int, int]) -> dict[int, mark.Mark]:
    reader.assign([TopicPartition(topic, number, start) for number, start in starts.items()])
    found: dict[int, mark.Mark] = {}
    unfinished = set(starts)
    while unfinished:
        message = reader.poll(_TIMEOUT)
        if message is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "no answer"))
        error, value, number = message.error(), message.value(), message.partition() or 0
        if error is None and message.key() == mark.KEY and value is not None:
            found[number] = mark.decode(value)
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(error)
        if error is not None:
            unfinished.discard(number)
    return found
