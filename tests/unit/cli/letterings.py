"""Dead letters for tests of the commands that read them."""

from typing import Any

from processors.topology.letters import DeadLetter, Place, Posted
from schemas.facts import Coordinates
from schemas.instants import SECOND
from tests.worlds import START


def letter(place: str = "0/0", seconds: int = 0, **changes: Any) -> DeadLetter:
    """A dead letter at this place, set aside so many seconds after START."""
    partition, offset = map(int, place.split("/"))
    plain = DeadLetter(
        place=Place(partition, offset),
        at=START + seconds * SECOND,
        reason="not_json",
        sentence="The record is not JSON.",
        source="web",
        origin=Coordinates("web.events", partition, offset + 100),
        time=START,
        key=b"k",
        value=b"{}",
        headers=[],
        size=None,
        sha256="",
        replays=0,
    )
    return plain._replace(**changes)


def posted(place: str = "0/0", seconds: int = 0, *, sent: int = 0, **changes: Any) -> Posted:
    """The same with how often it was sent back."""
    return Posted(letter(place, seconds, **changes), sent)
