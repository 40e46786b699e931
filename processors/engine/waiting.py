"""The records of one source partition that came and were not taken yet: other partitions have not come as far (`merge`)."""

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import accumulate
from math import inf
from typing import NamedTuple

from confluent_kafka import Message


class _Run(NamedTuple):
    """Records that one call returned."""

    arrived: float
    records: Sequence[Message]


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
        self._runs.append(_Run(now, records))
        self.awaited = True
        self.reached = records[-1].timestamp()[1]
        self.records += len(records)
        self.size += sum(map(len, records))  # a message is as long as its value

    def times(self) -> Iterator[int]:
        """Kafka times in milliseconds that each may be taken at: the latest of its own and those before, which none overtakes."""
        return accumulate((record.timestamp()[1] for _, records in self._runs for record in records), max)

    def release(self, level: float, most: int) -> list[Message]:
        """Those up to a Kafka time in milliseconds, so many at most; what lies behind a later record stays behind it."""
        released: list[Message] = []
        while self._runs and most > 0:
            arrived, records = self._runs.popleft()
            upto = len(records)
            if records[-1].timestamp()[1] > level:
                upto = next(index for index, record in enumerate(records) if record.timestamp()[1] > level)
            upto = min(upto, most)
            most -= upto
            released += records[:upto]
            if upto < len(records):
                self._runs.appendleft(_Run(arrived, records[upto:]))
                break
        self.records -= len(released)
        self.size -= sum(map(len, released))
        return released

    def clear(self) -> None:
        """Forget all that wait."""
        self._runs.clear()
        self.records = self.size = 0
