"""The loop of a worker: one thread, one consumer, one transaction after the other.

One turn (`Loop._turn`):

1. If partitions came: ask where they begin, restore a slice of their rows (ER-24).
2. Wait for a first record. The group's callbacks run in here and end the open transaction before partitions go (ER-19, ER-20).
3. Take what else is there, until nothing is left or the transaction is full (ER-10); partitions far behind go side by side.
4. Publish what waits for the end: watermarks if they are due, and what collapses per transaction: snapshots, rows to the
   changelog, the mark of each facts partition (ER-25).
5. Commit, with the offsets of the partitions owned now and the group's fresh metadata (ER-7).
6. Only then: rows and changelog positions into the store, in one write batch (ER-9); then what was counted.

An error between 2 and 5 that triage calls abortable: abort, forget the rows, seek back, back off (ER-18), next turn.
"""

import logging
import time
from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from processors.engine.assignment import Assignment
from processors.engine.lanes import Lane
from processors.engine.merge import Merge
from processors.engine.parts import Parts
from processors.engine.processing import Processing
from processors.engine.starts import READ_INTO
from processors.engine.stop import AGAIN, BUG, ENVIRONMENT, Stop
from processors.engine.triage import MustAbort, error_of
from processors.engine.watermarks import Watermarks
from processors.state.rows import Position

log = logging.getLogger(__name__)

_IDLE = 0.1
"""Seconds that an idle loop waits for a record."""
_BUSY = 0.002
"""Seconds that a loop waits for a record while partitions are brought up."""
_CHUNK = 1_000
"""Records of one consume(): the limits are looked at in between."""
_GAP = 0.002
"""Seconds between two commits, so that the next one does not meet the end of the last (ER-10, decision 22)."""
_BACKLOG = 500
"""Records from which a transaction waits a little for more: it is behind, and fewer, larger ones cost less."""
_MORE = 0.01
"""Seconds that it waits."""
_MOST_ABORTS = 8
"""Aborts in a row after which a restart is the better try."""
_LONGEST_BACKOFF = 5.0
"""Seconds."""

_FOR_GOOD = {
    KafkaError.MSG_SIZE_TOO_LARGE: "raise max.message.bytes of the topic",
    KafkaError.UNKNOWN_TOPIC_OR_PART: "run `funnelstream topics create --config FILE`",
    KafkaError._UNKNOWN_TOPIC: "run `funnelstream topics create --config FILE`",
    KafkaError._UNKNOWN_PARTITION: "partitions of a topic cannot be taken back: restore the topic",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "grant WRITE on the topic, see docs/operations.md#permissions",
    KafkaError.INVALID_RECORD: "the topic refuses records of this shape or time: check its configuration, and that the clock of "
    "this machine is that of the brokers (message.timestamp.after.max.ms)",
    KafkaError.INVALID_TIMESTAMP: "set the clock of this machine by that of the brokers (message.timestamp.after.max.ms)",
    KafkaError.POLICY_VIOLATION: "a policy of the brokers refuses the record",
}
"""Failed deliveries that no repetition mends, and what does."""


class Loop:
    """Turns until it is asked to stop."""

    def __init__(self, parts: Parts, processing: Processing, watermarks: Watermarks) -> None:
        """Wire the loop; `processing` gathers one transaction after the other, `watermarks` knows what to tell of the sources."""
        self._consumer = parts.consumer
        self._transaction = parts.transaction
        self._processing = processing
        self._watermarks = watermarks
        self._storehouse = parts.storehouse
        self._lanes = parts.lanes
        self._limits = parts.settings.limits
        self._read_into = READ_INTO + parts.facts_id
        self._metrics = parts.metrics
        self._health = parts.health
        self._errors = parts.errors
        self._stopping = parts.stopping
        self._merge = Merge(parts.lanes, parts.settings.limits.batch_records, parts.settings.limits.batch_bytes)
        self._rewinding: list[tuple[Lane, int]] = []
        self._aborts = 0
        self._began = 0.0
        self._committed_at = 0.0

    def run(self, assignment: Assignment, upkeep: Sequence[Callable[[], None]]) -> None:
        """Turn until asked to stop; what was taken is committed when this returns.

        Args:
            assignment: Brings and takes partitions; subscribed already.
            upkeep: Called once a turn, must not block.

        Raises:
            Stop: The worker cannot go on.
        """
        self._assignment = assignment
        while not self._stopping.is_set():
            self._health.beat()
            self._errors.raise_deadly()
            self._turn()
            self._health.ready = assignment.ready
            for step in upkeep:
                step()

    def finish(self) -> None:
        """End the open transaction because partitions go: commit it if that is possible (ER-19)."""
        if self._transaction.is_open:
            try:
                self._commit()
            except MustAbort as why:
                self._undo(why.reason)

    def abandon(self) -> None:
        """Abort the open transaction because partitions were lost (ER-20)."""
        if self._transaction.is_open:
            self._undo("lost")

    def _turn(self) -> None:
        busy = self._assignment.busy
        if busy:
            self._assignment.bring()
        try:
            waiting = self._merge.holds > 0
            first = self._consumer.poll(0 if waiting else _BUSY if busy else _IDLE)
            records = self._received([] if first is None else [first])  # a message is falsy when its value is empty (ER-30)
            self._transaction.serve()
            if records or waiting:
                self._fill(records)
            self._tell()
            self._commit()
        except MustAbort as why:
            self._abort(why)

    def _fill(self, records: Sequence[Message]) -> None:
        """Step 3. Caught up: what is there now. Behind: until a limit (ER-10)."""
        processing, limits, consume = self._processing, self._limits, self._consumer.consume
        self._began = time.monotonic()
        room = limits.batch_records
        while records:
            processing.take(self._merge.arrange(records, room))
            now = time.monotonic()
            room = limits.batch_records - processing.records
            if room <= 0 or processing.size >= limits.batch_bytes or now - self._began >= limits.batch_time:
                return
            wait = _MORE if processing.records >= _BACKLOG else self._committed_at + _GAP - now
            records = self._received(consume(min(room, _CHUNK), max(wait, 0.0)))
        processing.take(self._merge.rest(room))

    def _tell(self) -> None:
        """The watermarks of step 4; not from within a callback, where records are on their way that nobody has taken."""
        self._watermarks.step()
        watermarks = self._watermarks.due()
        if watermarks:
            if not self._transaction.is_open:
                self._began = time.monotonic()
            self._processing.tell(watermarks, self._watermarks.delivered)

    def _received(self, records: list[Message]) -> list[Message]:
        """What may be taken of what consume() returned, if partitions came, went or are to be read again (ER-21)."""
        if not self._assignment.changed and not self._rewinding:
            return records
        again = {lane.place for lane, _ in self._rewinding}
        kept = []
        for record in records:
            place = (record.topic(), record.partition())
            if record.error() is not None or (place in self._lanes and place not in again):
                kept.append(record)
        self._assignment.settle()
        self._rewind()
        return kept

    def _commit(self) -> None:
        """Steps 4 to 6."""
        if not self._transaction.is_open:  # nothing came, or a callback has ended it
            return
        touched = self._processing.touched
        began = time.monotonic()
        self._processing.complete()
        offsets = [TopicPartition(lane.topic, lane.partition, lane.next, self._read_into) for lane in touched]
        if any(self._lanes.get(lane.place) is not lane for lane in touched):  # the broker would not notice (ER-7)
            raise Stop(BUG, "a bug in funnelstream: offsets of partitions that are not owned were about to be committed")
        self._transaction.commit(offsets, self._consumer.consumer_group_metadata())
        self._committed_at = time.monotonic()
        self._store(touched)
        self._measure(touched, self._committed_at - began)
        for lane in touched:
            lane.settle(committed=True)
        self._processing.forget()
        self._aborts = 0

    def _store(self, touched: Sequence[Lane]) -> None:
        """Step 6: the store follows the acknowledged commit."""
        writes = {lane.partition: lane.overlay.pending for lane in touched if lane.overlay is not None}
        if writes:
            now, reached = time.time(), self._processing.positions
            self._transaction.await_reports(lambda: reached.keys() >= writes.keys())
            self._storehouse.store.apply(writes, {partition: Position(reached[partition], now) for partition in writes})

    def _abort(self, why: MustAbort) -> None:
        """Abort, seek back, back off (ER-18); polling goes on with the next turn."""
        self._undo(why.reason)
        log.warning("transaction aborted, its records are read again: %s", why)
        self._refuse_what_never_works(why)
        self._received([])
        self._stopping.wait(min(0.05 * 2**self._aborts, _LONGEST_BACKOFF))

    def _undo(self, reason: str) -> None:
        """Abort and forget; remember where to read again."""
        self._transaction.abort()
        for lane in self._processing.touched:
            if lane.start is not None:
                self._rewinding.append((lane, lane.start))
            lane.settle(committed=False)
        self._processing.forget()
        self._metrics.aborts.labels(reason).inc()
        self._aborts += 1

    def _refuse_what_never_works(self, why: MustAbort) -> None:
        """End for a record that no repetition delivers, or after too many aborts (ER-11, ER-18)."""
        undelivered = self._transaction.undelivered()
        if undelivered is not None and undelivered[0].code() in _FOR_GOOD:
            error, topic = undelivered
            raise Stop(ENVIRONMENT, f"a record could not be delivered to {topic}: {error.str()}: {_FOR_GOOD[error.code()]}")
        if self._aborts >= _MOST_ABORTS:
            raise Stop(
                AGAIN, f"{self._aborts} transactions in a row were aborted, the last because of: {why}. A restart is exact."
            )

    def _rewind(self) -> None:
        """Read again what an abort gave back; partitions that went in the meantime begin at their committed offsets anyway."""
        rewinding, self._rewinding = self._rewinding, []
        for lane, start in rewinding:
            if self._lanes.get(lane.place) is not lane:
                continue
            try:
                self._consumer.seek(TopicPartition(lane.topic, lane.partition, start))
            except KafkaException as raised:
                why = error_of(raised).str()
                sentence = f"{lane.topic} partition {lane.partition} could not be read again: {why}. A restart is exact."
                raise Stop(AGAIN, sentence) from raised

    def _measure(self, touched: Sequence[Lane], seconds: float) -> None:
        metrics, processing = self._metrics, self._processing
        metrics.commits.inc()
        metrics.commit_seconds.observe(seconds)
        metrics.batch_seconds.observe(self._committed_at - self._began)
        metrics.batch_records.observe(processing.records)
        metrics.last_commit.set(time.time())
        for lane in touched:
            if lane.overlay is None:
                metrics.records.labels(lane.source, lane.topic).inc(lane.taken)
                if lane.frontier.telling > 0:
                    metrics.watermark.labels(lane.topic, str(lane.partition)).set(lane.frontier.telling / 1e6)
            else:
                metrics.facts_read.inc(lane.taken)
                metrics.stream_time.set(lane.stamp / 1000)
        metrics.count(processing.counts)
