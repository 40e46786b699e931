"""Which partitions this worker reads, from the group's callbacks to the moment a partition may flow.

The callbacks run on the loop's thread, inside consume() (ER-19). They end the open transaction before a partition goes, and only
note a partition that comes: it is assigned when it is known where it begins (`starts.py`). Sources flow from there on, facts when
their rows are restored. A record that the very same call returned for a partition that went is never taken (ER-21).
"""

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from confluent_kafka import Consumer, TopicPartition

from processors.engine import mark
from processors.engine.lanes import Lane, Place
from processors.engine.parts import Parts
from processors.engine.restore import Restorer
from processors.engine.starts import Start, Starts, warn_of_gap
from processors.state.overlay import Overlay
from processors.state.rows import Position

log = logging.getLogger(__name__)

_TOUCHED_EVERY = 600.0
"""Seconds after which idle partitions are noted as still complete: only time without an owner ages a store."""


class Assignment:
    """The partitions of this worker.

    Attributes:
        lanes: The partitions that flow, by topic and partition.
        joined: The group has given an assignment, be it an empty one.
        changed: Partitions came or went since this was last set to False.
    """

    def __init__(
        self, parts: Parts, starts: Starts, restorer: Restorer, finish: Callable[[], None], abandon: Callable[[], None]
    ) -> None:
        """Wire an assignment.

        Args:
            parts: The parts of the worker.
            starts: Finds out where partitions begin.
            restorer: Restores facts partitions.
            finish: Ends the open transaction, by a commit if that is possible.
            abandon: Aborts the open transaction.
        """
        self._consumer = parts.consumer
        self._source_topics = parts.settings.source_topics
        self._facts = parts.settings.topics.facts
        self._count = parts.partitions
        self._incremental = parts.clients.consumer_protocol
        self._storehouse = parts.storehouse
        self._metrics = parts.metrics
        self._errors = parts.errors
        self._starts = starts
        self._restorer = restorer
        self._finish = finish
        self._abandon = abandon
        self._held: dict[Place, Lane] = {}
        self._failure: Exception | None = None
        self._touched_at = time.monotonic()
        self.lanes = parts.lanes
        self.joined = False
        self.changed = False

    @property
    def ready(self) -> bool:
        """The group has assigned, and everything assigned flows."""
        return self.joined and not self._held

    @property
    def busy(self) -> bool:
        """Partitions came that do not flow yet."""
        return self._starts.busy or self._restorer.busy

    def subscribe(self, topics: Iterable[str]) -> None:
        """Join the group."""
        self._consumer.subscribe(
            list(topics),
            on_assign=self._guarded(self._assigned),
            on_revoke=self._guarded(self._revoked),
            on_lost=self._guarded(self._lost),
        )

    def settle(self) -> None:
        """After a consume() that changed the assignment: raise what a callback could not."""
        self.changed = False
        if self._failure is not None:
            raise self._failure

    def bring(self) -> None:
        """Do a slice of what partitions need that came; those that have it flow from here on."""
        if self._starts.busy:
            self._begin(self._starts.slice())
        restored = self._restorer.slice() if self._restorer.busy else []
        if restored:
            wanted = [self._held[self._facts, partition] for partition in restored]
            for lane in wanted:
                lane.overlay = Overlay(self._storehouse.store, lane.partition)
                row = lane.overlay.get(mark.KEY)
                lane.reached = 0 if row is None else mark.decode(row).reached
            self._flow(wanted)
            self._consumer.resume([TopicPartition(*lane.place) for lane in wanted])
            log.info("restored facts partitions %s", sorted(restored))

    def touch(self, *, now: bool = False) -> None:
        """Note now and then that the rows of the partitions held here are complete, whether or not they changed."""
        if not now and time.monotonic() - self._touched_at < _TOUCHED_EVERY:
            return
        self._touched_at = time.monotonic()
        if not self._storehouse.is_open:
            return
        store = self._storehouse.store
        positions = {}
        for lane in self.lanes.values():
            if lane.overlay is not None and (position := store.position(lane.partition)) is not None:
                positions[lane.partition] = Position(position.offset, time.time())
        store.apply({}, positions)

    def check_welcome(self) -> None:
        """Raise `Stop` when brokers refuse this worker while it waits for an assignment: else it would wait for ever."""
        if not self.joined:
            self._errors.raise_barred()

    def _begin(self, starts: Mapping[Place, Start]) -> None:
        """Assign partitions with the offsets they begin at; facts wait paused until their rows are there."""
        if not starts:
            return
        self._assign([TopicPartition(*place, start.offset) for place, start in starts.items()])
        lanes = [self._held[place] for place in starts]
        facts = [lane for lane in lanes if not lane.source]
        if facts:
            self._consumer.pause([TopicPartition(*lane.place) for lane in facts])
        for lane in lanes:
            start = starts[lane.place]
            lane.next, lane.committed = start.offset, start.committed
            if lane.source:
                warn_of_gap(lane.place, start)
            else:
                self._restorer.add(lane.partition, start)
        self._flow([lane for lane in lanes if lane.source])

    def _flow(self, lanes: Sequence[Lane]) -> None:
        for lane in lanes:
            self.lanes[lane.place] = self._held.pop(lane.place)
            self._metrics.assigned.labels(lane.topic).inc()

    def _assign(self, places: list[TopicPartition]) -> None:
        if self._incremental:
            self._consumer.incremental_assign(places)
        else:
            self._consumer.assign(places)

    def _assigned(self, partitions: list[TopicPartition]) -> None:
        """Note what came; librdkafka waits for an assignment, so it gets one of nothing."""
        self.joined = True
        self._refuse_growth(partitions)
        self._metrics.rebalances.labels("assigned").inc()
        self._assign([])
        for each in partitions:
            place = (each.topic, each.partition)
            self._held[place] = Lane(*place, self._source_topics.get(each.topic, ""))
            self._starts.add(place)
        log.info("assigned %s", _names(partitions))

    def _refuse_growth(self, partitions: list[TopicPartition]) -> None:
        """ER-3: a facts partition that was not there at the start has keys whose rows are behind another one."""
        most = max((each.partition for each in partitions if each.topic not in self._source_topics), default=-1)
        if most >= self._count:
            raise mark.grown(f"topic {self._facts}", self._count, most + 1)

    def _revoked(self, partitions: list[TopicPartition]) -> None:
        """ER-19: the group waits for this callback, so the transaction ends now and the partitions' state with it."""
        self._metrics.rebalances.labels("revoked").inc()
        self._finish()
        self.touch(now=True)
        self._release(partitions)
        log.info("revoked %s", _names(partitions))

    def _lost(self, partitions: list[TopicPartition]) -> None:
        """ER-20: somebody else may own them already, so nothing of the open transaction may be committed."""
        self._metrics.rebalances.labels("lost").inc()
        self.joined = False
        self._abandon()
        self._release(partitions)
        log.warning("lost %s: this worker was away for longer than its session; it rejoins", _names(partitions))

    def _release(self, partitions: list[TopicPartition]) -> None:
        gone = {(each.topic, each.partition) for each in partitions}
        assigned = gone - self._starts.remove(gone)
        facts = []
        for place in gone:
            lane = self.lanes.pop(place, None)
            if lane is not None:
                self._metrics.assigned.labels(lane.topic).dec()
                self._metrics.forget_watermark(lane.topic, lane.partition)
            else:
                lane = self._held.pop(place, None)
            if lane is not None and not lane.source:
                facts.append(lane.partition)
        self._restorer.remove(facts)
        if self._incremental:
            self._consumer.incremental_unassign([TopicPartition(*place) for place in assigned])
        else:
            self._consumer.unassign()

    def _guarded(self, callback: Callable[[list[TopicPartition]], None]) -> Callable[[Consumer, list[TopicPartition]], None]:
        """Keep a callback's exception for the loop: inside consume() nobody could handle it, and later callbacks must not act."""

        def guarded(_: Consumer, partitions: list[TopicPartition]) -> None:
            self.changed = True
            if self._failure is not None:
                return
            try:
                callback(partitions)
            except Exception as failure:
                self._failure = failure

        return guarded


def _names(partitions: list[TopicPartition]) -> str:
    return ", ".join(sorted(f"{each.topic}[{each.partition}]" for each in partitions)) or "nothing"
