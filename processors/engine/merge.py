"""Lets source partitions that are read from far behind advance side by side, by the Kafka times of their records.

A worker that catches up gets a long run of one partition, then a long run of the next. What is read first would make the
facts of the others late, which costs a refold and publishes corrections that nobody would have seen in live traffic. So
records that lie ahead of what the other partitions have delivered wait, for the next transaction if need be. Nobody is
waited for once nothing more is there to be read, for longer than a second, or once more waits than a transaction may hold:
it is about order, never about being right (invariant 1).
"""

import time
from collections.abc import Mapping, Sequence
from itertools import groupby

from confluent_kafka import Message

from processors.engine.lanes import Lane, Place
from processors.engine.waiting import Waiting

_LONGEST = 1.0
"""Seconds that a record waits for other partitions: one that is days behind must not hold up live traffic."""


class Merge:
    """Holds back what is ahead."""

    def __init__(self, lanes: Mapping[Place, Lane], most_records: int, most_bytes: int) -> None:
        """Begin with nothing.

        Args:
            lanes: The partitions that flow now.
            most_records: Records that may wait.
            most_bytes: Bytes of values that may wait.
        """
        self._lanes = lanes
        self._most_records = most_records
        self._most_bytes = most_bytes

    @property
    def holds(self) -> bool:
        """Whether records wait."""
        return any(lane.waiting.records for lane in self._lanes.values())

    def arrange(self, records: Sequence[Message]) -> Sequence[Message]:
        """What of these and of the waiting records may be taken now.

        Errors, facts and records of partitions that are not ours pass: facts are in the order of their own log.
        """
        sources = [lane.waiting for lane in self._lanes.values() if lane.source]
        if len(sources) <= 1:  # nobody to wait for
            return records
        taken: list[Message] = []
        for place, run in groupby(records, key=_place):
            lane = self._lanes.get(place)
            if lane is None or not lane.source:
                taken += run
            else:
                lane.waiting.add(list(run))
        return taken + self._level(sources)

    def rest(self) -> list[Message]:
        """Everything that waits: nothing more is there to be read, so everybody has caught up."""
        rest: list[Message] = []
        for lane in self._lanes.values():
            lane.waiting.awaited = False
            rest += lane.waiting.release()
        return rest

    def _level(self, sources: Sequence[Waiting]) -> list[Message]:
        """The waiting records up to where every partition has come that is expected to deliver more."""
        level = min((waiting.reached for waiting in sources if waiting.awaited), default=None)
        taken: list[Message] = []
        for waiting in sources:
            taken += waiting.release(level)
        if self._too_much(sources):
            for waiting in sources:
                waiting.awaited = waiting.records > 0  # who keeps everybody waiting is not expected any more
                taken += waiting.release()
        return taken

    def _too_much(self, sources: Sequence[Waiting]) -> bool:
        return (
            sum(waiting.records for waiting in sources) > self._most_records
            or sum(waiting.size for waiting in sources) > self._most_bytes
            or min(waiting.since for waiting in sources) < time.monotonic() - _LONGEST
        )


def _place(message: Message) -> Place:
    """Where a record lies; an error lies nowhere."""
    return ("", -1) if message.error() is not None else (message.topic() or "", message.partition() or 0)
