"""Lets source partitions that are read from far behind advance side by side, by the Kafka times of their records.

A worker that catches up gets a long run of one partition, then a long run of the next. What is read first would make the
facts of the others late, which costs a refold and publishes corrections that nobody would have seen in live traffic. So
records that lie ahead of what the other partitions have delivered wait, for the next transaction if need be. Nobody is
waited for once nothing more is there to be read, or for longer than a second (what this worker works in between is no waiting),
and the earliest go on once more wait than a transaction may hold: it is about order, never about being right (invariant 1). What
waits is no part of a transaction yet: it is taken, the earliest first, as far as there is room in one.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, groupby, islice
from math import ceil, inf

from confluent_kafka import Message

from processors.engine.lanes import Lane, Place, Run
from processors.engine.waiting import Waiting

_LONGEST = 1.0
"""Seconds that a record waits for other partitions: one that is days behind must not hold up live traffic."""
_ONE_LOOK = 0.05
"""Seconds from one look at what came to the next that count at most: the rest went into records, and others deliver meanwhile."""


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
        self._looked_at = time.monotonic()
        self._waited = 0.0

    @property
    def holds(self) -> int:
        """Records that wait."""
        return sum(lane.waiting.records for lane in self._lanes.values())

    def arrange(self, records: Sequence[Message], room: int) -> list[Run]:
        """What of these and of the waiting records may be taken now.

        Errors and facts pass: facts are in the order of their own log. Records of partitions that are not ours go (ER-21).

        Args:
            records: As they came; no more than there is room for.
            room: Records that may be taken.
        """
        self._look()
        sources = [lane for lane in self._lanes.values() if lane.source]
        taken: list[Run] = []
        for place, records_of_one in groupby(records, key=_place):
            run = list(records_of_one)
            lane = self._lanes.get(place)
            if lane is not None and lane.source and (len(sources) > 1 or lane.waiting.records):  # behind what waits already
                lane.waiting.add(run, self._waited)
            elif lane is not None or place == _NOWHERE:
                taken.append((lane, run))
        return taken + self._level(sources, room - _records(taken))

    def rest(self, room: int) -> list[Run]:
        """What waits, as far as there is room: nothing more is there to be read, so everybody has caught up."""
        for lane in self._lanes.values():
            lane.waiting.awaited = False
        return _released(list(self._lanes.values()), inf, room)

    def _look(self) -> None:
        """Go on with the clock of who waits."""
        before, self._looked_at = self._looked_at, time.monotonic()
        self._waited += min(self._looked_at - before, _ONE_LOOK)

    def _level(self, sources: Sequence[Lane], room: int) -> list[Run]:
        """What waits up to where every partition has come that is expected to deliver more, and what is too much to wait."""
        if min((lane.waiting.since for lane in sources), default=inf) < self._waited - _LONGEST:
            for lane in sources:
                lane.waiting.awaited = lane.waiting.records > 0  # who keeps everybody waiting is not expected any more
            return _released(sources, inf, room)
        taken = _released(sources, min((lane.waiting.reached for lane in sources if lane.waiting.awaited), default=inf), room)
        return taken + _released(sources, inf, min(room - _records(taken), self._excess([lane.waiting for lane in sources])))

    def _excess(self, sources: Sequence[Waiting]) -> int:
        """How many records more wait than may. Of bytes about: by the mean size of those that wait."""
        records, size = sum(waiting.records for waiting in sources), sum(waiting.size for waiting in sources)
        return max(records - self._most_records, ceil(records * (1 - self._most_bytes / size)) if size else 0)


def _records(runs: Iterable[Run]) -> int:
    return sum(len(records) for _, records in runs)


def _released(lanes: Sequence[Lane], level: float, room: int) -> list[Run]:
    """The waiting records up to a Kafka time in milliseconds; the earliest where there is no room for all."""
    if 0 < room < sum(lane.waiting.records for lane in lanes):
        due = sorted(chain.from_iterable(islice(lane.waiting.due(level), room) for lane in lanes))
        level = min(level, due[room - 1]) if room < len(due) else level
    released: list[Run] = []
    for lane in lanes:
        if room > 0 and lane.waiting.records and (records := lane.waiting.release(level, room)):
            released.append((lane, records))
            room -= len(records)
    return released


_NOWHERE = ("", -1)


def _place(message: Message) -> Place:
    """Where a record lies; an error lies nowhere."""
    if message.error() is not None:
        return _NOWHERE
    return message.topic(), message.partition()  # type: ignore[return-value]  # a record has both
