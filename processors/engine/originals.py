"""Whole values for dead letters of which only the beginning was kept: read where they lay, and held against their digests."""

from hashlib import sha256

from processors.engine.offsets import Bounds
from processors.engine.standalone import Standalone
from processors.topology.letters import DeadLetter


class Missing(Exception):
    """The source record is not there any more, or is not the one that was set aside; the message says which."""


def whole_value(log: Standalone, letter: DeadLetter) -> bytes | None:
    """The value of the source record.

    Args:
        log: Reads the source's topic.
        letter: A dead letter, short or whole.

    Raises:
        Missing: Only its beginning was kept, and the rest is nowhere.
        Stop: The topic may not be read.
    """
    if not letter.is_short:
        return letter.value
    place, offset = (letter.origin.topic, letter.origin.partition), letter.origin.offset
    bounds = log.bounds([place])[place]
    if not bounds.earliest <= offset < bounds.end:
        raise Missing("only its beginning was kept, and the source record is deleted")
    for message in log.through({place: Bounds(offset, offset + 1)}):
        value = message.value() or b""
        if len(value) == letter.size and sha256(value).hexdigest() == letter.sha256:
            return value
        raise Missing("only its beginning was kept, and where it lay is another record now: size or SHA-256 differs")
    raise Missing("only its beginning was kept, and where it lay is no record any more")
