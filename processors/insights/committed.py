"""Faust's way to Kafka, changed in what insights depends on. Begin here to know what is read, by whom, and from where.

1. **Committed records only.** Faust's aiokafka driver reads with `read_uncommitted` unless the application itself writes in
   transactions, and no setting of Faust says otherwise. So the consumer is made here, with `read_committed`.
2. **Every partition, in every process.** The numbers of half the partitions are wrong numbers: a second process of the group does
   not take partitions away, it gets all of them too (`EveryPartition`). Nothing is committed, so they do not disturb each other.
3. **From the beginning.** The read model is made anew at every start. After a rebalance reading goes on behind what it has taken.
4. **A fetch at a time.** Faust takes about 0.2 ms for each message, whatever is in it. What one fetch brought of one partition is
   one message here, a `Batch`, which also says how far the log is read: over markers, aborted and compacted records. It says
   where it begins, too: Faust may drop a fetch when a rebalance comes, and whoever takes batches must see that none is missing.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, cast

import aiokafka
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.assignors.abstract import AbstractPartitionAssignor
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata
from faust import Schema
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

_RECORDS = 2_000
"""Records of one fetch: how long the read model is busy at a stretch, and with Faust's buffer the most that is held in memory."""
_HEARTBEAT = 3_000
_SESSION = 10_000
"""Milliseconds; after kill -9 the next process waits so long for the group."""
_METADATA = 10_000
"""Milliseconds until a topic that was made anew, or grew, is noticed."""
_LOGGER = logging.getLogger("faust.transport")
"""What Faust says of itself, under its own name and not ours."""


class Record(NamedTuple):
    """A committed record. `timestamp` is Kafka's, in milliseconds; a value of None is a tombstone."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int
    headers: Sequence[tuple[str, bytes | None]] = ()


class Batch(NamedTuple):
    """What one fetch brought of one partition, in its order.

    Attributes:
        place: The partition.
        read_from: The offset from which on it was read; None: from the beginning of the log.
        records: What was there.
        read_to: The offset up to which it is read now.
    """

    place: TP
    read_from: int | None
    records: tuple[Record, ...]
    read_to: int


class EveryPartition(AbstractPartitionAssignor):
    """An assignor of a group whose members all read everything."""

    name = "funnelstream-every"

    @classmethod
    def assign(
        cls, cluster: ClusterMetadata, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        """All partitions of what a member subscribes to, to each member."""
        return {member: cls._all(cluster, metadata.subscription) for member, metadata in members.items()}

    @classmethod
    def _all(cls, cluster: ClusterMetadata, topics: Iterable[str]) -> ConsumerProtocolMemberAssignment:
        found = [(topic, sorted(cluster.partitions_for_topic(topic) or ())) for topic in sorted(topics)]
        return ConsumerProtocolMemberAssignment(0, found, b"")

    @classmethod
    def metadata(cls, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        """What a member tells the group."""
        return ConsumerProtocolMemberMetadata(0, sorted(topics), b"")

    @classmethod
    def on_assignment(cls, assignment: ConsumerProtocolMemberAssignment) -> None:
        """Nothing is remembered."""


class AsTheyCome(Schema[Any, Any]):
    """Keys and values are what the consumer made: a batch is nothing to deserialise."""

    def loads_key(self, app: Any, message: Any, **_: Any) -> Any:
        """The key of a message."""
        return message.key

    def loads_value(self, app: Any, message: Any, **_: Any) -> Any:
        """The value of a message."""
        return message.value


@dataclass
class _Fetched:
    """A batch in the form of the record that Faust makes a message of."""

    topic: str
    partition: int
    offset: int
    value: Batch
    timestamp: int | None = None
    timestamp_type: int = 0
    headers: tuple[Any, ...] = ()
    key: bytes | None = None
    checksum: int | None = None
    serialized_key_size: int = 0
    serialized_value_size: int = 0


class _Thread(driver.AIOKafkaConsumerThread):
    """The thread with aiokafka's consumer."""

    logger = _LOGGER

    def _create_worker_consumer(self, transport: Any) -> aiokafka.AIOKafkaConsumer:
        self._assignor = EveryPartition
        settings = cast(Transport, transport).settings
        return aiokafka.AIOKafkaConsumer(
            **{"fetch_max_wait_ms": 100, "metadata_max_age_ms": _METADATA, **settings},
            client_id=self.app.conf.id,
            group_id=self.app.conf.id,
            isolation_level="read_committed",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            partition_assignment_strategy=(EveryPartition,),
            max_poll_records=_RECORDS,
            session_timeout_ms=_SESSION,
            heartbeat_interval_ms=_HEARTBEAT,
        )

    async def _fetch_records(
        self,
        consumer: aiokafka.AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> dict[TP, list[_Fetched]]:
        """What there is of each partition, and how far it is read even where there is nothing."""
        before = self._reached(consumer)
        fetched = await super()._fetch_records(consumer, active_partitions, timeout, max_records)
        batches = {}
        for place, reached in self._reached(consumer).items():
            records = fetched.get(place, ())
            if reached is not None and (records or before.get(place) != reached):
                new = tuple(Record(each.offset, each.key, each.value, each.timestamp, each.headers) for each in records)
                batch = Batch(TP(*place), before.get(place), new, reached)
                batches[place] = [_Fetched(place.topic, place.partition, reached, batch)]
        return batches

    def _reached(self, consumer: aiokafka.AIOKafkaConsumer) -> dict[TP, int | None]:
        """The next offset of every partition; None while it is not known where to begin."""
        assignment = consumer._subscription.subscription.assignment
        states = {place: assignment.state_value(place) for place in assignment.tps}
        return {place: state.position if state.has_valid_position else None for place, state in states.items()}

    async def seek_to_committed(self) -> dict[TP, int]:
        """Faust seeks to what it has committed after every rebalance; nothing is, so what was taken is in its place."""
        return cast(dict[TP, int], await self.call_thread(self._seek_to_taken))

    async def _seek_to_taken(self) -> dict[TP, int]:
        taken, consumer = cast(Transport, self.transport).taken, self._ensure_consumer()
        seen = {place: taken[place] for place in map(TP._make, consumer.assignment()) if place in taken}
        for place, offset in seen.items():
            consumer.seek(driver.ensure_aiokafka_TP(place), offset)
        return seen


class _Consumer(driver.Consumer):
    """Faust's consumer on that thread."""

    logger = _LOGGER

    def _new_consumer_thread(self) -> _Thread:
        return _Thread(self, loop=self.loop, beacon=self.beacon)


class Transport(driver.Transport):
    """What a Faust application reads through.

    Attributes:
        settings: Of aiokafka's consumer (`reader_settings`).
        taken: The next offset of every partition whose records were taken, kept by whoever takes them.
    """

    Consumer = _Consumer

    def __init__(self, app: Any, settings: Mapping[str, Any], taken: Mapping[TP, int]) -> None:
        super().__init__([], app)
        self.settings = settings
        self.taken = taken
