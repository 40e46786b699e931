"""Deletes committed facts that are older than `topics.keep_facts`, as Kafka Streams does for its repartition topics.

Time-based retention could delete what a long outage left unread; this never goes beyond what is committed. Age is counted by the
brokers' clock, from the newest fact read here: no clock of a worker can delete what is to be kept. Each worker does it for its
own partitions, every few minutes, through futures: the loop never waits for it, and a refusal is no reason to stop.
"""

import logging
import time
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaException, TopicPartition

from processors.engine.admin import OffsetSpec
from processors.engine.lanes import Lane
from processors.engine.parts import Parts
from processors.engine.triage import error_of

log = logging.getLogger(__name__)

_TIMEOUT = 30.0

Answers = dict[TopicPartition, "Future[Any]"]


class Purge:
    """Asks which facts are old enough, then deletes them; one step at a time."""

    def __init__(self, parts: Parts) -> None:
        """Wire a purge; this user needs DELETE on facts, unless `keep_facts` is None."""
        self._admin = parts.admin
        self._facts = parts.settings.topics.facts
        self._keep = parts.settings.keep_facts
        self._every = parts.settings.purge_every
        self._lanes = parts.lanes
        self._metrics = parts.metrics
        self._due = time.monotonic() + self._every
        self._asked: Answers = {}
        self._deleting: Answers = {}

    def step(self) -> None:
        """Do what is due and possible without waiting."""
        if self._keep is None:
            return
        if self._deleting:
            self._settle()
        elif self._asked:
            self._delete()
        elif time.monotonic() >= self._due:
            self._due = time.monotonic() + self._every
            self._ask(self._keep)

    def _ask(self, keep: float) -> None:
        lanes = self._facts_lanes()
        newest = max((lane.stamp for lane in lanes), default=0)
        if newest:
            kept_from = OffsetSpec.for_timestamp(newest - int(keep * 1000) + 1)
            asked = {TopicPartition(self._facts, lane.partition): kept_from for lane in lanes}
            self._asked = self._admin.list_offsets(asked, request_timeout=_TIMEOUT)

    def _delete(self) -> None:
        """Delete up to the first fact to keep, and never past what is committed."""
        if not all(future.done() for future in self._asked.values()):
            return
        answers, self._asked = self._asked, {}
        before = []
        for place, future in answers.items():
            lane = self._lanes.get((place.topic, place.partition))
            if lane is None or lane.committed is None or future.exception() is not None:
                continue
            kept_from = future.result().offset  # -1: nothing is as new as that; -1001: not answered in time
            if kept_from < -1:
                continue
            upto = lane.committed if kept_from < 0 else min(kept_from, lane.committed)
            if upto > 0:
                before.append(TopicPartition(place.topic, place.partition, upto))
        if before:
            self._deleting = self._admin.delete_records(before, request_timeout=_TIMEOUT)

    def _settle(self) -> None:
        if not all(future.done() for future in self._deleting.values()):
            return
        answers, self._deleting = self._deleting, {}
        for place, future in answers.items():
            why = future.exception()
            self._metrics.purged.labels("refused" if why else "deleted").inc()
            if isinstance(why, KafkaException):
                log.warning(
                    "committed facts of %s[%d] could not be deleted (%s): the topic grows until this user may DELETE there",
                    place.topic,
                    place.partition,
                    error_of(why).str(),
                )

    def _facts_lanes(self) -> list[Lane]:
        return [lane for lane in self._lanes.values() if lane.overlay is not None and lane.committed]
