"""Dead letters: records that could not be used, kept whole with the reason, so that they can be read, mended and replayed."""

from collections.abc import Sequence
from hashlib import sha256

import msgspec

from processors.sources.statement import SourceRecord
from processors.topology.effects import Effects, Headers, Publish
from schemas.facts import Fact
from schemas.instants import FIRST, LAST, format_instant

REASONS = (
    "empty",
    "not_utf8",
    "not_json",
    "too_deep",
    "too_large",
    "wrong_shape",
    "wrong_time",
    "kafka_time",
    "future_time",
    "past_time",
    "no_identifier",
    "unlisted_value",
    "erasure_not_built",
    "conflicting_duplicate",
)
"""Every reason a record is set aside for, so that their counters exist at zero."""

KEPT_OF_OVERSIZED = 64 * 1024
"""Bytes kept of a record over `limits.record_bytes`; and of any key, and of all headers together, which no configuration
limits: with them a dead letter could be larger than any record that Kafka takes."""

UNREADABLE_HEADERS = (("dead-letter-headers-unreadable", b"true"),)
"""Stand in for headers of which a name is not UTF-8, so that no client in Python can read any of them. Nothing but a dead letter
looks at headers, and it says so then."""


def dead_letter(effects: Effects, record: SourceRecord, reason: str, sentence: str) -> None:
    """Keep a source record: its bytes and headers untouched, the reason in `dead-letter-*` headers.

    Only a key, and headers, over 64 KiB are cut, and say so.
    """
    _publish(effects, record, record.value, reason, sentence)


def oversized(effects: Effects, record: SourceRecord, limit: int) -> None:
    """Keep what identifies a record that is too large to keep: coordinates, size, digest and its first 64 KiB."""
    value = record.value or b""
    sentence = f"It has {len(value)} bytes, more than limits.record_bytes ({limit})."
    extra = [("dead-letter-size", str(len(value)).encode()), ("dead-letter-sha256", sha256(value).hexdigest().encode())]
    _publish(effects, record, value[:KEPT_OF_OVERSIZED], "too_large", sentence, extra)


def _publish(
    effects: Effects,
    record: SourceRecord,
    value: bytes | None,
    reason: str,
    sentence: str,
    extra: Sequence[tuple[str, bytes]] = (),
) -> None:
    headers, left_out = _kept(record.headers)
    headers += _headers(reason, sentence, record.source, record.topic, record.partition, record.offset, record.timestamp)
    headers += [*extra, *left_out]
    key = record.key
    if key is not None and len(key) > KEPT_OF_OVERSIZED:
        headers.append(("dead-letter-key-size", str(len(key)).encode()))
        key = key[:KEPT_OF_OVERSIZED]
    effects.published.append(Publish("dead_letters", key, value, headers))
    effects.count("dead_letters", record.source, reason)


def _kept(headers: Sequence[tuple[str, bytes | None]]) -> tuple[Headers, Headers]:
    """The first headers, up to 64 KiB of them, and one that says how many more there were."""
    kept: Headers = []
    room = KEPT_OF_OVERSIZED
    for name, value in headers:
        room -= len(name.encode()) + len(value or b"")
        if room < 0:
            return kept, [("dead-letter-headers-left-out", str(len(headers) - len(kept)).encode())]
        kept.append((name, value))
    return kept, []


def conflict(effects: Effects, loser: Fact, winner: Fact) -> None:
    """Keep the losing fact of two that carry one id with different content, with the coordinates of both records (rule 20)."""
    lost, won = loser.coordinates, winner.coordinates
    sentence = (
        f"Its id {loser.id[:200]} was already used by source {loser.source} for other content: this record is {_at(loser)}, "
        f"the one that counts is {_at(winner)}."
    )
    headers = _headers(
        "conflicting_duplicate", sentence, loser.source, lost.topic, lost.partition, lost.offset, loser.broker_time
    )
    headers += [
        ("dead-letter-other-topic", won.topic.encode()),
        ("dead-letter-other-partition", str(won.partition).encode()),
        ("dead-letter-other-offset", str(won.offset).encode()),
    ]
    body = msgspec.to_builtins(loser, builtin_types=(bytes,))
    named = dict(zip(Fact.__struct_fields__, body[1:], strict=True)) | {"fingerprint": loser.fingerprint.hex()}
    effects.published.append(Publish("dead_letters", loser.entity.encode(), msgspec.json.encode(named), headers))
    effects.count("dead_letters", loser.source, "conflicting_duplicate")


def _at(fact: Fact) -> str:
    return f"{fact.coordinates.topic}[{fact.coordinates.partition}]@{fact.coordinates.offset}"


def _headers(reason: str, sentence: str, source: str, topic: str, partition: int, offset: int, timestamp: int) -> Headers:
    return [
        ("dead-letter-reason", reason.encode()),
        ("dead-letter-sentence", sentence.encode("utf-8", "backslashreplace")),
        ("dead-letter-source", source.encode()),
        ("dead-letter-topic", topic.encode()),
        ("dead-letter-partition", str(partition).encode()),
        ("dead-letter-offset", str(offset).encode()),
        ("dead-letter-time", (format_instant(timestamp) if FIRST <= timestamp <= LAST else str(timestamp)).encode()),
    ]
