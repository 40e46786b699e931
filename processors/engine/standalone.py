"""A reader that belongs to no group: it is given its partitions, joins nothing, commits nothing, and sees committed records only.

For the commands that look at topics while workers run (`dlq`, `tap`). A topic's end is asked with READ_UNCOMMITTED: the last
stable offset hides committed records behind somebody's open transaction (ER-22), and who must know all reads up to that end.
"""

import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from processors.engine.admin import AdminClient
from processors.engine.broker_errors import BrokerErrors
from processors.engine.contact import first_contact
from processors.engine.lanes import Place
from processors.engine.offsets import Bounds, bounds_of
from processors.engine.settings import Clients, EngineSettings, make_client
from processors.engine.stop import ENVIRONMENT, Stop
from processors.engine.triage import UNKNOWN_TOPIC, Verdict, error_of, triage

log = logging.getLogger(__name__)

_CHUNK = 1_000
_WAIT = 0.2
"""Seconds that one look for records may take: how long a signal waits to be heard."""
_GONE = (*UNKNOWN_TOPIC, KafkaError._UNKNOWN_PARTITION)


class Standalone:
    """Reads partitions that it is given.

    Attributes:
        admin: Asks the brokers.
        errors: What the clients say outside of calls.
    """

    def __init__(self, settings: EngineSettings, beat: Callable[[], None] = lambda: None) -> None:
        """Make the clients; nothing is connected yet.

        Args:
            settings: Those of the application.
            beat: Called between looks for brokers and records; what it raises ends the reading.

        Raises:
            Stop: librdkafka does not take a setting.
        """
        clients = Clients(settings)
        self._settings = settings
        self._beat = beat
        self.errors = BrokerErrors(settings.kafka, settings.application, clients.transactional_id)
        options = self.errors.options()
        self.admin: AdminClient = make_client(AdminClient, clients.admin() | options)
        patient = {
            "auto.offset.reset": "earliest",  # what was deleted since its bounds were asked is gone, and no reason to end
            "fetch.wait.max.ms": "100",  # nobody restores a store here, and a watched topic may be idle for hours
        }
        self._consumer = make_client(Consumer, clients.reader() | patient | options)

    def close(self) -> None:
        """Close the reader."""
        self._consumer.close()

    def places(self, topics: Iterable[str]) -> list[Place]:
        """The partitions of topics.

        Raises:
            Stop: The brokers do not answer, or a topic is not there.
        """
        there = first_contact(self.admin, self.errors, self._settings.connect_within, self._beat).topics
        wanted = list(topics)
        missing = [topic for topic in wanted if topic not in there]
        if missing:
            grants = ", ".join(f"READ on topic {topic}" for topic in missing)
            raise Stop(
                ENVIRONMENT,
                f"topic {', '.join(missing)} does not exist, or this user may not see it: "
                f"run `funnelstream topics create --config FILE`, or grant {grants}",
            )
        return [(topic, partition) for topic in wanted for partition in sorted(there[topic].partitions)]

    def bounds(self, places: Iterable[Place]) -> dict[Place, Bounds]:
        """Where partitions begin and end, whatever is committed of them; raises `Stop` when the brokers do not say."""
        return bounds_of(self.admin, places)

    def through(self, bounds: Mapping[Place, Bounds]) -> Iterator[Message]:
        """The committed records of partitions from their beginnings to ends that were asked before, each in its order.

        Waits for transactions that are open before an end: what they hold back belongs to the answer.

        Raises:
            Stop: Nothing came for so long that a transaction must hang, or the topic may not be read.
        """
        unfinished = {place: bound.end for place, bound in bounds.items() if bound.end > bound.earliest}
        self._assign({place: bounds[place].earliest for place in unfinished})
        moved = time.monotonic()
        while unfinished:
            messages = self._consume()
            if messages:
                moved = time.monotonic()
            elif time.monotonic() - moved > self._settings.restore_patience:
                raise _no_progress(unfinished)
            for message in messages:
                place, offset = place_of(message), message.offset() or 0
                error = message.error()
                if error is None:
                    if place in unfinished and offset < unfinished[place]:
                        yield message
                    reached = offset + 1
                else:
                    reached = offset if error.code() == KafkaError._PARTITION_EOF else 0
                if reached >= unfinished.get(place, reached + 1):
                    del unfinished[place]

    def last(self, bounds: Mapping[Place, Bounds], count: int) -> tuple[list[Message], dict[Place, int]]:
        """The last committed records of each topic, and where each partition goes on after them.

        Args:
            bounds: The partitions.
            count: How many of each topic.

        Returns:
            At most `count` records of each topic in the order of their Kafka times, and the next offset of each partition.
        """
        kept: dict[Place, list[Message]] = {}
        ends: dict[Place, int] = {}
        # Every transaction that wrote to a partition left a record and a marker there, unless it was aborted: then look further.
        starts = {place: max(bound.earliest, bound.end - 2 * count) for place, bound in bounds.items()}
        while starts:
            found = self._to_ends(starts, count)
            kept |= {place: messages for place, (messages, _) in found.items()}
            ends |= {place: end for place, (_, end) in found.items()}
            starts = {
                place: max(bounds[place].earliest, 2 * start - bounds[place].end)
                for place, start in starts.items()
                if len(kept[place]) < count and start > bounds[place].earliest
            }
        by_topic: dict[str, list[Message]] = defaultdict(list)
        for (topic, _), messages in kept.items():
            by_topic[topic] += messages
        last = [message for messages in by_topic.values() for message in sorted(messages, key=_time)[-count:]]
        return sorted(last, key=_time), ends

    def follow(self, starts: Mapping[Place, int]) -> Iterator[list[Message]]:
        """What comes from these offsets on, for ever; an empty list at times, so that the caller can look up."""
        self._assign(starts)
        while True:
            yield [message for message in self._consume() if message.error() is None]

    def _to_ends(self, starts: Mapping[Place, int], count: int) -> dict[Place, tuple[list[Message], int]]:
        """Of each partition the last `count` records up to its last stable offset, and that offset."""
        kept: dict[Place, deque[Message]] = {place: deque(maxlen=count) for place in starts}
        ends: dict[Place, int] = {}
        self._assign(starts)
        moved = time.monotonic()
        while len(ends) < len(starts):
            messages = self._consume()
            if messages:
                moved = time.monotonic()
            elif time.monotonic() - moved > self._settings.restore_patience:
                raise _no_progress(place for place in starts if place not in ends)
            for message in messages:
                place, error = place_of(message), message.error()
                if error is None and place not in ends:
                    kept[place].append(message)
                elif error is not None and error.code() == KafkaError._PARTITION_EOF:
                    ends.setdefault(place, message.offset() or 0)
        return {place: (list(kept[place]), ends[place]) for place in starts}

    def _assign(self, starts: Mapping[Place, int]) -> None:
        self._consumer.assign([TopicPartition(topic, partition, offset) for (topic, partition), offset in starts.items()])

    def _consume(self) -> list[Message]:
        """Records and ends of partitions; errors in the place of records end here (ER-13)."""
        self._beat()
        try:
            messages = self._consumer.consume(_CHUNK, _WAIT)
        except KafkaException as raised:  # a fatal error
            raise self.errors.ending(error_of(raised), "reading") from raised
        self.errors.raise_deadly()
        for message in messages:
            error = message.error()
            if error is None or error.code() == KafkaError._PARTITION_EOF:
                continue
            topic = message.topic() or ""
            if triage(error) in (Verdict.EXIT, Verdict.FORBIDDEN):
                raise self.errors.ending(error, "reading", topic)
            if error.code() in _GONE:
                raise Stop(ENVIRONMENT, f"topic {topic} is gone ({error.str()})")
            log.warning("reading %s: %s (%s); going on", topic, error.str(), error.name())
        return messages


def place_of(message: Message) -> Place:
    """The partition of a record."""
    return message.topic() or "", message.partition() or 0


def _time(message: Message) -> tuple[int, int, int]:
    return message.timestamp()[1], message.partition() or 0, message.offset() or 0


def _no_progress(places: Iterable[Place]) -> Stop:
    behind = ", ".join(f"{topic}[{partition}]" for topic, partition in places)
    return Stop(
        ENVIRONMENT,
        f"{behind} cannot be read to the end: nothing comes. Their brokers are gone, or a transaction hangs there: "
        "`kafka-transactions.sh find-hanging` names it.",
    )
