"""The marks in a changelog, read without restoring anything: up to which offset facts are in the state, per partition."""

import time
from typing import Any

from confluent_kafka import Consumer, KafkaException, TopicPartition

from processors.engine import mark
from processors.engine.admin import AdminClient
from processors.engine.offsets import bounds_of
from processors.engine.progress import no_progress
from processors.engine.settings import make_client

_CHUNK = 10_000
_SLICE = 0.2
"""Seconds."""
PATIENCE = 60.0
"""Seconds without progress. More than the 40 s for which a dead worker's transaction can hold back readers (ER-17)."""


def read_marks(
    admin: AdminClient, reader_settings: dict[str, Any], changelog: str, partitions: int, patience: float
) -> dict[int, mark.Mark]:
    """The last committed mark of every partition that has one; the changelog is read as a restore would (ER-22).

    Args:
        admin: Asks where the log ends.
        reader_settings: Of a group-less read_committed reader.
        changelog: The topic.
        partitions: How many it has.
        patience: Seconds without progress after which the reading is given up.

    Raises:
        Stop: The brokers do not answer, or a transaction that does not end holds readers back.
    """
    bounds = bounds_of(admin, [(changelog, number) for number in range(partitions)])
    unfinished = {number: bound for (_, number), bound in bounds.items() if bound.end > bound.earliest}
    marks: dict[int, mark.Mark] = {}
    reader = make_client(Consumer, reader_settings)
    try:
        reader.assign([TopicPartition(changelog, number, bound.earliest) for number, bound in unfinished.items()])
        reached = {number: bound.earliest for number, bound in unfinished.items()}
        moved_at = time.monotonic()
        while unfinished:
            for message in reader.consume(_CHUNK, _SLICE):
                if (error := message.error()) is not None and error.code() != error._PARTITION_EOF:
                    raise KafkaException(error)
                if error is None and message.key() == mark.KEY and (value := message.value()) is not None:
                    marks[message.partition() or 0] = mark.decode(value)
            before = dict(reached)
            _follow(reader, changelog, reached)
            unfinished = {number: bound for number, bound in unfinished.items() if reached[number] < bound.end}
            moved_at = moved_at if reached == before else time.monotonic()
            if unfinished and time.monotonic() - moved_at > patience:
                number, bound = next(iter(unfinished.items()))
                raise no_progress(admin, (changelog, number), reached[number], bound.end, patience)
    finally:
        reader.close()
    return marks


def _follow(reader: Consumer, changelog: str, reached: dict[int, int]) -> None:
    """Where the reader stands: position() passes markers and aborted records, which records do not show."""
    for answer in reader.position([TopicPartition(changelog, number) for number in reached]):
        reached[answer.partition] = max(answer.offset, reached[answer.partition])
