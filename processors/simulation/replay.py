"""Replay: files through the same topology, so that definitions can be tried on real records without Kafka.

Each file is read in its own order; of the next records of all files the one with the earliest event time comes first,
so that a file that is out of order shows what late facts do. The largest event time read so far is the broker time,
and so the recorded time: a replay has no clock of its own and gives the same bytes every time.
"""

import base64
import heapq
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from processors.sources.statement import SourceRecord, Undecodable
from processors.state.overlay import Overlay
from processors.state.rows import Store
from processors.topology.effects import Effects, FactsRecord, Publish, Topic
from processors.topology.program import Program, SourcePlan
from processors.topology.topology import Topology
from schemas.instants import MILLISECOND

PARTITION = 0
"""A replay has one facts partition."""


class Line(NamedTuple):
    """One line of an input file: a raw record value, or what its envelope says."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    timestamp: int | None
    """Kafka time in microseconds; None without an envelope."""


class Input(NamedTuple):
    """A file of records of one source."""

    source: str
    topic: str
    lines: Iterator[Line]


class _Head(NamedTuple):
    """The next record of a file. Ordered by its time, then by file and line, so that equal times come in one order."""

    at: int
    file: int
    number: int
    line: Line


class Replay:
    """Runs inputs through the topology; see the module."""

    def __init__(self, program: Program, store: Store) -> None:
        self._program = program
        self._topology = Topology(program)
        self._store = store
        self._offset = 0
        self.now = 0
        """The largest event time read so far, in microseconds."""

    def run(self, inputs: list[Input], as_of: int | None, start: int) -> Iterator[Effects]:
        """The effects of every record, in order.

        Args:
            inputs: Files with the source each belongs to.
            as_of: Last watermark in microseconds; records later than this are not read.
            start: What the time is for records that come before any that names one, in microseconds.
        """
        heads: list[_Head] = []
        for file, given in enumerate(inputs):
            self._push(heads, inputs, file, 0, next(given.lines, None))
        while heads:
            head = heapq.heappop(heads)
            if as_of is not None and head.at > as_of:
                return
            self.now = max(self.now, head.at)
            given = inputs[head.file]
            record = self._record(given, head, self.now or start)
            yield from self._take(record)
            self._push(heads, inputs, head.file, head.number + 1, next(given.lines, None))

    def _push(self, heads: list[_Head], inputs: list[Input], file: int, number: int, line: Line | None) -> None:
        if line is not None:
            at = line.timestamp if line.timestamp is not None else self._event_time(inputs[file], line)
            heapq.heappush(heads, _Head(at if at is not None else self.now, file, number, line))

    def _event_time(self, given: Input, line: Line) -> int | None:
        """The latest event time of a record's statements; None where it names none."""
        plan: SourcePlan = self._program.sources[given.source]
        record = SourceRecord(given.source, given.topic, 0, 0, 0, line.key, line.value, line.headers)
        try:
            times = [said.occurred_at for said in plan.decoder.decode(record).statements if said.occurred_at is not None]
        except Undecodable:
            return None
        return max(times, default=None)

    def _record(self, given: Input, head: _Head, now: int) -> SourceRecord:
        line = head.line
        time = line.timestamp if line.timestamp is not None else now
        return SourceRecord(given.source, given.topic, head.file, head.number, time, line.key, line.value, line.headers)

    def _take(self, record: SourceRecord) -> Iterator[Effects]:
        effects = self._topology.ingest(record)
        facts = [publish for publish in effects.published if publish.topic == "facts"]
        effects.published = [publish for publish in effects.published if publish.topic != "facts"]
        yield effects
        for publish in facts:
            yield self._advance(publish, max(self.now, record.timestamp))

    def _advance(self, publish: Publish, now: int) -> Effects:
        rows = Overlay(self._store, PARTITION)
        effects = self._topology.advance(FactsRecord(publish.value or b"", PARTITION, self._offset, now), rows)
        self._offset += 1
        self._store.apply({PARTITION: effects.rows}, {})
        effects.published += effects.snapshots.values()
        return effects


def raw_lines(lines: Iterator[bytes]) -> Iterator[Line]:
    """One raw record value per line; empty lines are passed over."""
    return (Line(None, line.rstrip(b"\r\n"), [], None) for line in lines if line.strip())


class Malformed(ValueError):
    """A line of an input with `--envelope` is no envelope."""


def enveloped_lines(lines: Iterator[bytes], name: str) -> Iterator[Line]:
    """Lines that are `{"key", "value", "headers", "timestamp"}`.

    Value and key are as `written` writes them, the timestamp is in milliseconds.

    Raises:
        Malformed: A line is not of that shape; the message names file and line.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            envelope = msgspec.json.decode(line, type=dict[str, Any])
            headers = [(str(key), read(value)) for key, value in (envelope.get("headers") or {}).items()]
            yield Line(read(envelope.get("key")), read(envelope.get("value")), headers, int(envelope["timestamp"]) * MILLISECOND)
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise Malformed(
                f'{name}:{number}: the line is no envelope ({error}); write {{"key", "value", "headers", "timestamp"}} with the '
                "timestamp in milliseconds, or leave out --envelope"
            ) from error


def read(written_value: Any) -> bytes | None:
    """Bytes of a key or value in an envelope: text as it is, `{"base64": ...}` decoded, anything else as JSON."""
    if written_value is None:
        return None
    if isinstance(written_value, str):
        return written_value.encode()
    if isinstance(written_value, Mapping) and set(written_value) == {"base64"}:
        return base64.b64decode(written_value["base64"])
    return msgspec.json.encode(written_value)


def written(content: bytes | None) -> Any:
    """How an output line writes a key or value: JSON where it is JSON, else text, else `{"base64": ...}`."""
    if content is None:
        return None
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        pass
    try:
        return content.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode()}


FILES: Mapping[Topic, str] = {
    "transitions": "transitions.ndjson",
    "conversions": "conversions.ndjson",
    "leads": "leads.ndjson",
    "dead_letters": "dead-letters.ndjson",
}
"""Output files by topic."""


def output_line(publish: Publish) -> bytes:
    """A record as a line of its output file, `{"key", "headers", "value"}`."""
    headers = {name: None if value is None else value.decode("utf-8", "replace") for name, value in publish.headers}
    return msgspec.json.encode({"key": written(publish.key), "headers": headers, "value": written(publish.value)}) + b"\n"
