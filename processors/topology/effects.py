"""Effects: what `ingest` and `advance` want done, as values. Engines perform them, inside one transaction.

The topology reads state through `Rows` and never writes: it returns rows to put, records to publish and things to
count. An engine must show the rows of earlier effects of the same transaction to later calls, and must forget all of
them on an abort.
"""

from collections.abc import Iterator
from typing import Literal, Protocol

import msgspec

from processors.metrics.cells import Posting

Topic = Literal["facts", "transitions", "conversions", "leads", "metrics", "dead_letters"]
"""The role of an output topic; its name is configuration."""

Header = tuple[str, bytes | None]
Headers = list[Header]


class Publish(msgspec.Struct, frozen=True, gc=False):
    """A record to publish.

    Attributes:
        topic: Its role.
        key: Of the record.
        value: Of the record; None is a tombstone.
        headers: Of the record.
        event_time: Of a fact out of `ingest`, in microseconds. An engine sends such facts of one transaction on in this
            order: source partitions read in turn would else make each other's facts late, and a late fact costs a refold.
        partition: Of the facts topic, for a message that is addressed to a partition and not to an entity; else None.
    """

    topic: Topic
    key: bytes | None
    value: bytes | None
    headers: Headers
    event_time: int | None = None
    partition: int | None = None


Count = tuple[str, ...]
"""Something that happened once, to be counted after the commit: a metric's name, then label values bounded by configuration."""


class Effects:
    """All that one record causes.

    Attributes:
        published: Records to publish, in order.
        rows: Rows of the store to put (None: delete), by key. Mirrored in the changelog.
        snapshots: Lead snapshots by key of the compacted topic; within a transaction the last one of a key stands for all.
        postings: Differences of the sums behind the partition, which are made of all those of a transaction (`Topology.post`).
        counts: What to count once the transaction is committed.
        reached: Instant in microseconds that the state has come to by this record: the time of what happened, or of the timers
            that fired. No later definition applies to anything before it.
    """

    __slots__ = ("counts", "postings", "published", "reached", "rows", "snapshots")

    def __init__(self) -> None:
        self.published: list[Publish] = []
        self.rows: dict[bytes, bytes | None] = {}
        self.snapshots: dict[bytes, Publish] = {}
        self.postings: list[Posting] = []
        self.counts: list[Count] = []
        self.reached = 0

    def count(self, *count: str) -> None:
        """Count once: a metric's name, then its label values."""
        self.counts.append(count)


class Rows(Protocol):
    """The state behind one facts partition, as of the last record that was advanced."""

    def get(self, key: bytes) -> bytes | None:
        """The row's value, or None."""
        ...

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """All rows whose key starts with `prefix`, in key order; from `start` on, a key that may not be there."""
        ...


class FactsRecord(msgspec.Struct, frozen=True, gc=False):
    """One record of the facts topic."""

    value: bytes
    partition: int
    offset: int
    appended_at: int
    """Log-append time in microseconds: the only clock that `advance` knows."""
