"""The files of a replay, line by line: records as they were sent, or in envelopes with key, headers and time; and what it writes.

Whatever bytes a key or value has, an output line can be read back: JSON stands as JSON, text as text, the rest as base64.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import msgspec

from processors.topology.effects import Publish, Topic
from schemas.instants import MILLISECOND


class Line(NamedTuple):
    """One line of an input file: a raw record value, or what its envelope says."""

    number: int
    """From 1, as an editor counts them."""
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes | None]]
    timestamp: int | None
    """Kafka time in microseconds; None without an envelope."""


def raw_lines(lines: Iterator[bytes]) -> Iterator[Line]:
    """One raw record value per line; empty lines are passed over."""
    return (Line(number, None, line.rstrip(b"\r\n"), [], None) for number, line in enumerate(lines, 1) if line.strip())


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
            timestamp = int(envelope["timestamp"]) * MILLISECOND
            yield Line(number, read(envelope.get("key")), read(envelope.get("value")), headers, timestamp)
        except (msgspec.MsgspecError, KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
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
    "metrics": "metrics.ndjson",
    "dead_letters": "dead-letters.ndjson",
}
"""Output files by topic."""


def output_line(publish: Publish) -> bytes:
    """A record as a line of its output file, `{"key", "headers", "value"}`."""
    headers = {name: None if value is None else value.decode("utf-8", "replace") for name, value in publish.headers}
    return msgspec.json.encode({"key": written(publish.key), "headers": headers, "value": written(publish.value)}) + b"\n"
