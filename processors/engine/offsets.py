"""Where partitions begin and end, asked without blocking the loop: librdkafka's admin answers through futures.

The end is asked with READ_UNCOMMITTED (ER-22): the last stable offset hides committed records behind somebody's open transaction.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition

from processors.engine.admin import AdminClient, OffsetSpec
from processors.engine.lanes import Place
from processors.engine.triage import Verdict, ending, error_of, triage

Answer = TypeVar("Answer")

_TIMEOUT = 10.0
_REFRESH = 2.0
_PAUSE = 0.005
_RETRIED_FOR = 60.0
"""Seconds for which errors of a question are met by asking again: leaders move (FENCED_LEADER_EPOCH), brokers restart."""


class Bounds(NamedTuple):
    """Offsets of a log: of its first record, and after its last one."""

    earliest: int
    end: int


class OffsetQuestion:
    """One future of one partition, asked again until it is answered."""

    def __init__(
        self, admin: AdminClient, place: Place, spec: OffsetSpec, isolation: IsolationLevel = IsolationLevel.READ_UNCOMMITTED
    ) -> None:
        """Ask."""
        self._admin = admin
        self._place = place
        self._spec = spec
        self._isolation = isolation
        self._until: float | None = None
        self._future = self._ask()

    def answer(self) -> int | None:
        """The offset, or None while it is not known; raises `Stop` when it will not be."""
        if not self._future.done():
            return None
        try:
            offset: int = self._future.result().offset
        except KafkaException as raised:
            self._again(error_of(raised))
            return None
        if offset < 0:  # -1001, and no exception, when no broker answered in time
            self._again(KafkaError(KafkaError._TIMED_OUT, "not answered in time"))
            return None
        return offset

    def _again(self, error: KafkaError) -> None:
        """Ask again with fresh metadata: with the stale epoch of a leader that has moved, every answer would be the same."""
        if self._until is None:  # from the first failure that is seen: a restore looks at some answers only at its end
            self._until = time.monotonic() + _RETRIED_FOR
        if triage(error) is Verdict.FORBIDDEN or time.monotonic() > self._until:
            raise ending(error, "list_offsets", self._place[0])
        with suppress(KafkaException):
            self._admin.list_topics(timeout=_REFRESH)
        self._future = self._ask()

    def _ask(self) -> "Future[Any]":
        asked = {TopicPartition(*self._place): self._spec}
        futures = self._admin.list_offsets(asked, isolation_level=self._isolation, request_timeout=_TIMEOUT)
        return next(iter(futures.values()))


class BoundsQuestion:
    """Asks for both ends of one partition."""

    def __init__(self, admin: AdminClient, place: Place) -> None:
        self._earliest = OffsetQuestion(admin, place, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        self._end = OffsetQuestion(admin, place, OffsetSpec.latest())  # type: ignore[no-untyped-call]

    def answer(self) -> Bounds | None:
        """The bounds, or None while they are not known; raises `Stop` when they will not be."""
        earliest, end = self._earliest.answer(), self._end.answer()
        return None if earliest is None or end is None else Bounds(earliest, end)


def bounds_of(admin: AdminClient, places: Iterable[Place]) -> dict[Place, Bounds]:
    """The bounds of partitions, for whoever may wait for them; raises `Stop` when the brokers do not say."""
    return _answers({place: BoundsQuestion(admin, place).answer for place in places})


def ends_of(admin: AdminClient, places: Iterable[Place], isolation: IsolationLevel) -> dict[Place, int]:
    """Where partitions end: after the last record, or with READ_COMMITTED before the first of an open transaction.

    Raises:
        Stop: The brokers do not say.
    """
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    return _answers({place: OffsetQuestion(admin, place, latest, isolation).answer for place in places})


def _answers(questions: Mapping[Place, Callable[[], Answer | None]]) -> dict[Place, Answer]:
    """Ask each again until it is answered."""
    found: dict[Place, Answer] = {}
    while len(found) < len(questions):
        for place, question in questions.items():
            if place not in found and (answer := question()) is not None:
                found[place] = answer
        time.sleep(_PAUSE)
    return found
