"""The records of one source partition that came and were not taken yet: other partitions have not come as far (`merge`)."""

from collections import deque
from collections.abc import Sequence
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

    def release(self, level: float = inf) -> list[Message]:
        """Those up to a Kafka time in milliseconds, or all; what lies behind a later record stays behind it."""
        released: list[Message] = []
        whole = self.reached <= level
        while self._runs:
            arrived, records = self._runs.popleft()
            if not whole and records[-1].timestamp()[1] > level:
                upto = next(index for index, record in enumerate(records) if record.timestamp()[1] > level)
                self._runs.appendleft(_Run(arrived, records[upto:]))
                released += records[:upto]
                break
            released += records
        self.records -= len(released)
        self.size -= sum(map(len, released))
        return released
