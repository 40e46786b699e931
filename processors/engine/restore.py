"""Brings the rows behind facts partitions up to the end of their changelog, in slices, while the loop keeps polling (ER-24).

For each partition, in this order (ER-22): the group's committed offset, which `starts.py` has asked for; then the ends of the
changelog; then a group-less read_committed reader from where the store is to be trusted, until its position has reached the
end; then the check that rows, offsets and definitions belong together (ER-25). One reader serves all partitions.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence

from confluent_kafka import Consumer, KafkaError, Message, TopicPartition

from processors.engine import mark
from processors.engine.definition_change import check_change
from processors.engine.offsets import Bounds, BoundsQuestion
from processors.engine.parts import Parts
from processors.engine.progress import Progress, no_progress
from processors.engine.settings import make_client
from processors.engine.starts import Start
from processors.engine.stop import ENVIRONMENT, Stop
from processors.engine.triage import Verdict, triage
from processors.state.rows import Position
from schemas.instants import SECOND

log = logging.getLogger(__name__)

_SLICE_RECORDS = 10_000
_SLICE = 0.02
"""Seconds that a slice may wait for records."""
TOMBSTONES_KEPT = 23 * 3600.0
"""Seconds. Brokers keep tombstones for `delete.retention.ms`, 24 h: an older store may hold rows that were deleted since."""
_CLOCKS_APART = 1800.0
"""Seconds that a clock may have been put back since a store was written; with more nobody can say how old it is."""
_MARKER = 1
"""Offsets behind the last row: the commit marker. Nothing was written since, so a store is complete however old it looks."""


class _Partition:
    """How far the restore of one partition has come."""

    def __init__(self, number: int, facts: Start, question: BoundsQuestion) -> None:
        self.number = number
        self.facts = facts
        self.question = question
        self.bounds = Bounds(0, 0)
        self.start = 0
        self.position = 0
        self.reading = False
        self.answered = False
        self.moved_at = time.monotonic()

    def complete(self) -> bool:
        """The reader has passed the end, or was at least answered where nothing is to be read: a missing permission shows."""
        return self.reading and self.answered and self.position >= self.bounds.end


class Restorer:
    """Restores partitions until each is complete; owns the reader while there is anything to read."""

    def __init__(self, parts: Parts) -> None:
        """Wire a restorer."""
        settings = parts.settings
        self._admin = parts.admin
        self._errors = parts.errors
        self._reader_settings = parts.clients.reader() | parts.errors.options()
        self._facts, self._changelog = settings.topics.facts, settings.topics.changelog
        self._definitions, self._partitions = parts.definitions, parts.partitions
        self._patience = settings.restore_patience
        self._storehouse = parts.storehouse
        self._metrics = parts.metrics
        self._reader: Consumer | None = None
        self._active: dict[int, _Partition] = {}
        self._progress = Progress(parts.metrics)

    @property
    def busy(self) -> bool:
        """Whether any partition is not restored yet."""
        return bool(self._active)

    def add(self, partition: int, facts: Start) -> None:
        """Begin to restore the rows behind a facts partition, of which the brokers say so much."""
        self._active[partition] = _Partition(partition, facts, BoundsQuestion(self._admin, (self._changelog, partition)))

    def remove(self, partitions: Iterable[int]) -> None:
        """Forget partitions that were revoked; what was restored of them stays in the store."""
        for partition in partitions:
            restoring = self._active.pop(partition, None)
            if restoring is not None and restoring.reading and self._reader is not None:
                self._reader.incremental_unassign([TopicPartition(self._changelog, partition)])

    def slice(self) -> list[int]:
        """Do a bounded piece of work.

        Returns:
            The partitions that are restored and checked now.

        Raises:
            Stop: A restore makes no progress, or what was restored must not be used.
        """
        if not self._storehouse.ready():
            return []
        self._start_reading()
        self._read()
        done = [restoring for restoring in self._active.values() if restoring.complete()]
        for restoring in done:
            self._finish(restoring)
        self._check_patience()
        self._progress.show((p.start, p.position, p.bounds.end) for p in self._active.values() if p.reading)
        if not self.busy:
            self.close()
        return [restoring.number for restoring in done]

    def close(self) -> None:
        """Close the reader."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._progress.end()

    def _start_reading(self) -> None:
        """Step 2: the ends of the changelog, then the reader from where the store is to be trusted."""
        for restoring in self._active.values():
            if restoring.reading or (bounds := restoring.question.answer()) is None:
                continue
            restoring.bounds = bounds
            restoring.start = restoring.position = self._trusted_start(restoring.number, bounds)
            restoring.reading = True
            restoring.moved_at = time.monotonic()
            if self._reader is None:
                self._reader = make_client(Consumer, self._reader_settings)
            self._reader.incremental_assign([TopicPartition(self._changelog, restoring.number, restoring.start)])

    def _trusted_start(self, partition: int, bounds: Bounds) -> int:
        """Where to read on; a store that cannot be trusted is emptied first (ER-26)."""
        position = self._storehouse.store.position(partition)
        if position is None:
            why = ""
        elif position.offset > bounds.end:
            why = f"reaches offset {position.offset}, ahead of the changelog's end {bounds.end}"
        elif position.offset < bounds.earliest:
            why = f"reaches offset {position.offset}, before the changelog's beginning {bounds.earliest}"
        elif bounds.end - position.offset <= _MARKER:
            return position.offset
        elif (age := time.time() - position.written_at) > TOMBSTONES_KEPT:
            why = "is older than the changelog keeps tombstones"
        elif age < -_CLOCKS_APART:
            why = f"was written {-age / 3600:.1f} h in the future: a clock was set, so its age is not known"
        else:
            return position.offset
        if why:
            log.warning("store of %s partition %d %s: emptied, restoring in full", self._facts, partition, why)
        self._storehouse.store.drop_partition(partition)
        return bounds.earliest

    def _read(self) -> None:
        """Step 3: one slice of records, applied as they come; only committed ones are seen."""
        if self._reader is None:
            return
        messages = self._reader.consume(_SLICE_RECORDS, _SLICE)
        writes: defaultdict[int, dict[bytes, bytes | None]] = defaultdict(dict)
        for message in messages:
            number: int = message.partition()  # type: ignore[assignment]  # records and their errors have a place
            if (error := message.error()) is not None:
                self._meet(error, number)
            elif number in self._active:
                key = message.key()
                writes[number][key if isinstance(key, bytes) else b""] = message.value()
                self._active[number].answered = True
        self._metrics.restored_rows.inc(sum(map(len, writes.values())))
        positions = self._positions(messages)
        if writes:
            self._storehouse.store.apply(writes, {number: positions[number] for number in writes})

    def _positions(self, messages: Sequence[Message]) -> dict[int, Position]:
        """Where the reader stands: past markers and aborted records too, which position() passes and records do not show."""
        assert self._reader is not None
        reading = [TopicPartition(self._changelog, p.number) for p in self._active.values() if p.reading]
        now = time.time()
        positions = {}
        for answer in self._reader.position(reading):
            restoring = self._active[answer.partition]
            if answer.offset > restoring.position:  # -1001 until the first record
                restoring.position = answer.offset
                restoring.answered = True
                restoring.moved_at = time.monotonic()
            positions[answer.partition] = Position(restoring.position, now)
        return positions

    def _meet(self, error: KafkaError, number: int) -> None:
        """An event or error of the reader."""
        if error.code() == KafkaError._PARTITION_EOF:
            if number in self._active:
                self._active[number].answered = True
            return
        if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            raise Stop(
                ENVIRONMENT,
                f"{self._changelog} partition {number} was truncated while it was restored ({error.str()}): if it was recreated, "
                "state is lost; else start again",
            )
        if triage(error) in (Verdict.EXIT, Verdict.FORBIDDEN):
            raise self._errors.ending(error, "reading the changelog", self._changelog)
        log.debug("reading the changelog: %s", error.str())

    def _finish(self, restoring: _Partition) -> None:
        """Step 4: the rows are complete; do they belong to the offsets, the topics and the definitions of this worker?"""
        number = restoring.number
        self.remove([number])
        self._storehouse.store.apply({}, {number: Position(max(restoring.position, restoring.start), time.time())})
        row = self._storehouse.store.get(number, mark.KEY)
        place = f"{self._facts} partition {number}"
        found = mark.check(row, restoring.facts.committed, self._partitions, place)
        mark.check_unread(restoring.facts.log, restoring.facts.committed, place)
        if found is not None:  # looked at for all partitions before joining; a commit of a worker that died may have come since
            check_change({place: found}, self._definitions, round(time.time() * SECOND))

    def _check_patience(self) -> None:
        now = time.monotonic()
        for restoring in self._active.values():
            if now - restoring.moved_at > self._patience:
                place = (self._changelog, restoring.number)
                raise no_progress(self._admin, place, restoring.position, restoring.bounds.end, self._patience)
