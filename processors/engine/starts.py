"""Where partitions that came are read from: asked of the brokers, so that librdkafka never has to find out by itself.

Its own lookup races with pause() and resume(). One that is overtaken is made again half a second later, and puts a partition
that flows already back to its beginning, or it is forgotten and the partition never flows (librdkafka #2190). So a partition is
assigned with the offset it begins at, once that is known: the group's own, else the first of the log. The group's answer waits
for a predecessor's pending commit (ER-22), so it is asked in slices, while the loop keeps polling (ER-24).

A commit names the facts topic that it belongs to, by Kafka's id (`READ_INTO`). Where that was made anew, the facts of a source's
records are gone; to read on behind them would lose them without a word, so it is refused (ER-25).
"""

import logging
import time
from collections.abc import Iterable
from typing import NamedTuple

from confluent_kafka import KafkaException, TopicPartition

from processors.engine import mark
from processors.engine.lanes import Place
from processors.engine.offsets import Bounds, BoundsQuestion
from processors.engine.parts import Parts
from processors.engine.stop import ENVIRONMENT, Stop
from processors.engine.triage import Verdict, error_of, triage

log = logging.getLogger(__name__)

READ_INTO = "facts="
"""Before the id of the facts topic in the metadata of a commit; what others set there says nothing."""
_COMMITTED = 1.0
"""Seconds that the group's offsets may keep the loop from polling; asked again until they are there."""


class Start(NamedTuple):
    """What the brokers say of a partition that came.

    Attributes:
        committed: The group's offset; None when there is none.
        log: Where the partition begins and ends.
    """

    committed: int | None
    log: Bounds

    @property
    def offset(self) -> int:
        """Where to read: a commit outside the log means that what it spoke of is gone."""
        within = self.committed is not None and self.log.earliest <= self.committed <= self.log.end
        return self.committed if within and self.committed is not None else self.log.earliest


class Starts:
    """Asks for partitions until all of them are answered: they are assigned together."""

    def __init__(self, parts: Parts) -> None:
        """Wire it."""
        self._consumer = parts.consumer
        self._admin = parts.admin
        self._errors = parts.errors
        self._patience = parts.settings.restore_patience
        self._facts, self._facts_id = parts.settings.topics.facts, parts.facts_id
        self._unasked: dict[Place, float] = {}
        self._asked: dict[Place, tuple[int | None, BoundsQuestion]] = {}
        self._known: dict[Place, Start] = {}

    @property
    def busy(self) -> bool:
        """Whether any partition waits to be assigned."""
        return bool(self._unasked or self._asked or self._known)

    def add(self, place: Place) -> None:
        """Begin to ask for a partition."""
        self._unasked[place] = time.monotonic()

    def remove(self, places: Iterable[Place]) -> set[Place]:
        """Forget partitions that went; returns those that were not assigned yet."""
        pending = {*self._unasked, *self._asked, *self._known} & {*places}
        for place in pending:
            self._unasked.pop(place, None)
            self._asked.pop(place, None)
            self._known.pop(place, None)
        return pending

    def slice(self) -> dict[Place, Start]:
        """Do a bounded piece of work.

        Returns:
            All partitions that were added, once the last of them is answered; else nothing.

        Raises:
            Stop: The group's offsets are not answered, this user may not read them, or they belong to facts that are gone.
        """
        self._ask_committed()
        for place, (committed, question) in list(self._asked.items()):
            bounds = question.answer()
            if bounds is not None:
                del self._asked[place]
                self._known[place] = Start(committed, bounds)
        if self._unasked or self._asked:
            self._check_patience()
            return {}
        known, self._known = self._known, {}
        return known

    def _ask_committed(self) -> None:
        if not self._unasked:
            return
        try:
            found = self._consumer.committed([TopicPartition(*place) for place in self._unasked], _COMMITTED)
        except KafkaException as raised:
            error = error_of(raised)
            if triage(error) in (Verdict.EXIT, Verdict.FORBIDDEN):
                raise self._errors.ending(error, "committed", next(iter(self._unasked))[0]) from raised
            return
        for answer in found:
            place = (answer.topic, answer.partition)
            if answer.error is None:
                self._check_facts(answer)
                del self._unasked[place]
                committed = answer.offset if answer.offset >= 0 else None
                self._asked[place] = (committed, BoundsQuestion(self._admin, place))

    def _check_facts(self, committed: TopicPartition) -> None:
        if into_other_facts(committed, self._facts_id):
            since = f"{committed.topic} partition {committed.partition} was read up to offset {committed.offset}"
            raise mark.made_anew(self._facts, since)

    def _check_patience(self) -> None:
        now = time.monotonic()
        for (topic, partition), since in self._unasked.items():
            if now - since > self._patience:
                raise Stop(
                    ENVIRONMENT,
                    f"{topic} partition {partition}: the group's offset was not answered for {self._patience:.0f} s: a "
                    "transaction of its former owner is still pending, or the group coordinator is away. If this comes "
                    "again, brokers have lost the end of a transaction: docs/operations.md#a-transaction-hangs",
                )


def into_other_facts(committed: TopicPartition, topic: str) -> bool:
    """Whether a commit says that its records became facts in another topic than the one with this id of Kafka's."""
    said = committed.metadata or ""
    return said.startswith(READ_INTO) and said != READ_INTO + topic


def warn_of_gap(place: Place, start: Start) -> None:
    """Say that records of a source went before anybody read them: nothing disappears silently."""
    committed, bounds = start
    if committed is None or committed == start.offset:
        return
    topic, partition = place
    if committed < bounds.earliest:
        why = f"its records from {committed} to {bounds.earliest - 1} were deleted unread, by retention or by hand"
    else:
        why = f"it ends at offset {bounds.end} now, so it was truncated or made anew"
    log.warning(
        "%s partition %d was read up to offset %d: %s; reading it from its beginning at offset %d",
        topic,
        partition,
        committed,
        why,
        bounds.earliest,
    )
