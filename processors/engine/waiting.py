"""The records of one source partition that came and were not taken yet: other partitions have not come as far (`merge`)."""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from math import inf
from typing import NamedTuple

from confluent_kafka import Message


class _Run(NamedTuple):
    """Records that one call returned."""

    arrived: float
    records: Sequence[Message]
    times: Sequence[int]
    """Kafka time in milliseconds that each may be taken at: the latest of its own and those before, which none overtakes."""

    def due(self, level: float) -> int:
        """How many may be taken at a level: all, where the last one lies no later, else those before the first that does."""
        return len(self.records) if self.records[-1].timestamp()[1] <= level else bisect_right(self.times, level)


def _run(arrived: float, records: Sequence[Message]) -> _Run:
    return _Run(arrived, records, list(accumulate([record.timestamp()[1] for record in records], max)))


class Waiting:
    """First in, first out.

    Attributes:
        awaited: More records are expected at once: the partition delivers, and has not come to its end.
        reached: Kafka time in milliseconds of the last record that came.
        records: How many wait.
        size: Bytes of their values.
    """

    __slots__ = ("_runs", "awaited", "reached", "records", "size")

    def __init__(self) -> None:
        self._runs: deque[_Run] = deque()
        self.awaited = True
        self.reached = 0
        self.records = 0
        self.size = 0

    @property
    def since(self) -> float:
        """When the first of them came, by the clock of `add`; infinity where none waits."""
        return self._runs[0].arrived if self._runs else inf

    def add(self, records: Sequence[Message], now: float) -> None:
        """Records that came, in the order of their partition; `now` in seconds by a clock that only the caller knows."""
        self._runs.append(_run(now, records))
        self.awaited = True
        self.reached = records[-1].timestamp()[1]
        self.records += len(records)
        self.size += sum(map(len, records))  # a message is as long as its value

    def due(self, level: float) -> Iterator[int]:
        """Kafka times in milliseconds that those which may be taken at a level may each be taken at, in order."""
        return accumulate(chain.from_iterable(self._due(level)), max)

    def _due(self, level: float) -> Iterator[Sequence[int]]:
        for run in self._runs:
            upto = run.due(level)
            yield run.times[:upto]
            if upto < len(run.times):
                return

    def release(self, level: float, most: int) -> list[Message]:
        """Those up to a Kafka time in milliseconds, so many at most; what lies behind a later record stays behind it."""
        released: list[Message] = []
        while self._runs and most > 0:
            run = self._runs.popleft()
            upto = min(run.due(level), most)
            most -= upto
            released += run.records[:upto]
            if upto < len(run.records):
                self._runs.appendleft(_run(run.arrived, run.records[upto:]))  # what has gone holds them back no more
                break
        self.records -= len(released)
        self.size -= sum(map(len, released))
        return released

    def clear(self) -> None:
        """Forget all that wait."""
        self._runs.clear()
        self.records = self.size = 0
