"""A lane: one partition that this worker reads now, and how far the open transaction has taken it.

The loop looks a record's lane up by topic and partition; a record without one is not ours any more (ER-21).
"""

from collections.abc import Sequence

from confluent_kafka import Message

from processors.engine.frontier import Frontier
from processors.engine.waiting import Waiting
from processors.state.overlay import Overlay

Place = tuple[str, int]
"""Topic and partition."""


class Lane:
    """A partition of a source topic, or of facts.

    Attributes:
        topic: Its topic.
        partition: Its number.
        source: Name of the source; empty for facts.
        overlay: Rows behind a facts partition once they are restored; None for a source's.
        start: First offset taken in the open transaction; None while none was.
        next: Offset to take next: after the last one taken, or where the partition begins.
        taken: Records taken in the open transaction.
        committed: The group's offset; None while there is none.
        stamp: Kafka time in milliseconds of the last record taken.
        reached: Instant in microseconds up to which the rows behind a facts partition have taken in what happened.
        waiting: Records of a source partition that came and were not taken yet.
        frontier: How far a source partition has been taken, in time.
    """

    __slots__ = (
        "committed",
        "frontier",
        "next",
        "overlay",
        "partition",
        "reached",
        "source",
        "stamp",
        "start",
        "taken",
        "topic",
        "waiting",
    )

    def __init__(self, topic: str, partition: int, source: str) -> None:
        self.topic = topic
        self.partition = partition
        self.source = source
        self.overlay: Overlay | None = None
        self.start: int | None = None
        self.next = 0
        self.taken = 0
        self.committed: int | None = None
        self.stamp = 0
        self.reached = 0
        self.waiting = Waiting()
        self.frontier = Frontier()

    @property
    def place(self) -> Place:
        """Topic and partition."""
        return self.topic, self.partition

    def settle(self, *, committed: bool) -> None:
        """The open transaction has ended: keep its progress, or forget it together with what was written."""
        if committed:
            self.committed = self.next
        elif self.start is not None:  # it is read again from there, and what waits comes again after it
            self.next = self.start
            self.waiting.clear()
        self.start = None
        self.taken = 0
        self.frontier.settle(committed=committed)
        if self.overlay is not None:
            self.overlay.clear()


Run = tuple[Lane | None, Sequence[Message]]
"""Records of one lane that follow each other; errors in the place of records have none."""
