"""What a worker is told, and what it tells librdkafka. Guards that no configuration can start that would break exactness.

The `kafka` mapping goes to librdkafka verbatim, except for what exactness depends on: those settings are fixed here, and a
configuration that says otherwise is refused by name (ER-1, ER-2, ER-3, ER-5, ER-15, ER-17) instead of being overruled silently.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from confluent_kafka import KafkaException

from processors.engine.membership import member_name
from processors.engine.stop import INPUT, Stop
from processors.engine.triage import error_of
from schemas.application import OwnTopics
from schemas.kafka_settings import KAFKA_DEFAULTS, check_kafka

C = TypeVar("C")

_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,200}")

_CONSUMER_ONLY = (
    "allow.auto.create.topics",
    "auto.offset.reset",
    "check.crcs",
    "enable.auto.",
    "fetch.",
    "group.",
    "heartbeat.",
    "isolation.level",
    "max.partition.fetch.bytes",
    "max.poll.",
    "partition.assignment.",
    "queued.",
    "session.timeout.ms",
)
_PRODUCER_ONLY = (
    "acks",
    "batch.",
    "compression.",
    "delivery.timeout.ms",
    "enable.idempotence",
    "linger.ms",
    "message.send.max.retries",
    "partitioner",
    "queue.buffering.",
    "queuing.strategy",
    "request.required.acks",
    "request.timeout.ms",
    "retries",
    "sticky.partitioning.",
    "transaction.timeout.ms",
)


@dataclass(frozen=True)
class Limits:
    """When a transaction ends under backlog (ER-10), whichever comes first; one that is caught up ends at once."""

    batch_records: int = 10_000
    batch_bytes: int = 8 << 20
    batch_time: float = 0.1
    """Seconds."""


@dataclass(frozen=True)
class EngineSettings:
    """All that a worker needs to know.

    Attributes:
        application: Names the group and prefixes the transactional id.
        instance: Names this worker among its peers; stable across restarts.
        kafka: librdkafka settings, verbatim.
        source_topics: Name of the source by topic.
        topics: The application's own topics.
        state_path: Folder under which the store `application/instance` lives.
        limits: When a transaction ends.
        listen: `host:port` of the probes and metrics (port 0: any free one); None for no server.
        keep_facts: Seconds that a committed record of the facts topic is kept; None: for ever.
        purge_every: Seconds between two looks at what may go.
        watch_every: Seconds between two looks at whether the topics are still those of the start.
        tell_every: Seconds between two watermarks of a source partition, at least.
        connect_within: Seconds to keep trying a broker that does not answer at the start.
        restore_patience: Seconds without any progress of a restore before it is given up (ER-24). More than the 40 s for which
            a dead worker's transaction can hold back readers (ER-17).
        others_leave_within: Seconds to wait at the start until members with other definitions have left the group; None: for a
            session and a little more.
        label_sets: Label sets of the topology's counters that exist from the start, by metric.
    """

    application: str
    instance: str
    kafka: Mapping[str, object]
    source_topics: Mapping[str, str]
    topics: OwnTopics
    state_path: Path
    limits: Limits = field(default_factory=Limits)
    listen: str | None = "127.0.0.1:8080"
    keep_facts: float | None = None
    purge_every: float = 300.0
    watch_every: float = 10.0
    tell_every: float = 2.0
    connect_within: float = 30.0
    restore_patience: float = 90.0
    others_leave_within: float | None = None
    label_sets: Mapping[str, Sequence[tuple[str, ...]]] = field(default_factory=dict)

    @property
    def store_path(self) -> Path:
        """The folder of this instance's store."""
        return self.state_path / self.application / self.instance


class Clients:
    """The configurations of the worker's clients.

    Attributes:
        transactional_id: Of application and instance (ER-1).
        client_id: What brokers' logs and quotas call these clients.
        consumer_protocol: The group runs by KIP-848: rebalances are incremental, membership is dynamic (ER-2).
        session_timeout: Seconds after which a member that is not heard of has left its group.
        max_poll_interval: Seconds after which a consumer that does not poll has left its group.
        transaction_timeout: Seconds after which the broker aborts an open transaction.
    """

    def __init__(self, settings: EngineSettings) -> None:
        """Check the settings.

        Raises:
            Stop: They contradict each other or a rule; the sentence names every setting at fault and what to write.
        """
        self._settings = settings
        self._given = {name: _text(value) for name, value in settings.kafka.items()}
        self.consumer_protocol = self._given.get("group.protocol", "classic") == "consumer"
        faults = [*_faults_of_names(application=settings.application, instance=settings.instance)]
        # A configuration file was checked with line and column before; this is for whoever builds a worker in another way.
        faults += [fault.sentence for fault in check_kafka(self._given, f"{round(settings.limits.batch_time * 1000)}ms")]
        if faults:
            raise Stop(INPUT, "settings refused:\n" + "\n".join(f"  {fault}" for fault in faults))
        self.transactional_id = f"{settings.application}:{settings.instance}"  # no name may contain a colon
        self.client_id = f"{settings.application}.{settings.instance}"
        self.session_timeout = self._seconds("session.timeout.ms")
        self.max_poll_interval = self._seconds("max.poll.interval.ms")
        self.transaction_timeout = self._seconds("transaction.timeout.ms")

    def _seconds(self, setting: str) -> float:
        return int(self._given.get(setting, KAFKA_DEFAULTS[setting])) / 1000

    def consumer(self, definitions: str) -> dict[str, Any]:
        """The group member that reads sources and facts.

        Args:
            definitions: Digest of the definitions that it runs, which the member's name tells others.
        """
        group = {
            "group.id": self._settings.application,
            "max.poll.interval.ms": KAFKA_DEFAULTS["max.poll.interval.ms"],
            "queued.max.messages.kbytes": "16384",  # fetched ahead: a transaction's worth or two, not librdkafka's 64 MiB
            "fetch.queue.backoff.ms": "20",  # a second without fetching puts partitions further apart than may wait (decision 11)
        }
        if self.consumer_protocol:
            group["group.remote.assignor"] = "range"
            named = {"client.id": member_name(self._given.get("client.id", self.client_id), definitions)}
        else:
            group |= {
                "group.instance.id": member_name(self._settings.instance, definitions),
                "session.timeout.ms": KAFKA_DEFAULTS["session.timeout.ms"],
                "partition.assignment.strategy": "range",
            }
            named = {}
        fixed = {
            "enable.auto.commit": "false",
            "enable.auto.offset.store": "false",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "allow.auto.create.topics": "false",
            "statistics.interval.ms": "5000",
        }
        return self._common() | group | fixed | self._of(_PRODUCER_ONLY) | named

    def producer(self) -> dict[str, Any]:
        """The one transactional producer (ER-6)."""
        ours = {
            "transactional.id": self.transactional_id,
            "transaction.timeout.ms": KAFKA_DEFAULTS["transaction.timeout.ms"],
            "retry.backoff.ms": "5",  # ER-10
            "partitioner": "murmur2_random",
            "linger.ms": "20",  # fuller requests; a commit sends at once what still waits (ER-10)
            "queue.buffering.max.messages": "1000000",
        }
        return self._common() | ours | self._of(_CONSUMER_ONLY)

    def reader(self) -> dict[str, Any]:
        """The reader that restores. It never joins; the group's id keeps it within the permissions of ER-31."""
        ours = {
            "group.id": self._settings.application,
            "enable.auto.commit": "false",
            "enable.auto.offset.store": "false",
            "auto.offset.reset": "error",  # a position outside the log means that the log was truncated
            "isolation.level": "read_committed",
            "allow.auto.create.topics": "false",
            "enable.partition.eof": "true",
            "fetch.wait.max.ms": "20",
        }
        group = ("group.protocol", "group.remote.assignor", "session.timeout.ms", "heartbeat.interval.ms", "max.poll.")
        given = self._of((*_PRODUCER_ONLY, *group, "auto.offset.reset", "partition.assignment.", "fetch.wait.max.ms"))
        return self._common() | given | ours

    def mark_reader(self) -> dict[str, Any]:
        """The reader that looks for marks before anything is joined, past open transactions."""
        return self.reader() | {"isolation.level": "read_uncommitted"}

    def admin(self) -> dict[str, Any]:
        """The client for questions about topics and offsets."""
        return self._common() | self._of((*_CONSUMER_ONLY, *_PRODUCER_ONLY))

    def _common(self) -> dict[str, Any]:
        return {
            "client.id": self.client_id,
            "metadata.recovery.strategy": "none",  # ER-15
        }

    def _of(self, others: tuple[str, ...]) -> dict[str, Any]:
        """What was given, less what only another kind of client knows."""
        return {name: value for name, value in self._given.items() if not name.startswith(others)}


def make_client(kind: Callable[[dict[str, Any]], C], settings: dict[str, Any]) -> C:
    """A client of librdkafka.

    Raises:
        Stop: librdkafka does not know a setting, or does not take its value; it names it.
    """
    try:
        return kind(settings)
    except KafkaException as raised:
        raise Stop(INPUT, f"kafka settings: {error_of(raised).str()}") from raised


def _text(value: object) -> str:
    """A value as librdkafka writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _faults_of_names(**names: str) -> Iterator[str]:
    """Names that brokers do not take for groups and members; they also name folders."""
    for what, name in names.items():
        if not _NAME.fullmatch(name):
            yield f"{what} {name!r}: must be 1 to 200 of A-Z a-z 0-9 . _ -, as brokers want it of groups and members"
