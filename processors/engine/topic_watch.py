"""Topics that change under a running worker: deleted, made anew, or facts and changelog grown in partitions.

librdkafka notices in its own time, some of it never: an emptied log that is full again looks like the old one, and facts of a
topic that has grown go to partitions without the rows of their leads (ER-3). So every few seconds the brokers are asked, through
futures, whether the topics are still those of the start. The loop never waits for an answer, and no answer is no reason to stop.
"""

import logging
import time
from concurrent.futures import Future
from typing import Any, NamedTuple

from confluent_kafka import KafkaException, TopicCollection

from processors.engine import mark
from processors.engine.parts import Parts
from processors.engine.stop import ENVIRONMENT, Stop
from processors.engine.triage import UNKNOWN_TOPIC, error_of

log = logging.getLogger(__name__)

_TIMEOUT = 30.0


class _Topic(NamedTuple):
    identity: str
    partitions: int


class TopicWatch:
    """Compares the topics with what they were when it first asked (ER-3, ER-25); one step at a time."""

    def __init__(self, parts: Parts) -> None:
        """Wire a watch over the sources' topics and our own."""
        names = parts.settings.topics
        self._admin = parts.admin
        self._every = parts.settings.watch_every
        self._topics = TopicCollection([*parts.settings.source_topics, *names])
        self._state = (names.facts, names.changelog)
        self._partitions = parts.partitions
        self._known: dict[str, _Topic] = {}
        self._due = time.monotonic()
        self._asked: dict[str, Future[Any]] = {}

    def step(self) -> None:
        """Do what is due and possible without waiting.

        Raises:
            Stop: A topic is not what it was.
        """
        if self._asked:
            if all(future.done() for future in self._asked.values()):
                self._compare()
        elif time.monotonic() >= self._due:
            self._due = time.monotonic() + self._every
            self._asked = self._admin.describe_topics(self._topics, request_timeout=_TIMEOUT)

    def _compare(self) -> None:
        answers, self._asked = self._asked, {}
        for name, future in answers.items():
            try:
                described = future.result()
            except KafkaException as raised:
                error = error_of(raised)
                if error.code() in UNKNOWN_TOPIC and name in self._known:
                    raise gone(name, error.str(), state=name in self._state) from raised
                log.debug("describing %s: %s", name, error.str())
                continue
            now = _Topic(str(described.topic_id), len(described.partitions))
            before = self._known.setdefault(name, now)
            if now.identity != before.identity:
                raise Stop(
                    ENVIRONMENT,
                    f"topic {name} was deleted and made anew while this worker ran: what it held and was not read is lost. The "
                    "next start reads it from its beginning, or says why it cannot",
                )
            if name in self._state and now.partitions > self._partitions:
                raise mark.grown(f"topic {name}", self._partitions, now.partitions)


def gone(topic: str, why: str, *, state: bool) -> Stop:
    """The end of a worker whose topic is not there any more; `state`: it was facts or changelog, which belong together."""
    lost = f"topic {topic} is gone ({why}): what it held and was not read is lost"
    if state:
        return Stop(ENVIRONMENT, f"{lost}, and what is left of the state does not fit an empty one. So {mark.BEGIN_AGAIN}.")
    return Stop(ENVIRONMENT, f"{lost}. Create it again (our own: `funnelstream topics create --config FILE`), then start")
