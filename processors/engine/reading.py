"""Reads a topic from its beginning to where it ended when the reading began: committed records only, outside any group."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from processors.engine.broker_errors import BrokerErrors
from processors.engine.contact import first_contact
from processors.engine.settings import make_client
from processors.engine.stop import ENVIRONMENT, Stop
from processors.engine.triage import Verdict, ending, error_of, triage

_TIMEOUT = 30.0
_WAIT = 0.1
"""Seconds that one look may take: with fewer records than it asks for it takes all of them."""
_SILENCE = 60.0
"""Seconds without a record or an end after which the brokers are taken for gone: librdkafka would wait for ever."""


def read_topic(kafka: Mapping[str, str], group: str, topic: str) -> Iterator[Message]:
    """The committed records of a topic, each partition in its order.

    Args:
        kafka: librdkafka settings of the application.
        group: Its group, whose permissions suffice; see `reader`.
        topic: Name of the topic.

    Raises:
        Stop: With code 3 when the brokers do not answer, or the topic is not there or may not be read; with code 1 when
            librdkafka does not take a setting.
    """
    errors = BrokerErrors(kafka, group)
    with reader(kafka, group, errors) as consumer:
        try:
            yield from _to_the_end(consumer, errors, topic, partitions_of(consumer, topic))
        except KafkaException as why:
            raise Stop(ENVIRONMENT, f"topic {topic} cannot be read: {error_of(why).str()}") from why


@contextmanager
def reader(kafka: Mapping[str, str], group: str, errors: BrokerErrors) -> Iterator[Consumer]:
    """A consumer of committed records, outside any group, that says where logs end; the brokers have answered it.

    Nothing is joined or committed. librdkafka asks for the group's coordinator all the same, which needs READ on the group: so it
    is the application's, for which workers and `dlq` have it (ER-31).
    """
    consumer = make_client(
        Consumer,
        {
            **kafka,
            **errors.options(),
            "group.id": group,
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": "50",  # the end of a log is said only once a fetch has found nothing
        },
    )
    try:
        first_contact(consumer, errors)
        yield consumer
    finally:
        consumer.close()


def partitions_of(consumer: Consumer, topic: str) -> list[int]:
    """The partitions of a topic; see `read_topic` for what it raises."""
    metadata = consumer.list_topics(topic, timeout=_TIMEOUT).topics[topic]
    if metadata.error is not None and triage(metadata.error) is Verdict.FORBIDDEN:
        raise ending(metadata.error, "reading", topic)
    if metadata.error is not None or not metadata.partitions:
        raise Stop(
            ENVIRONMENT, f"topic {topic} is not there: run `funnelstream topics create --config FILE`, or name another one."
        )
    return sorted(metadata.partitions)


def failure(errors: BrokerErrors, error: KafkaError, topic: str) -> Exception:
    """What an error in the place of a record ends reading with: a `Stop` that names the permission, else the error itself."""
    return errors.ending(error, "reading", topic) if triage(error) is Verdict.FORBIDDEN else KafkaException(error)


def _to_the_end(consumer: Consumer, errors: BrokerErrors, topic: str, partitions: list[int]) -> Iterator[Message]:
    consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
    unfinished = set(partitions)
    heard = time.monotonic()
    while unfinished:
        messages = consumer.consume(5_000, _WAIT)
        if not messages and time.monotonic() - heard > _SILENCE:
            raise Stop(
                ENVIRONMENT,
                f"topic {topic} cannot be read to its end: no record came for {_SILENCE:.0f} s, and partitions "
                f"{sorted(unfinished)} are not through. Check that their brokers run, then start again.",
            )
        for message in messages:
            error = message.error()
            if error is None:
                yield message
            elif error.code() == error._PARTITION_EOF:
                unfinished.discard(message.partition())
            else:
                raise failure(errors, error, topic)
        if messages:
            heard = time.monotonic()
