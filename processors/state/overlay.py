"""The rows of one partition as an open transaction sees them: committed rows below, its own writes on top (ER-9).

Writes go down only after the transaction's commit was acknowledged, and are forgotten when it is aborted.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from itertools import islice

from processors.state.rows import Store

_FEW = 64
"""Up to this many new keys are put in their places one by one; more are sorted in together."""


class Overlay:
    """Implements `Rows` of the topology over one partition of a store.

    Attributes:
        pending: What the open transaction wrote so far (None: deleted), by key.
    """

    __slots__ = ("_ordered", "_partition", "_store", "pending")

    def __init__(self, store: Store, partition: int) -> None:
        self._store = store
        self._partition = partition
        self.pending: dict[bytes, bytes | None] = {}
        self._ordered: list[bytes] = []

    def get(self, key: bytes) -> bytes | None:
        """The row's value, or None."""
        if key in self.pending:
            return self.pending[key]
        return self._store.get(self._partition, key)

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """All rows whose key starts with `prefix`, in key order; what is put during the scan may or may not be seen."""
        own = self._own(prefix, start)
        if not own:
            return self._store.scan(self._partition, prefix, start)
        return self._merged(own, prefix, start)

    def put(self, rows: dict[bytes, bytes | None]) -> None:
        """Write rows (None: delete) for later calls of the same transaction."""
        self.pending.update(rows)

    def clear(self) -> None:
        """Forget the transaction's writes: they were aborted, or the store has them now."""
        self.pending = {}
        self._ordered = []

    def _own(self, prefix: bytes, start: bytes) -> list[bytes]:
        """The pending keys with this prefix, in order. Sorting waits for the first scan: most transactions never scan."""
        ordered = self._ordered
        fresh = len(self.pending) - len(ordered)
        if fresh:
            added = islice(reversed(self.pending), fresh)  # a dict keeps the order of insertion, and no key is ever removed
            if fresh <= _FEW:
                for key in added:
                    insort(ordered, key)
            else:
                ordered.extend(added)
                ordered.sort()
        first = last = bisect_left(ordered, max(prefix, start))
        while last < len(ordered) and ordered[last].startswith(prefix):
            last += 1
        return ordered[first:last]

    def _merged(self, own: list[bytes], prefix: bytes, start: bytes) -> Iterator[tuple[bytes, bytes]]:
        pending = self.pending
        rows = self._store.scan(self._partition, prefix, start)
        theirs = next(rows, None)
        for key in own:
            while theirs is not None and theirs[0] < key:
                yield theirs
                theirs = next(rows, None)
            if theirs is not None and theirs[0] == key:
                theirs = next(rows, None)
            value = pending[key]
            if value is not None:
                yield key, value
        if theirs is not None:
            yield theirs
            yield from rows
