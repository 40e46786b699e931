"""A store in memory, for the simulation and for tests: the same promises as the one on disk, gone with the process."""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterator, Mapping

from processors.state.rows import Position


class MemoryStore:
    """Implements `Store` with a dict and a sorted list of keys per partition."""

    def __init__(self) -> None:
        self._rows: defaultdict[int, dict[bytes, bytes]] = defaultdict(dict)
        self._keys: defaultdict[int, list[bytes]] = defaultdict(list)
        self._positions: dict[int, Position] = {}

    def get(self, partition: int, key: bytes) -> bytes | None:
        """The row's value, or None."""
        return self._rows[partition].get(key)

    def scan(self, partition: int, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        """All rows whose key starts with `prefix`, in key order from `start` on, as they are when the scan starts."""
        keys, rows = self._keys[partition], self._rows[partition]
        first = last = bisect_left(keys, max(prefix, start))
        while last < len(keys) and keys[last].startswith(prefix):
            last += 1
        return iter([(key, rows[key]) for key in keys[first:last]])

    def apply(self, writes: Mapping[int, Mapping[bytes, bytes | None]], positions: Mapping[int, Position]) -> None:
        """Put rows (None: delete) and set positions."""
        for partition, written in writes.items():
            rows, keys = self._rows[partition], self._keys[partition]
            for key, value in written.items():
                if value is None:
                    if rows.pop(key, None) is not None:
                        del keys[bisect_left(keys, key)]
                    continue
                if key not in rows:
                    insort(keys, key)
                rows[key] = value
        self._positions.update(positions)

    def position(self, partition: int) -> Position | None:
        """How far this partition's rows reach; None when nothing is known of it."""
        return self._positions.get(partition)

    def drop_partition(self, partition: int) -> None:
        """Forget all rows and the position of a partition."""
        self._rows.pop(partition, None)
        self._keys.pop(partition, None)
        self._positions.pop(partition, None)

    def close(self) -> None:
        """Nothing is held."""
