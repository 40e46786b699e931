"""Records that Kafka does not take whole (ER-11): a dead letter is shortened, anything else ends the worker."""

import hashlib

from processors.engine.stop import ENVIRONMENT, Stop

_KEPT = 64 << 10
"""Bytes that are kept of a dead letter."""


def too_large(topic: str, key: bytes | None, value: bytes | None) -> Stop:
    """The end of a worker that has made a record which producer or topic do not take (ER-11)."""
    size = len(value or b"") + len(key or b"")
    return Stop(
        ENVIRONMENT,
        f"a record of {size} bytes for {topic} (key {key!r}) is over message.max.bytes: raise message.max.bytes under kafka and "
        "max.message.bytes of the topic, then start again",
    )


def shortened(value: bytes) -> tuple[bytes, list[tuple[str, bytes]]]:
    """The beginning of a dead letter that Kafka does not take whole, and what it was: size and SHA-256."""
    about = [
        ("dead-letter-truncated", b"true"),
        ("dead-letter-size", str(len(value)).encode()),
        ("dead-letter-sha256", hashlib.sha256(value).hexdigest().encode()),
    ]
    return value[:_KEPT], about
