"""Where dead letters go back to: their own topics, if a source of the application reads them and this user may write there."""

import logging
import time
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection

from processors.engine.admin import AclOperation
from processors.engine.contact import first_contact
from processors.engine.settings import EngineSettings
from processors.engine.standalone import Standalone
from processors.engine.stop import ENVIRONMENT, Stop
from processors.engine.topics import read_config
from processors.engine.triage import Verdict, ending, error_of, triage
from processors.topology.letters import DeadLetter
from schemas.instants import MILLISECOND, SECOND

log = logging.getLogger(__name__)

_TIMEOUT = 30.0
BY_KEY = -1
"""Any partition: the producer takes the one that the record's key falls to."""


_UNCHECKED = "it was not checked whether it keeps the times of records (message.timestamp.type), and for how long (retention.ms)"
_NEW_TIMES = (
    "records get the time of the replay, by which it is judged anew whether they come too late, and which is the event time of "
    "those that name none"
)
_SHORT_LIVED = "brokers may delete them within minutes, so have a worker running, or raise retention.ms until it has read them"


class Destination(NamedTuple):
    """A partition to send to."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}" if self.partition != BY_KEY else f"{self.topic} by key"


class Nowhere(Exception):
    """A dead letter cannot go back; the message says why."""


class Destinations:
    """The topics of the application's sources, described once."""

    def __init__(self, log: Standalone, settings: EngineSettings) -> None:
        """Describe the topics.

        Raises:
            Stop: The brokers do not answer.
        """
        first_contact(log.admin, log.errors, settings.connect_within)
        self._admin = log.admin
        self._sources = settings.source_topics
        self._described = {
            topic: _description(future)
            for topic, future in self._admin.describe_topics(
                TopicCollection([*self._sources, settings.topics.dead_letters]),
                include_authorized_operations=True,
                request_timeout=_TIMEOUT,
            ).items()
        }
        self._dead_letters = settings.topics.dead_letters
        self._configurations: dict[str, dict[str, str]] = {}
        self._warned: set[str] = set()

    def of(self, letter: DeadLetter) -> Destination:
        """Where the source record goes: the partition it came from, or the one of its key where that is no more.

        What the topic does to such a record is said in a warning, before it is sent.

        Raises:
            Nowhere: Its topic is read by no source of this application, or is not there.
            Stop: This user may not write there.
        """
        topic = letter.origin.topic
        if topic not in self._sources:
            raise Nowhere(f"no source of this application reads {topic} any more: name the topic under a source, then replay")
        described = self._described[topic]
        if isinstance(described, KafkaError):
            if triage(described) is Verdict.FORBIDDEN:
                raise ending(described, "describing topics", topic, "WRITE")
            raise Nowhere(f"topic {topic} is not there ({described.str()})")
        self._check_writable(topic)
        self._warn_of_retention(topic, letter)
        partition = letter.origin.partition
        return Destination(topic, partition if partition < len(described.partitions) else BY_KEY)

    def _check_writable(self, topic: str) -> None:
        """Ask for what a commit would refuse without naming the topic (ER-13, ER-31)."""
        for name in (topic, self._dead_letters):
            described = self._described[name]
            allowed = None if isinstance(described, KafkaError) else described.authorized_operations
            if allowed is not None and AclOperation.WRITE not in allowed:
                raise Stop(
                    ENVIRONMENT,
                    f"this user lacks WRITE on topic {name}: nothing was sent there. Grant it: docs/operations.md#permissions",
                )

    def _configuration(self, topic: str) -> dict[str, str]:
        """The topic's configuration, as far as it may be read; says once what is to be known of it."""
        if topic not in self._configurations:
            try:
                self._configurations[topic] = read_config(self._admin, topic)
            except KafkaException as raised:
                self._configurations[topic] = {}
                log.warning("the configuration of %s cannot be read (%s): %s", topic, error_of(raised).str(), _UNCHECKED)
            if self._configurations[topic].get("message.timestamp.type") == "LogAppendTime":
                log.warning("%s has message.timestamp.type=LogAppendTime: %s", topic, _NEW_TIMES)
        return self._configurations[topic]

    def _warn_of_retention(self, topic: str, letter: DeadLetter) -> None:
        """Brokers judge by a record's own time how long they keep it, unless they give it theirs."""
        config = self._configuration(topic)
        if config.get("message.timestamp.type") == "LogAppendTime" or "delete" not in config.get("cleanup.policy", ""):
            return
        kept = int(config["retention.ms"]) * MILLISECOND
        old = kept >= 0 and letter.time < time.time() * SECOND - kept
        if old and topic not in self._warned:
            self._warned.add(topic)
            log.warning(
                "%s has retention.ms=%s and some of the records are older: %s", topic, config["retention.ms"], _SHORT_LIVED
            )


def _description(future: Any) -> Any:
    """A topic's description, or the error in its place."""
    try:
        return future.result(_TIMEOUT + 1)
    except KafkaException as raised:
        return error_of(raised)
