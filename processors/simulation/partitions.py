"""Topics in memory, as a transactional producer and a reader of committed records see them.

It keeps Kafka's promises and no better ones: the records of a transaction, the offsets of the group and the log-append times
come into being together at its commit; an aborted one leaves nothing but gaps in the offsets; a clock may jump.
"""

from collections import defaultdict
from typing import NamedTuple

from processors.simulation.schedule import Lane
from processors.topology.effects import Headers
from schemas.instants import SECOND


class Logged(NamedTuple):
    """One committed record."""

    offset: int
    at: int
    """Kafka time in microseconds."""
    key: bytes | None
    value: bytes | None
    headers: Headers
    origin: Lane
    """The partition whose record caused it: nothing that Kafka knows, for the checks."""


class Produced(NamedTuple):
    """One record of an open transaction."""

    lane: Lane
    key: bytes | None
    value: bytes | None
    headers: Headers
    origin: Lane


class Partitions:
    """The partitions of all topics, and the group's offsets.

    Attributes:
        now: The broker's clock, in microseconds.
        committed: The group's offset of each partition that was read.
    """

    def __init__(self, now: int) -> None:
        self.now = now
        self.committed: defaultdict[Lane, int] = defaultdict(int)
        self._logs: defaultdict[Lane, list[Logged]] = defaultdict(list)
        self._ends: defaultdict[Lane, int] = defaultdict(int)

    def append(self, lane: Lane, at: int, value: bytes) -> None:
        """A record of a source, by a producer without transactions that sets its time."""
        self._logs[lane].append(Logged(self._ends[lane], at, None, value, [], lane))
        self._ends[lane] += 1

    def read(self, lane: Lane, offset: int, most: int | None = None) -> list[Logged]:
        """Committed records from an offset on, at most so many."""
        log = self._logs[lane]
        first = len(log)
        while first and log[first - 1].offset >= offset:
            first -= 1
        return log[first:] if most is None else log[first : first + most]

    def end(self, lane: Lane) -> int:
        """The offset that the next record will get."""
        return self._ends[lane]

    def commit(self, produced: list[Produced], offsets: dict[Lane, int]) -> None:
        """Everything a transaction produced and the offsets of what it read, at once."""
        for record in produced:
            self.now += SECOND
            logged = Logged(self._ends[record.lane], self.now, record.key, record.value, record.headers, record.origin)
            self._logs[record.lane].append(logged)
            self._ends[record.lane] += 1
        self.committed.update(offsets)
        self._mark(produced)

    def abort(self, produced: list[Produced]) -> None:
        """Nothing stands, but the offsets are used up."""
        for record in produced:
            self._ends[record.lane] += 1
        self._mark(produced)

    def _mark(self, produced: list[Produced]) -> None:
        """The marker that ends a transaction takes an offset in each partition it wrote to."""
        for lane in {record.lane for record in produced}:
            self._ends[lane] += 1
