"""How far behind the worker is, from librdkafka's statistics (operations, C2).

`consumer_lag` cannot be used: it stays -1, because the offsets are committed by the producer. So the lag is the last stable
offset less the position in the log, which passes transaction markers, corrected by what has been read, but waits or is not
committed.
"""

import time
from collections.abc import Mapping
from typing import Any

import msgspec

from processors.engine.lanes import Lane, Place
from processors.engine.metrics import Metrics


class Lag:
    """The consumer's `stats_cb`."""

    def __init__(self, metrics: Metrics, lanes: Mapping[Place, Lane]) -> None:
        self._metrics = metrics
        self._lanes = lanes
        self._shown: set[Place] = set()

    def __call__(self, statistics: str) -> None:
        """Take one set of statistics."""
        topics: dict[str, Any] = msgspec.json.decode(statistics)["topics"]
        shown = set()
        for topic, details in topics.items():
            for number, partition in details["partitions"].items():
                lane = self._lanes.get((topic, int(number)))  # the pseudo-partition -1 has no lane
                if lane is None:
                    continue
                behind = _behind(partition, lane)
                if behind is not None:
                    shown.add(lane.place)
                    self._show(lane, behind)
        for topic, number in self._shown - shown:
            self._metrics.lag.remove(topic, str(number))
            self._metrics.lag_seconds.remove(topic, str(number))
        self._shown = shown

    def _show(self, lane: Lane, behind: int) -> None:
        labels = (lane.topic, str(lane.partition))
        age = time.time() - lane.stamp / 1000 if behind and lane.stamp else 0.0
        self._metrics.lag.labels(*labels).set(behind)
        self._metrics.lag_seconds.labels(*labels).set(max(age, 0.0))


def _behind(partition: dict[str, Any], lane: Lane) -> int | None:
    """Records that could be read and are not committed; None while librdkafka knows neither end nor position.

    Before the first record of a partition, as after a restart with nothing to read, its position is where it is fetched from.
    """
    end: int = partition["ls_offset"] if partition["ls_offset"] >= 0 else partition["hi_offset"]
    position: int = partition["app_offset"] if partition["app_offset"] >= 0 else partition["next_offset"]
    if lane.committed is not None:
        position = max(position, lane.committed)
    return None if end < 0 or position < 0 else max(end - position, 0) + lane.taken + lane.waiting.records
