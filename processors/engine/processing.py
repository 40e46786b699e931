"""Takes records through the topology into the open transaction: the hot path of the worker.

What one transaction gathers lives here until it is committed or forgotten. Everything that the topology asks for is produced at
once, except what collapses to its last value per key: lead snapshots, and rows, which go to the changelog before the commit.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence

from confluent_kafka import KafkaError, Message

from processors.engine import mark
from processors.engine.driven import Topology
from processors.engine.headers import headers_of
from processors.engine.lanes import Lane, Run
from processors.engine.parts import Parts
from processors.engine.stop import AGAIN, BUG, Stop
from processors.engine.too_large import shortened, too_large
from processors.engine.topic_watch import gone
from processors.engine.transaction import OnDelivery, TooLarge
from processors.engine.triage import UNKNOWN_TOPIC, MustAbort, Verdict, triage
from processors.engine.watermarks import Told
from processors.metrics.cells import Posting
from processors.sources.statement import SourceRecord
from processors.state.overlay import Overlay
from processors.state.rows import RESERVED, Damaged
from processors.topology.effects import Count, FactsRecord, Publish

log = logging.getLogger(__name__)

_GONE = (*UNKNOWN_TOPIC, KafkaError.TOPIC_EXCEPTION)


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
        self._post = topology.post
        self._definitions = parts.definitions
        self._partitions = parts.partitions
        self._facts_id = parts.facts_id
        self._errors = parts.errors
        self._transaction = parts.transaction
        self._produce = parts.transaction.produce
        self._names: dict[str, str] = topics._asdict()
        self._changelog = topics.changelog
        self._facts: list[Publish] = []
        self._snapshots: dict[bytes, Publish] = {}
        self._postings: dict[int, list[Posting]] = defaultdict(list)
        self.touched: list[Lane] = []
        self.counts: defaultdict[Count, int] = defaultdict(int)
        self.records = 0
        self.size = 0
        self.positions: dict[int, int] = {}

    def take(self, runs: Sequence[Run]) -> None:
        """Take records; the first one opens the transaction, so none is ever empty (ER-10).

        Args:
            runs: Records of one partition that flows, in its order, or errors of none.

        Raises:
            MustAbort: The transaction cannot be filled any more.
            Stop: The topology has a bug, or a record can never be published.
        """
        try:
            for lane, records in runs:
                if lane is None:
                    for record in records:
                        self._meet(record)
                    continue
                self._touch(lane, records[0])
                if lane.overlay is None:
                    self._take_from_source(lane, records)
                else:
                    self._take_facts(lane, records, lane.overlay)
                last = records[-1]
                lane.next = last.offset() + 1  # type: ignore[operator]  # a record has an offset
                lane.stamp = last.timestamp()[1]
                lane.taken += len(records)
                self.records += len(records)
        except MustAbort:
            for lane, records in runs:  # those that were handed out and not taken must be read again as well
                if lane is not None and lane.start is None:
                    self._touch(lane, records[0])
            raise

    def tell(self, watermarks: Sequence[Told], on_delivery: OnDelivery) -> None:
        """Write watermarks, behind the facts that they cover; they open a transaction if need be, with offsets of its own (ER-8).

        Args:
            watermarks: Of source partitions that flow.
            on_delivery: Is told of one record for each facts partition.
        """
        if not self._transaction.is_open:
            self._transaction.begin()
        self._send_facts()
        report: OnDelivery | None = on_delivery
        for lane, at, message in watermarks:
            if lane not in self.touched:
                self.touched.append(lane)
            for partition in range(self._partitions):
                self._produce(self._names["facts"], message, None, None, partition, report)
            lane.frontier.telling = at
            report = None

    def complete(self) -> None:
        """Publish what waits for the end: facts by event time, sums, the last snapshot of a lead and value of a row, marks."""
        self._send_facts()
        for snapshot in self._snapshots.values():
            self._publish(snapshot)
        for lane in self.touched:
            if lane.overlay is not None:
                self._write_sums(lane, lane.overlay)
                self._write_changelog(lane, lane.overlay.pending)

    def _send_facts(self) -> None:
        facts, self._facts = self._facts, []
        facts.sort(key=_event_time)
        for fact in facts:
            self._publish(fact)

    def forget(self) -> None:
        """Begin the next transaction's worth with nothing."""
        self.touched = []
        self._facts = []
        self._snapshots = {}
        self._postings = defaultdict(list)
        self.counts = defaultdict(int)
        self.records = 0
        self.size = 0
        self.positions = {}

    def _touch(self, lane: Lane, first: Message) -> None:
        """The open transaction takes from this partition, from its first record there on."""
        offset: int = first.offset()  # type: ignore[assignment]  # a record has an offset
        if offset < lane.next:  # the broker would not notice: what lies between would be taken twice
            raise _read_before(lane, offset)
        if lane.start is not None:
            return
        if not self._transaction.is_open:
            self._transaction.begin()
        lane.start = lane.next = offset
        self.touched.append(lane)

    def _take_from_source(self, lane: Lane, records: Sequence[Message]) -> None:
        ingest, source, topic, partition = self._ingest, lane.source, lane.topic, lane.partition
        counts, size, newest = self.counts, 0, lane.frontier.newest
        for record in records:
            value = record.value()  # None is a tombstone; never test a message for truth (ER-30)
            size += len(record)
            at, headers = record.timestamp()[1] * 1000, headers_of(record)
            try:
                effects = ingest(SourceRecord(source, topic, partition, record.offset(), at, record.key(), value, headers))  # type: ignore[arg-type]
            except Exception as bug:
                raise _bug(bug, lane, record) from bug
            for published in effects.published:
                if published.event_time is None:
                    self._publish(published)
                else:
                    self._facts.append(published)
                    newest = max(newest, min(published.event_time, at))
            if effects.rows:
                raise Stop(BUG, f"ingest returned rows for a record of {topic}: only advance has state")
            for count in effects.counts:
                counts[count] += 1
        self.size += size
        lane.frontier.newest = newest

    def _take_facts(self, lane: Lane, records: Sequence[Message], overlay: Overlay) -> None:
        advance, partition, reached = self._advance, lane.partition, lane.reached
        postings, snapshots, counts = self._postings[partition], self._snapshots, self.counts
        self.size += sum(map(len, records))  # a message is as long as its value
        for record in records:
            fact = FactsRecord(record.value(), partition, record.offset(), record.timestamp()[1] * 1000)  # type: ignore[arg-type]
            try:
                effects = advance(fact, overlay)
            except Damaged:
                raise
            except Exception as bug:
                raise _bug(bug, lane, record) from bug
            for published in effects.published:
                self._publish(published)
            overlay.put(effects.rows)
            snapshots.update(effects.snapshots)
            postings += effects.postings
            reached = max(reached, effects.reached)
            for count in effects.counts:
                counts[count] += 1
        lane.reached = reached

    def _publish(self, record: Publish) -> None:
        value, topic = record.value, self._names[record.topic]
        partition = -1 if record.partition is None else record.partition
        if value is not None:
            self.size += len(value)
        try:
            self._produce(topic, value, record.key, record.headers, partition)
        except TooLarge as refused:
            if record.topic != "dead_letters" or value is None:
                raise too_large(topic, record.key, value) from refused
            short, about = shortened(value)
            try:
                self._produce(topic, short, record.key, [*record.headers, *about])
            except TooLarge:
                raise too_large(topic, record.key, value) from refused

    def _write_sums(self, lane: Lane, overlay: Overlay) -> None:
        last = FactsRecord(b"", lane.partition, lane.next - 1, lane.stamp * 1000)
        effects = self._post(self._postings[lane.partition], overlay, last)
        for published in effects.published:
            self._publish(published)
        overlay.put(effects.rows)

    def _write_changelog(self, lane: Lane, rows: dict[bytes, bytes | None]) -> None:
        """Mirror the rows, and the mark last: its delivery report says how far the changelog reaches then (ER-9)."""
        topic, partition, produce = self._changelog, lane.partition, self._produce
        for key, value in rows.items():
            if key.startswith(RESERVED):
                raise Stop(
                    BUG, f"advance returned the row {key!r} for {lane.topic} partition {partition}: such keys are the engine's"
                )
            try:
                produce(topic, value, key, None, partition)
            except TooLarge as refused:
                raise too_large(topic, key, value) from refused
        digest, format, versions, _ = self._definitions
        row = mark.encode(mark.Mark(lane.next, digest, self._partitions, lane.reached, format, versions, self._facts_id))
        rows[mark.KEY] = row
        produce(topic, row, mark.KEY, None, partition, self._delivered)

    def _meet(self, record: Message) -> None:
        """An error in the place of a record."""
        error, topic = record.error(), record.topic() or ""
        assert error is not None
        if triage(error) in (Verdict.EXIT, Verdict.FORBIDDEN):
            raise self._errors.ending(error, "reading", topic)
        if error.code() in _GONE:
            raise gone(topic, error.str(), state=topic == self._names["facts"])
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


def _bug(bug: Exception, lane: Lane, record: Message) -> Stop:
    """An exception out of the topology is a bug, whatever it is: its record is named, and nothing is committed for it."""
    log.debug("the exception in full", exc_info=bug)
    place = f"{lane.topic} partition {lane.partition} offset {record.offset()}"
    return Stop(BUG, f"a bug in funnelstream: {type(bug).__name__}: {bug}; at {place}. Nothing was committed for this record.")


def _read_before(lane: Lane, offset: int) -> Stop:
    """The consumer went back to where it has been: a topic was made anew, or offsets were reset after they were asked (ER-25)."""
    return Stop(
        AGAIN,
        f"{lane.topic} partition {lane.partition}: a record at offset {offset} came, but it was read up to offset {lane.next}: "
        "records would be counted twice. The group's offsets were reset, or the topic was made anew, while this worker ran; the "
        "next start checks both.",
    )


def _event_time(fact: Publish) -> int:
    return fact.event_time or 0
