"""What a store of rows must do, whoever keeps it; engines and the simulation depend on this and not on a database.

A store is a cache of the changelog, one key space per facts partition. It holds committed rows only, and with them the
changelog offset from which a restore goes on, so that it can never claim more or less than it has.
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

RESERVED = b"!"
"""First byte of keys that the engine keeps for itself among the rows of a partition; the topology must not use it."""


class Damaged(Exception):
    """The store cannot be read or written any more. What it held is in the changelog."""


class Unwritable(Damaged):
    """The folder of the store cannot be written: no room, read-only, no permission. What is in it is still good."""


class Position(NamedTuple):
    """How far into the changelog a partition's rows reach."""

    offset: int
    """The first changelog offset that the rows do not hold."""
    written_at: float
    """Seconds since the epoch at which the rows were last known to be complete up to `offset`."""


class Store(Protocol):
    """Rows by partition and key. One thread uses it. Everything may raise `Damaged`."""

    def get(self, partition: int, key: bytes) -> bytes | None:
        """The row's value, or None."""
        ...

    def scan(self, partition: int, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """All rows whose key starts with `prefix`, in key order."""
        ...

    def apply(self, writes: Mapping[int, Mapping[bytes, bytes | None]], positions: Mapping[int, Position]) -> None:
        """Put rows (None: delete) and set positions, all or nothing."""
        ...

    def position(self, partition: int) -> Position | None:
        """How far this partition's rows reach; None when the store knows nothing of it."""
        ...

    def drop_partition(self, partition: int) -> None:
        """Forget all rows and the position of a partition."""
        ...

    def close(self) -> None:
        """Release what the store holds."""
        ...
