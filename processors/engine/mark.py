"""The mark: the engine's own row in each changelog partition, written by every transaction that read from its facts partition.

It repeats what the transaction committed elsewhere, so that a restore can tell when the two no longer belong together (ER-25):
which facts topic was read and how far, the definitions that made the rows, and the partition count that decided which keys live
here. By what it says of the definitions `definition_change.py` decides whether others may go on.
"""

import msgspec

from processors.engine.offsets import Bounds
from processors.engine.stop import ENVIRONMENT, Stop
from processors.state.rows import RESERVED

KEY = RESERVED + b"mark"

BEGIN_AGAIN = (
    "begin again, with the sources from their beginning: stop all workers and run `funnelstream reset empty --config FILE`, or "
    "give the application a new name and its topics another prefix"
)


class Mark(msgspec.Struct, frozen=True):
    """What the rows of one partition belong to."""

    facts: int
    """The facts offset that was committed with them."""
    definitions: str
    """Digest of the definition set."""
    partitions: int
    """Partition count of the facts topic."""
    reached: int = 0
    """Instant in microseconds up to which the rows have taken in what happened: the newest event, or a timer's watermark."""
    rows: int = 0
    """Format of the rows."""
    versions: dict[str, str] = {}
    """Digest of each version of a funnel, by `funnel/version`."""
    topic: str = ""
    """Kafka's id of the facts topic, another one once it is made anew; empty in marks of before that was written."""

    def of_another(self, topic: str) -> bool:
        """Whether the rows say that they were made of another facts topic than the one with this id."""
        return self.topic not in ("", topic)


def encode(mark: Mark) -> bytes:
    """The row's value; JSON, because people will look at it with Kafka's own tools."""
    return msgspec.json.encode(mark)


def decode(row: bytes) -> Mark:
    """The mark of a row's value."""
    return msgspec.json.decode(row, type=Mark)


def check(row: bytes | None, committed: int | None, partitions: int, place: str) -> Mark | None:
    """Refuse rows that do not belong to the group's offsets or to this topic.

    Args:
        row: The restored mark; None when the changelog partition has none.
        committed: The group's offset of the facts partition; None when there is none.
        partitions: Partition count of the facts topic, now.
        place: Names the partition in the sentence.

    Returns:
        The mark; None where nothing was read yet.

    Raises:
        Stop: They do not fit. Going on would count everything twice, or forget what is there.
    """
    if row is None and committed is None:
        return None
    if row is None:
        raise Stop(
            ENVIRONMENT,
            f"{place}: the group has read it up to offset {committed}, but its changelog holds no state: the changelog topic was "
            f"deleted, truncated or renamed. Bring it back, or {BEGIN_AGAIN}.",
        )
    found = decode(row)
    if found.partitions != partitions:
        raise grown(place, found.partitions, partitions)
    if committed is None or committed != found.facts:
        says = "no offset" if committed is None else f"offset {committed}"
        raise Stop(
            ENVIRONMENT,
            f"{place}: its changelog was written when facts were read up to offset {found.facts}, but the group's commit says "
            f"{says}: offsets were reset or expired, and reading on from there would count facts twice or lose them. "
            "Stop all workers and run `funnelstream reset to-changelog --config FILE`: it sets the group's offsets to what the "
            "changelog says.",
        )
    return found


def made_anew(facts: str, since: str) -> Stop:
    """The end of a worker whose facts are in another topic than those that state and offsets speak of; `since` says which."""
    return Stop(
        ENVIRONMENT,
        f"topic {facts} was deleted and made anew since {since}: what it held and was not read is lost, and its offsets mean "
        f"other facts now. So {BEGIN_AGAIN}.",
    )


def grown(place: str, before: int, now: int) -> Stop:
    """The end of a worker whose facts or changelog have other partitions than the state was written with (ER-3)."""
    return Stop(
        ENVIRONMENT,
        f"{place}: its state was written with {before} partitions, the topic has {now} now: "
        f"keys live in other partitions. Partitions cannot be taken back, so {BEGIN_AGAIN}.",
    )


def check_unread(log: Bounds, committed: int | None, place: str) -> None:
    """Refuse to go on where records were deleted that nobody has read, or where the log is another one.

    Args:
        log: Where the facts partition begins and ends.
        committed: The group's offset of it; None when there is none.
        place: Names the partition in the sentence.

    Raises:
        Stop: The records between the two are lost; reading would go on behind them, or begin again, without a word.
    """
    if committed is None:
        return
    if log.end < committed:
        raise Stop(
            ENVIRONMENT,
            f"{place}: the group has read it up to offset {committed}, but it ends at offset {log.end}: the topic was made anew "
            f"or truncated, and its offsets mean other facts now. Bring it back, or {BEGIN_AGAIN}.",
        )
    first = log.earliest
    if first <= committed + 1:  # the marker of the last transaction read counts one
        return
    raise Stop(
        ENVIRONMENT,
        f"{place}: the group has read it up to offset {committed}, but it begins at offset {first} now: the facts from "
        f"{committed} to {first - 1} were deleted unread, by retention or by hand. Set retention.ms=-1 and retention.bytes=-1 "
        f"on the topic, and {BEGIN_AGAIN}.",
    )
