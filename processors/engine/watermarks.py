"""Watermarks: the owner of a source partition tells every facts partition how far it has read (identity.md, Time).

A facts partition fires timers up to the smallest watermark of all source partitions, so leads move on while nothing comes of
them. Every few seconds the brokers are asked, through futures, where the partitions end; when everything up to there is taken, or
a second later, the watermarks that have risen go out: behind the facts of the open transaction, or in one of their own when the
worker is idle. Either way it carries the offsets of the partitions they speak for, so that who has lost them is fenced (ER-8).
Nothing of this happens where no definition arms a timer.
"""

import time
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

import msgspec
from confluent_kafka import IsolationLevel, KafkaError, Message, TopicPartition

from processors.engine.admin import OffsetSpec
from processors.engine.frontier import BrokersClock
from processors.engine.lanes import Lane
from processors.engine.parts import Parts
from schemas.facts import Watermark

_MOST = 1_000
"""Watermarks that all workers together write in a second: each source partition tells each facts partition."""
_PATIENCE = 1.0
"""Seconds that a round waits for answers, and for what they say to be taken."""
_TIMEOUT = 10.0


class Told(NamedTuple):
    """A watermark to write: for which partition, the instant in microseconds, and the message."""

    lane: Lane
    at: int
    message: bytes


class _Question(NamedTuple):
    """Where the partitions end, asked at an instant of the brokers' clock and at one of the monotonic clock."""

    at: int
    since: float
    answers: dict[TopicPartition, Future[Any]]


class Watermarks:
    """Rounds of asking and telling."""

    def __init__(self, parts: Parts, *, timed: bool) -> None:
        """Wire it; `timed` says whether any definition arms a timer."""
        self._timed = timed
        self._admin = parts.admin
        self._consumer = parts.consumer
        self._lanes = parts.lanes
        self._sources = parts.sources
        self._every = max(parts.settings.tell_every, len(parts.sources) * parts.partitions / _MOST)
        self._clock = BrokersClock()
        self._due = time.monotonic()
        self._question: _Question | None = None

    def step(self) -> None:
        """Once a turn: ask where the partitions end, if a round is due and the brokers' time is known; take what is answered."""
        if not self._timed or time.monotonic() < self._due:
            return
        if self._question is not None:
            self._hear(self._question)
        elif now := self._clock.now():
            self._question = _Question(now, time.monotonic(), self._ask())

    def due(self) -> list[Told]:
        """The watermarks to write now, most of the time none.

        What was taken of the partitions until now must be in the open transaction already, and nothing may be on its way.
        """
        if not self._timed or time.monotonic() < self._due or not (own := self._own()):
            return []
        now = self._clock.now()
        if now and not self._answered(own):
            return []
        told = [
            Told(lane, at, self._message(lane, at))
            for lane in own
            if (at := lane.frontier.watermark(now)) > lane.frontier.telling
        ]
        # The first one, of no instant yet, brings the brokers' time; the next follows at once.
        self._due = time.monotonic() + (self._every if now else 0)
        self._question = None
        return told

    def delivered(self, error: KafkaError | None, message: Message) -> None:
        """The delivery report of a watermark: when the brokers appended it."""
        if error is None:
            self._clock.hear(message.partition() or 0, message.timestamp()[1] * 1000)

    def _own(self) -> list[Lane]:
        return [lane for lane in self._lanes.values() if lane.source]

    def _ask(self) -> dict[TopicPartition, Future[Any]]:
        """READ_UNCOMMITTED: what lies in somebody's open transaction was there at this time as well, and will come."""
        own = self._own()
        for lane in own:
            lane.frontier.ask()
        latest = {TopicPartition(*lane.place): OffsetSpec.latest() for lane in own}  # type: ignore[no-untyped-call]
        level = IsolationLevel.READ_UNCOMMITTED
        return self._admin.list_offsets(latest, isolation_level=level, request_timeout=_TIMEOUT) if latest else {}

    def _hear(self, question: _Question) -> None:
        for place in [place for place, answer in question.answers.items() if answer.done()]:
            answer = question.answers.pop(place)
            lane = self._lanes.get((place.topic, place.partition))
            if lane is not None and answer.exception() is None and (offset := answer.result().offset) >= 0:
                lane.frontier.ends(offset, question.at)

    def _answered(self, own: Sequence[Lane]) -> bool:
        """Everything that there was when the brokers were asked is taken; or that takes too long."""
        if self._question is None:
            return False
        caught_up = [lane.frontier.reached(self._position(lane)) for lane in own]
        return all(caught_up) or time.monotonic() - self._question.since > _PATIENCE

    def _position(self, lane: Lane) -> int:
        """Offset before which everything is taken: the consumer's passes transaction markers, which records do not show."""
        if lane.waiting.records:
            return lane.next
        [place] = self._consumer.position([TopicPartition(*lane.place)])  # -1001 until its first record
        return max(place.offset, lane.next)

    def _message(self, lane: Lane, at: int) -> bytes:
        sources = self._sources if lane.place in self._sources else (*self._sources, lane.place)  # it has grown since the start
        return msgspec.msgpack.encode(Watermark(source=lane.place, at=at, sources=sources))
