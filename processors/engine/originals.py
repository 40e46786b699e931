"""Whole records for dead letters of which only the beginning was kept: read where they lay, and held against what was kept."""

from processors.engine.headers import headers_of
from processors.engine.offsets import Bounds
from processors.engine.standalone import Standalone
from processors.topology.letters import DeadLetter, made_whole


class Missing(Exception):
    """The source record is not there any more, or is not the one that was set aside; the message says which."""


def whole(log: Standalone, letter: DeadLetter) -> DeadLetter:
    """The dead letter with all of its source record.

    Args:
        log: Reads the source's topic.
        letter: A dead letter, short or whole.

    Raises:
        Missing: Only its beginning was kept, and the rest is nowhere.
        Stop: The topic may not be read.
    """
    if not letter.is_short:
        return letter
    place, offset = (letter.origin.topic, letter.origin.partition), letter.origin.offset
    bounds = log.bounds([place])[place]
    if not bounds.earliest <= offset < bounds.end:
        raise Missing("only its beginning was kept, and the source record is deleted")
    for message in log.through({place: Bounds(offset, offset + 1)}):
        found = made_whole(letter, message.key(), message.value(), headers_of(message))
        if found is not None:
            return found
        raise Missing("only its beginning was kept, and where it lay is another record now: size, SHA-256, key or headers differ")
    raise Missing("only its beginning was kept, and where it lay is no record any more")
