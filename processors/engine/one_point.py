"""Several topics read to one point in time: all that is committed by then in each of them, and nothing that came later.

A transaction ends in one partition a little before it ends in another, so ends that are asked one after the other can cut
it in two. They cannot while all stands still: the ends were the same before and after, and in between no partition had an open
transaction. Then whatever was committed by then is there as a whole. On a system that is never still for that moment there is no
such point, and the reading says so.
"""

import time
from collections.abc import Iterator, Mapping, Sequence

from confluent_kafka import Consumer, IsolationLevel, KafkaException, Message, TopicPartition

from processors.engine.admin import AdminClient
from processors.engine.broker_errors import BrokerErrors
from processors.engine.lanes import Place
from processors.engine.offsets import ends_of
from processors.engine.reading import failure, partitions_of, reader
from processors.engine.settings import make_client
from processors.engine.stop import ENVIRONMENT, Stop
from processors.engine.triage import error_of

_WAIT = 0.1
_BATCH = 5_000
_PATIENCE = 60.0
"""Seconds without progress after which brokers are taken for gone, and for which a moment of stillness is looked for."""


def read_to_one_point(kafka: Mapping[str, str], group: str, topics: Sequence[str]) -> Iterator[list[Message]]:
    """The committed records of topics in batches, each partition in its order.

    Args:
        kafka: librdkafka settings of the application.
        group: Its group, whose permissions suffice; see `reader`.
        topics: Their names.

    Raises:
        Stop: With code 3 when the brokers do not answer, a topic is not there or may not be read, or they never stand still.
    """
    errors = BrokerErrors(kafka, group)
    admin = make_client(AdminClient, {**kafka, **errors.options()})
    with reader(kafka, group, errors) as consumer:
        places = [(topic, partition) for topic in topics for partition in partitions_of(consumer, topic)]
        consumer.assign([TopicPartition(*place, 0) for place in places])
        read = dict.fromkeys(places, 0)
        try:
            yield from _until_still(admin, consumer, errors, read)
        except KafkaException as why:
            raise Stop(ENVIRONMENT, f"topics {', '.join(topics)} cannot be read: {error_of(why).str()}") from why


def _until_still(admin: AdminClient, consumer: Consumer, errors: BrokerErrors, read: dict[Place, int]) -> Iterator[list[Message]]:
    caught_up: float | None = None
    while True:
        ends = ends_of(admin, read, IsolationLevel.READ_UNCOMMITTED)
        stable = ends_of(admin, read, IsolationLevel.READ_COMMITTED)
        yield from _read(consumer, errors, read, stable)
        if ends == stable == ends_of(admin, read, IsolationLevel.READ_UNCOMMITTED):
            return
        caught_up = time.monotonic() if caught_up is None else caught_up
        if time.monotonic() - caught_up > _PATIENCE:
            raise Stop(
                ENVIRONMENT,
                f"for {_PATIENCE:.0f} s something was being committed at every moment, so there is no point in time to "
                "compare at. Stop the workers (SIGTERM; their restart is exact), or wait for a quieter time, then start again.",
            )


def _read(
    consumer: Consumer, errors: BrokerErrors, read: dict[Place, int], until: Mapping[Place, int]
) -> Iterator[list[Message]]:
    """Read on until every partition is as far as it was asked to be; `read` says how far each is."""
    heard = time.monotonic()
    while any(read[place] < end for place, end in until.items()):
        messages = consumer.consume(_BATCH, _WAIT)
        if messages:
            heard = time.monotonic()
        elif time.monotonic() - heard > _PATIENCE:
            behind = sorted({topic for (topic, partition), end in until.items() if read[topic, partition] < end})
            raise Stop(
                ENVIRONMENT,
                f"topics {', '.join(behind)} cannot be read to their end: no record came for {_PATIENCE:.0f} s. "
                "Check that their brokers run, then start again.",
            )
        yield [message for message in messages if _is_record(message, errors, read)]


def _is_record(message: Message, errors: BrokerErrors, read: dict[Place, int]) -> bool:
    """Note how far a partition is read. At its end that is the offset to come, behind marks of transactions that nobody sees."""
    place, offset, error = (message.topic() or "", message.partition() or 0), message.offset() or 0, message.error()
    if error is None:
        read[place] = offset + 1
        return True
    if error.code() != error._PARTITION_EOF:
        raise failure(errors, error, place[0])
    read[place] = max(read[place], offset)
    return False
