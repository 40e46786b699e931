"""Replay: files through the same topology, so that definitions can be tried on real records without Kafka.

Each file is read in its own order; of the next records of all files the one with the earliest event time comes first,
so that a file that is out of order shows what late facts do. The largest event time read so far is the broker time, and so
the recorded time and the watermark; what comes before any record that names a time takes the earliest of the first times that
the files name, or where there is none `limits.past`. A replay has no clock: the same files give the same bytes every time.
"""

import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import chain, islice
from typing import NamedTuple

import msgspec

from processors.metrics.cells import Posting
from processors.simulation.lines import Line
from processors.sources.statement import SourceRecord, Undecodable
from processors.state.overlay import Overlay
from processors.state.rows import Store
from processors.topology.effects import Effects, FactsRecord
from processors.topology.program import Program, SourcePlan
from processors.topology.topology import Topology
from schemas.facts import Continue, Watermark
from schemas.instants import FIRST, LAST, format_instant

PARTITION = 0
"""A replay has one facts partition."""

_SOURCE = ("replay", 0)
"""The one source partition that a replay's watermarks speak for: all files together."""

_encode = msgspec.msgpack.Encoder().encode

_POSTED_AT = 100_000
"""Postings after which they are made sums; a transaction of a worker has about as many at most."""
LOOKED_AHEAD = 1_000
"""Records of each file among which the first time is looked for before the replay begins."""


class Input(NamedTuple):
    """A file of records of one source; `file` is its name as the user wrote it."""

    source: str
    topic: str
    file: str
    lines: Iterator[Line]


class _Head(NamedTuple):
    """The next record of a file. Ordered by its time, then by file and line, so that equal times come in one order."""

    at: int
    file: int
    number: int
    line: Line
    timed: bool
    """Whether it names its time; else it takes that of what was read before it."""


class Untimed(NamedTuple):
    """The records with facts that named no time: how many, and the first and the last instant that they were given."""

    records: int
    first: int
    last: int

    def taken(self, at: int) -> "Untimed":
        """With one more."""
        return Untimed(self.records + 1, min(self.first, at), max(self.last, at)) if self.records else Untimed(1, at, at)


class Failed(Exception):
    """The core raised on a record, which is a bug of ours and never the record's fault; the cause is what it raised."""


class Replay:
    """Runs inputs through the topology; see the module."""

    def __init__(self, program: Program, store: Store) -> None:
        self._program = program
        self._topology = Topology(program)
        self._store = store
        self._offset = 0
        self._postings: list[Posting] = []
        self.now = program.past
        """The largest event time read so far, in microseconds; before the first one, when the replay began."""
        self.untimed = Untimed(0, 0, 0)
        self.begins = min((lineage.versions[0].effective_from for lineage in program.funnels), default=0)
        """From when on any definition applies."""
        self.too_early = 0
        """Records with a fact before that."""

    def run(self, inputs: list[Input], as_of: int | None) -> Iterator[Effects]:
        """The effects of every record, in order.

        Args:
            inputs: Files with the source each belongs to.
            as_of: Last watermark in microseconds; records later than this are not read, timers fire until then.

        Raises:
            Failed: The core raised on a record; the message names its file and line.
            Malformed: A line is no envelope.
        """
        inputs = self._begin(inputs)
        heads: list[_Head] = []
        for file, given in enumerate(inputs):
            self._push(heads, inputs, file, 0, next(given.lines, None))
        while heads:
            head = heapq.heappop(heads)
            if as_of is not None and head.at > as_of:
                break
            if head.at > self.now:
                self.now = head.at
                yield from self._pass_time()
            given = inputs[head.file]
            yield from self._take(given, head)
            if len(self._postings) >= _POSTED_AT:
                yield self._post()
            self._push(heads, inputs, head.file, head.number + 1, next(given.lines, None))
        if as_of is not None and as_of > self.now:
            self.now = as_of
            yield from self._pass_time()
        yield self._post()

    def _begin(self, inputs: list[Input]) -> list[Input]:
        """Set the time to the earliest of the files' first times; nothing that was looked at is lost."""
        begun, times = [], []
        for given in inputs:
            seen = []
            for line in islice(given.lines, LOOKED_AHEAD):
                seen.append(line)
                time = self._time(given, line)
                if time is not None and time >= self._program.past:
                    times.append(time)
                    break
            begun.append(given._replace(lines=chain(seen, given.lines)))
        self.now = min(times, default=self._program.past)
        return begun

    def _push(self, heads: list[_Head], inputs: list[Input], file: int, number: int, line: Line | None) -> None:
        if line is not None:
            at = self._time(inputs[file], line)
            heapq.heappush(heads, _Head(at if at is not None else self.now, file, number, line, at is not None))

    def _time(self, given: Input, line: Line) -> int | None:
        """The Kafka time of a record, else the latest event time of its statements; None where it names none that is one."""
        if line.timestamp is not None:
            return line.timestamp if FIRST <= line.timestamp <= LAST else None
        plan: SourcePlan = self._program.sources[given.source]
        record = SourceRecord(given.source, given.topic, 0, 0, 0, line.key, line.value, line.headers)
        with _naming(given, line):
            try:
                statements = plan.decoder.decode(record).statements
            except Undecodable:
                return None
        return max((said.occurred_at for said in statements if said.occurred_at is not None), default=None)

    def _record(self, given: Input, head: _Head) -> SourceRecord:
        line = head.line
        time = line.timestamp if line.timestamp is not None else self.now
        return SourceRecord(given.source, given.topic, head.file, head.number, time, line.key, line.value, line.headers)

    def _take(self, given: Input, head: _Head) -> Iterator[Effects]:
        record = self._record(given, head)
        with _naming(given, head.line):
            effects = self._topology.ingest(record)
        facts = [publish for publish in effects.published if publish.topic == "facts"]
        effects.published = [publish for publish in effects.published if publish.topic != "facts"]
        if facts and not head.timed:
            self.untimed = self.untimed.taken(record.timestamp)
        self.too_early += any(publish.event_time is not None and publish.event_time < self.begins for publish in facts)
        yield effects
        for publish in facts:
            with _naming(given, head.line):
                effects = self._advance(publish.value or b"")
            yield effects

    def _pass_time(self) -> Iterator[Effects]:
        """The watermark is the largest event time read so far: what is due by then fires before the next record."""
        if not self._topology.timed:
            return
        message: Watermark | Continue | None = Watermark(source=_SOURCE, at=self.now, sources=(_SOURCE,))
        while message is not None:
            try:
                effects = self._advance(_encode(message))
            except Exception as error:
                raise Failed(f"a timer could not be fired at {format_instant(self.now)} ({type(error).__name__})") from error
            goes_on = any(publish.topic == "facts" for publish in effects.published)
            effects.published = [publish for publish in effects.published if publish.topic != "facts"]
            message = Continue() if goes_on else None
            yield effects

    def _advance(self, value: bytes) -> Effects:
        rows = Overlay(self._store, PARTITION)
        effects = self._topology.advance(FactsRecord(value, PARTITION, self._offset, self.now), rows)
        self._offset += 1
        self._store.apply({PARTITION: effects.rows}, {})
        effects.published += effects.snapshots.values()
        self._postings += effects.postings
        return effects

    def _post(self) -> Effects:
        """Make sums of what the records since the last time contribute, as a worker does at the end of a transaction."""
        postings, self._postings = self._postings, []
        effects = self._topology.post(
            postings, Overlay(self._store, PARTITION), FactsRecord(b"", PARTITION, self._offset - 1, self.now)
        )
        self._store.apply({PARTITION: effects.rows}, {})
        return effects


@contextmanager
def _naming(given: Input, line: Line) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise Failed(f"{given.file}:{line.number}: the record could not be processed ({type(error).__name__})") from error
