"""Takes records through the topology into the open transaction: the hot path of the worker.

What one transaction gathers lives here until it is committed or forgotten. Everything that the topology asks for is produced at
once, except what collapses to its last value per key: lead snapshots, and rows, which go to the changelog before the commit.
"""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Sequence

from confluent_kafka import KafkaError, Message

from processors.engine import mark
from processors.engine.driven import Topology
from processors.engine.lanes import Lane
from processors.engine.parts import Parts
from processors.engine.stop import AGAIN, BUG, ENVIRONMENT, Stop
from processors.engine.topic_watch import gone
from processors.engine.transaction import TooLarge
from processors.engine.triage import MustAbort, Verdict, triage
from processors.sources.statement import SourceRecord
from processors.state.rows import RESERVED, Damaged
from processors.topology.effects import Count, Effects, FactsRecord, Publish

log = logging.getLogger(__name__)

_DEAD_LETTER_KEPT = 64 << 10
"""Bytes that are kept of a dead letter too large for Kafka."""
_GONE = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError.TOPIC_EXCEPTION)


class Processing:
    """One transaction's worth of records.

    Attributes:
        touched: Lanes that have records in the open transaction.
        counts: What to count after the commit.
        records: Records taken.
        size: Bytes of the values taken and published.
        positions: Changelog offsets after the last record of each partition, from delivery reports.
    """

    def __init__(self, parts: Parts, topology: Topology) -> None:
        """Wire it; `topology` turns records into effects."""
        topics = parts.settings.topics
        self._ingest = topology.ingest
        self._advance = topology.advance
        self._definitions = parts.definitions
        self._partitions = parts.partitions
        self._errors = parts.errors
        self._transaction = parts.transaction
        self._produce = parts.transaction.produce
        self._lanes = parts.lanes
        self._names: dict[str, str] = topics._asdict()
        self._changelog = topics.changelog
        self._facts: list[Publish] = []
        self._snapshots: dict[bytes, Publish] = {}
        self.touched: list[Lane] = []
        self.counts: defaultdict[Count, int] = defaultdict(int)
        self.records = 0
        self.size = 0
        self.positions: dict[int, int] = {}

    def take(self, messages: Sequence[Message]) -> None:
        """Take records of partitions that flow; the first one opens the transaction, so none is ever empty (ER-10).

        Raises:
            MustAbort: The transaction cannot be filled any more.
            Stop: The topology has a bug, or a record can never be published.
        """
        lanes, perform = self._lanes, self._perform
        try:
            for message in messages:
                if (error := message.error()) is not None:
                    self._meet(error, message.topic() or "")
                    continue
                lane = lanes.get((message.topic(), message.partition()))  # type: ignore[arg-type]  # a record has a place
                if lane is None:
                    continue
                if lane.start is None:
                    self._touch(lane, message)
                perform(lane, self._effects(lane, message))
                lane.next = message.offset() + 1  # type: ignore[operator]  # a record has an offset
                lane.taken += 1
                self.records += 1
        except MustAbort:
            self._touch_all(messages)
            raise

    def complete(self) -> None:
        """Publish what waits for the end: facts by event time, the last snapshot of a lead and value of a row, marks."""
        self._facts.sort(key=_event_time)
        for fact in self._facts:
            self._publish(fact)
        for snapshot in self._snapshots.values():
            self._publish(snapshot)
        for lane in self.touched:
            if lane.overlay is not None:
                self._write_changelog(lane, lane.overlay.pending)

    def forget(self) -> None:
        """Begin the next transaction's worth with nothing."""
        self.touched = []
        self._facts = []
        self._snapshots = {}
        self.counts = defaultdict(int)
        self.records = 0
        self.size = 0
        self.positions = {}

    def _touch(self, lane: Lane, message: Message) -> None:
        offset: int = message.offset()  # type: ignore[assignment]  # a record has an offset
        if lane.overlay is not None and lane.committed is not None and offset < lane.committed:
            raise _read_before(lane, offset)
        if not self._transaction.is_open:
            self._transaction.begin()
        lane.start = lane.next = offset
        self.touched.append(lane)

    def _touch_all(self, messages: Sequence[Message]) -> None:
        """Before an abort: the records that were handed out and not taken must be read again as well."""
        for message in messages:
            lane = self._lanes.get((message.topic(), message.partition()))  # type: ignore[arg-type]
            if lane is not None and lane.start is None and message.error() is None:
                self._touch(lane, message)

    def _effects(self, lane: Lane, message: Message) -> Effects:
        """What the topology says; an exception out of it is a bug, whatever it is, unless the store is broken."""
        value = message.value()  # None is a tombstone; never test a message for truth (ER-30)
        partition, offset, stamp = message.partition(), message.offset(), message.timestamp()[1]
        lane.stamp = stamp
        self.size += len(value) if value is not None else 0
        try:
            if lane.overlay is not None:
                return self._advance(FactsRecord(value, partition, offset, stamp * 1000), lane.overlay)  # type: ignore[arg-type]
            key, headers = message.key(), message.headers() or ()
            return self._ingest(SourceRecord(lane.source, lane.topic, partition, offset, stamp * 1000, key, value, headers))  # type: ignore[arg-type]
        except Damaged:
            raise
        except Exception as bug:
            log.debug("the exception in full", exc_info=bug)
            place = f"{lane.topic} partition {partition} offset {offset}"
            raise Stop(
                BUG, f"a bug in funnelstream: {type(bug).__name__}: {bug}; at {place}. Nothing was committed for this record."
            ) from bug

    def _perform(self, lane: Lane, effects: Effects) -> None:
        for record in effects.published:
            if record.event_time is None:
                self._publish(record)
            else:
                self._facts.append(record)
        if effects.rows:
            if lane.overlay is None:
                raise Stop(BUG, f"ingest returned rows for a record of {lane.topic}: only advance has state")
            lane.overlay.put(effects.rows)
        if effects.snapshots:
            self._snapshots.update(effects.snapshots)
        counts = self.counts
        for count in effects.counts:
            counts[count] += 1

    def _publish(self, record: Publish) -> None:
        role, key, value, headers, _ = record
        self.size += len(value) if value is not None else 0
        try:
            self._produce(self._names[role], value, key, headers)
        except TooLarge as refused:
            if role != "dead_letters" or value is None:
                raise _too_large(self._names[role], key, value) from refused
            short, about = _shortened(value)
            self._produce(self._names[role], short, key, [*headers, *about])

    def _write_changelog(self, lane: Lane, rows: dict[bytes, bytes | None]) -> None:
        """Mirror the rows, and the mark last: its delivery report says how far the changelog reaches then (ER-9)."""
        topic, partition, produce = self._changelog, lane.partition, self._produce
        for key, value in rows.items():
            if key.startswith(RESERVED):
                raise Stop(
                    BUG, f"advance returned the row {key!r} for {lane.topic} partition {partition}: such keys are the engine's"
                )
            self._mirror(topic, value, key, partition)
        row = mark.encode(mark.Mark(lane.next, self._definitions, self._partitions))
        rows[mark.KEY] = row
        produce(topic, row, mark.KEY, None, partition, self._delivered)

    def _mirror(self, topic: str, value: bytes | None, key: bytes, partition: int) -> None:
        try:
            self._produce(topic, value, key, None, partition)
        except TooLarge as refused:
            raise _too_large(topic, key, value) from refused

    def _meet(self, error: KafkaError, topic: str) -> None:
        """An error in the place of a record."""
        if triage(error) in (Verdict.EXIT, Verdict.FORBIDDEN):
            raise self._errors.ending(error, "reading", topic)
        if error.code() in _GONE:
            raise gone(topic, error.str())
        if error.code() == KafkaError._MAX_POLL_EXCEEDED:  # a static member is not let back, and nobody says so
            raise Stop(
                AGAIN,
                f"this worker left its group, because a transaction took longer than max.poll.interval.ms ({error.str()}): lower "
                "limits.batch_records or raise max.poll.interval.ms under kafka. A restart is exact.",
            )
        log.warning("reading %s: %s (%s); going on", topic, error.str(), error.name())

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        """Served within the commit. A failed delivery needs nothing here: the commit fails with it (ER-11)."""
        if error is None:
            self.positions[message.partition()] = message.offset() + 1  # type: ignore[index, operator]


def _read_before(lane: Lane, offset: int) -> Stop:
    """The consumer began where the group's offset had been moved to, after the rows were checked against it (ER-25)."""
    return Stop(
        AGAIN,
        f"{lane.topic} partition {lane.partition}: a record at offset {offset} came, but its rows reach offset {lane.committed}: "
        "facts would be counted twice. The group's offsets were reset, or the topic was made anew, while this worker ran; the "
        "next start checks both.",
    )


def _too_large(topic: str, key: bytes | None, value: bytes | None) -> Stop:
    size = len(value or b"") + len(key or b"")
    return Stop(
        ENVIRONMENT,
        f"a record of {size} bytes for {topic} (key {key!r}) is over message.max.bytes: raise message.max.bytes under kafka and "
        "max.message.bytes of the topic, then start again (ER-11)",
    )


def _event_time(fact: Publish) -> int:
    return fact.event_time or 0


def _shortened(value: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The beginning of a dead letter that Kafka does not take whole, and what it was: size and SHA-256."""
    about = [
        ("dead-letter-truncated", b"true"),
        ("dead-letter-size", str(len(value)).encode()),
        ("dead-letter-sha256", hashlib.sha256(value).hexdigest().encode()),
    ]
    return value[:_DEAD_LETTER_KEPT], about
