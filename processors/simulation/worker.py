"""A worker in memory: drives the topology over `Partitions` as the engine does over Kafka, and crashes when it is told to.

What it shares with the engine is the contract (`engine.loop`, `engine.processing`): several records of several partitions make
one transaction; facts leave it in event-time order, snapshots and rows as the last value of their key; outputs, changelog and
offsets commit together; the store follows the commit, and a restart brings it to the end of the changelog.
"""

from collections import Counter, defaultdict
from zlib import crc32

import msgspec

from processors.metrics.cells import Posting
from processors.simulation.partitions import Logged, Partitions, Produced
from processors.simulation.schedule import FACTS, Arrive, Case, Clock, Commit, Crash, Lane, Step, Take, Watermark
from processors.sources.statement import SourceRecord
from processors.state.memory import MemoryStore
from processors.state.overlay import Overlay
from processors.state.rows import RESERVED, Position
from processors.topology.effects import Count, FactsRecord, Publish
from processors.topology.program import Program
from processors.topology.topology import Topology
from schemas.facts import Watermark as WatermarkMessage

CHANGELOG = "changelog"
MARK = RESERVED + b"mark"
"""The worker's own row behind each facts partition: up to which fact the rows reach (ER-25)."""

_encode = msgspec.msgpack.Encoder().encode


class Torn(Exception):
    """Rows and offsets that do not belong together were found at a restart."""


class _Crashed(Exception):
    """The effect at which the worker was to crash has been reached."""


class Worker:
    """One worker that owns every partition.

    Attributes:
        partitions: The topics.
        store: The rows behind the facts partitions.
        counts: What committed transactions counted.
        crashes: Crashes that came about.
        transactions: Transactions that were committed.
    """

    def __init__(self, case: Case, program: Program, start: int) -> None:
        self.partitions = Partitions(start)
        self.store = MemoryStore()
        self.counts: Counter[Count] = Counter()
        self.crashes = 0
        self.transactions = 0
        self._case = case
        self._program = program
        self._fuse: Crash | None = None
        self._begin()

    # --- the life of a process -------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """A process starts with what the store and the group know."""
        self._topology = Topology(self._program)
        self._overlays = {partition: Overlay(self.store, partition) for partition in range(self._case.partitions)}
        for partition in self._overlays:
            self._restore(partition)
        self._forget()

    def _restore(self, partition: int) -> None:
        """Bring the store to the end of the changelog, and see that its rows belong to the group's offset."""
        lane = Lane(CHANGELOG, partition)
        position = self.store.position(partition)
        logged = self.partitions.read(lane, position.offset if position is not None else 0)
        rows = {record.key or b"": record.value for record in logged}
        self.store.apply({partition: rows}, {partition: Position(self.partitions.end(lane), 0.0)})
        mark, committed = self.store.get(partition, MARK), self.partitions.committed[Lane(FACTS, partition)]
        if committed != (int(mark) if mark is not None else 0):
            raise Torn(f"the rows of facts partition {partition} reach {mark!r}, and the group's offset is {committed}")

    def _forget(self) -> None:
        """The next transaction begins with nothing, where the group's offsets are."""
        for overlay in self._overlays.values():
            overlay.clear()
        self._produced: list[Produced] = []
        self._facts: list[tuple[Publish, Lane]] = []
        self._watermarks: list[tuple[Publish, Lane]] = []
        self._snapshots: dict[bytes, tuple[Publish, Lane]] = {}
        self._postings: defaultdict[int, list[Posting]] = defaultdict(list)
        self._counted: Counter[Count] = Counter()
        self._next: dict[Lane, int] = {}

    def _crash(self, how: Crash) -> None:
        self.crashes += 1
        self.partitions.abort(self._produced)
        if how.leaves == "process":
            for partition in self._overlays:
                self._restore(partition)
            self._forget()
            return
        if how.leaves == "nothing":
            self.store = MemoryStore()
        self._begin()

    def _boundary(self) -> None:
        """Before every effect: here a crash may come."""
        if self._fuse is None:
            return
        if self._fuse.after == 0:
            raise _Crashed
        self._fuse = self._fuse._replace(after=self._fuse.after - 1)

    # --- steps -----------------------------------------------------------------------------------------------------

    def perform(self, step: Step) -> None:
        """Do one step, or crash in the middle of it."""
        try:
            self._perform(step)
        except _Crashed:
            how, self._fuse = self._fuse, None
            assert how is not None
            self._crash(how)

    def _perform(self, step: Step) -> None:
        match step:
            case Arrive(lane, at, value):
                self.partitions.append(lane, at, value)
            case Take(lane, records):
                self._take(lane, records)
            case Watermark(lane, at):
                self._watermark(lane, at)
            case Commit():
                self._commit()
            case Crash():
                self._fuse = step
            case Clock(by):
                self.partitions.now += by

    def drain(self) -> None:
        """Read until nothing is left, in transactions of whatever is there."""
        while waiting := [lane for lane in self._case.lanes() if self._waiting(lane)]:
            for lane in waiting:
                self.perform(Take(lane, 1 << 30))
            self.perform(Commit())

    def _waiting(self, lane: Lane) -> bool:
        return bool(self._next) or bool(self.partitions.read(lane, self._position(lane), 1))

    def _position(self, lane: Lane) -> int:
        return self._next.get(lane, self.partitions.committed[lane])

    # --- one transaction -------------------------------------------------------------------------------------------

    def _take(self, lane: Lane, most: int) -> None:
        for record in self.partitions.read(lane, self._position(lane), most):
            if lane.topic == FACTS:
                self._advance(lane, record)
            else:
                self._ingest(lane, record)
            self._next[lane] = record.offset + 1

    def _ingest(self, lane: Lane, record: Logged) -> None:
        effects = self._topology.ingest(source_record(lane, record))
        assert not effects.rows, "ingest has no state"
        for publish in effects.published:
            if publish.event_time is None:
                self._produce(publish, lane)
            else:
                self._facts.append((publish, lane))
        self._counted.update(effects.counts)

    def _advance(self, lane: Lane, record: Logged) -> None:
        overlay = self._overlays[lane.partition]
        effects = self._topology.advance(FactsRecord(record.value or b"", lane.partition, record.offset, record.at), overlay)
        for publish in effects.published:
            self._produce(publish, lane)
        overlay.put(effects.rows)
        self._snapshots.update({key: (publish, lane) for key, publish in effects.snapshots.items()})
        self._postings[lane.partition] += effects.postings
        self._counted.update(effects.counts)

    def _watermark(self, lane: Lane, at: int) -> None:
        message = WatermarkMessage(source=lane, at=at, sources=self._case.source_lanes())
        for partition in range(self._case.partitions):
            self._watermarks.append((Publish("facts", None, _encode(message), [], partition=partition), lane))

    def _produce(self, publish: Publish, origin: Lane) -> None:
        partition = 0
        if publish.topic == FACTS:
            addressed = publish.partition
            partition = crc32(publish.key or b"") % self._case.partitions if addressed is None else addressed
        self._send(Lane(publish.topic, partition), publish.key, publish.value, publish, origin)

    def _send(self, lane: Lane, key: bytes | None, value: bytes | None, publish: Publish | None, origin: Lane) -> None:
        self._boundary()
        self._produced.append(Produced(lane, key, value, publish.headers if publish is not None else [], origin))

    def _commit(self) -> None:
        if not self._next and not self._watermarks:
            return
        self._facts.sort(key=_event_time)
        for publish, origin in (*self._facts, *self._watermarks, *self._snapshots.values()):
            self._produce(publish, origin)
        self._write_sums()
        changed = self._mirror()
        self._boundary()
        self.partitions.commit(self._produced, self._next)
        self._produced = []  # from here on they stand, whatever happens
        self.transactions += 1
        self.counts += self._counted
        self._boundary()
        positions = {partition: Position(self.partitions.end(Lane(CHANGELOG, partition)), 0.0) for partition in changed}
        self.store.apply(changed, positions)
        self._forget()

    def _write_sums(self) -> None:
        for partition, postings in self._postings.items():
            overlay, lane = self._overlays[partition], Lane(FACTS, partition)
            effects = self._topology.post(
                postings, overlay, FactsRecord(b"", partition, self._next[lane] - 1, self.partitions.now)
            )
            for publish in effects.published:
                self._produce(publish, lane)
            overlay.put(effects.rows)

    def _mirror(self) -> dict[int, dict[bytes, bytes | None]]:
        """Every changed row to the changelog, the mark last; the rows by partition."""
        changed: dict[int, dict[bytes, bytes | None]] = {}
        for lane, offset in self._next.items():
            if lane.topic != FACTS:
                continue
            rows = self._overlays[lane.partition].pending
            assert not any(key.startswith(RESERVED) for key in rows), "such keys are the engine's"
            rows[MARK] = str(offset).encode()
            changed[lane.partition] = rows
            for key, value in rows.items():
                self._send(Lane(CHANGELOG, lane.partition), key, value, None, lane)
        return changed


def source_record(lane: Lane, record: Logged) -> SourceRecord:
    """A record of a source partition, as `ingest` takes it."""
    return SourceRecord(lane.topic, f"{lane.topic}.records", lane.partition, record.offset, record.at, None, record.value)


def _event_time(fact: tuple[Publish, Lane]) -> int:
    return fact[0].event_time or 0
