"""What a worker is told, and what it tells librdkafka. Guards that no configuration can start that would break exactness.

The `kafka` mapping goes to librdkafka verbatim, except for what exactness depends on: those settings are fixed here, and a
configuration that says otherwise is refused by name (ER-1, ER-2, ER-3, ER-5, ER-15, ER-17) instead of being overruled silently.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from processors.engine.stop import INPUT, Stop
from processors.topology.effects import Topic

_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,200}")

_FIXED = {
    "enable.auto.commit": "false",
    "enable.auto.offset.store": "false",
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",
    "allow.auto.create.topics": "false",
    "partitioner": "murmur2_random",
    "enable.idempotence": "true",
    "metadata.recovery.strategy": "none",
    "partition.assignment.strategy": "range",
    "group.remote.assignor": "range",
}
"""Settings that may be written, but only with this value."""

_DERIVED = ("group.id", "group.instance.id", "transactional.id", "enable.partition.eof")
"""Settings that are made from application and instance, or belong to one of several consumers."""

_CLASSIC_ONLY = ("session.timeout.ms", "heartbeat.interval.ms", "partition.assignment.strategy")
"""librdkafka refuses them with group.protocol=consumer (ER-2): the broker decides there."""

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

_SESSION_AT_LEAST = 30_000
"""Milliseconds. With 6 s a broker outage of 12 s killed a static consumer (ER-1)."""


@dataclass(frozen=True)
class Limits:
    """When a transaction ends under backlog (ER-10), whichever comes first; one that is caught up ends at once."""

    batch_records: int = 10_000
    batch_bytes: int = 8 << 20
    batch_time: float = 0.1
    """Seconds."""


@dataclass(frozen=True)
class TopicNames:
    """The application's own topics by role."""

    facts: str
    changelog: str
    transitions: str
    conversions: str
    leads: str
    metrics: str
    dead_letters: str

    def published(self) -> dict[Topic, str]:
        """The topics that the topology may publish to."""
        return {
            "facts": self.facts,
            "transitions": self.transitions,
            "conversions": self.conversions,
            "leads": self.leads,
            "dead_letters": self.dead_letters,
        }

    def all(self) -> dict[str, str]:
        """Every topic by its role."""
        return {role: getattr(self, role) for role in self.__dataclass_fields__}


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
        connect_within: Seconds to keep trying a broker that does not answer at the start.
        restore_patience: Seconds without any progress of a restore before it is given up (ER-24). More than the 40 s for which
            a dead worker's transaction can hold back readers (ER-17).
        label_sets: Label sets of the topology's counters that exist from the start, by `Count.metric`.
    """

    application: str
    instance: str
    kafka: Mapping[str, object]
    source_topics: Mapping[str, str]
    topics: TopicNames
    state_path: Path
    limits: Limits = field(default_factory=Limits)
    listen: str | None = "127.0.0.1:8080"
    keep_facts: float | None = None
    purge_every: float = 300.0
    connect_within: float = 30.0
    restore_patience: float = 90.0
    label_sets: Mapping[str, Sequence[tuple[str, ...]]] = field(default_factory=dict)

    @property
    def store_path(self) -> Path:
        """The folder of this instance's store."""
        return self.state_path / self.application / self.instance


class Clients:
    """The configurations of the worker's clients.

    Attributes:
        consumer_protocol: The group runs by KIP-848: rebalances are incremental, membership is dynamic (ER-2).
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
        faults = [*_faults(settings, self._given, self.consumer_protocol)]
        if faults:
            raise Stop(INPUT, "kafka settings refused:\n" + "\n".join(f"  {fault}" for fault in faults))
        self.max_poll_interval = _number(self._given, "max.poll.interval.ms", 300_000) / 1000
        self.transaction_timeout = _number(self._given, "transaction.timeout.ms", 30_000) / 1000

    def consumer(self) -> dict[str, Any]:
        """The group member that reads sources and facts."""
        group = {"group.id": self._settings.application, "max.poll.interval.ms": "300000"}
        if self.consumer_protocol:
            group["group.remote.assignor"] = "range"
        else:
            group |= {
                "group.instance.id": self._settings.instance,
                "session.timeout.ms": "45000",
                "partition.assignment.strategy": "range",
            }
        fixed = {
            "enable.auto.commit": "false",
            "enable.auto.offset.store": "false",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "allow.auto.create.topics": "false",
            "statistics.interval.ms": "5000",
        }
        return self._common() | group | fixed | self._of(_PRODUCER_ONLY)

    def producer(self) -> dict[str, Any]:
        """The one transactional producer (ER-6)."""
        ours = {
            "transactional.id": f"{self._settings.application}:{self._settings.instance}",
            "transaction.timeout.ms": "30000",
            "retry.backoff.ms": "5",  # ER-10
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": "1000000",
        }
        return self._common() | ours | self._of(_CONSUMER_ONLY)

    def reader(self) -> dict[str, Any]:
        """The reader that restores: it never joins the group, but asks nothing of the broker that the group's id does not allow."""
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

    def admin(self) -> dict[str, Any]:
        """The client for questions about topics and offsets."""
        return self._common() | self._of((*_CONSUMER_ONLY, *_PRODUCER_ONLY))

    def _common(self) -> dict[str, Any]:
        return {
            "client.id": f"{self._settings.application}.{self._settings.instance}",
            "metadata.recovery.strategy": "none",  # ER-15
        }

    def _of(self, others: tuple[str, ...]) -> dict[str, Any]:
        """What was given, less what only another kind of client knows."""
        return {name: value for name, value in self._given.items() if not name.startswith(others)}


def _faults(settings: EngineSettings, given: dict[str, str], consumer_protocol: bool) -> list[str]:
    """Every contradiction, as a sentence that says what to write instead."""
    found = [
        f"{what} {value!r}: must be 1 to 200 of A-Z a-z 0-9 . _ -, because brokers allow no more in group and member names"
        for what, value in (("application", settings.application), ("instance", settings.instance))
        if not _NAME.fullmatch(value)
    ]
    if "bootstrap.servers" not in given and "metadata.broker.list" not in given:
        found.append("bootstrap.servers is missing: name at least one broker, host:port")
    found += [f"{name} is made from application and instance: leave it out" for name in _DERIVED if name in given]
    found += [
        f"{name}: {given[name]!r} would break exactness: leave it out, or write {wanted!r}"
        for name, wanted in _FIXED.items()
        if name in given and given[name].lower() != wanted
    ]
    found += [
        f"{name} must be all (transactions need it): leave it out"
        for name in ("acks", "request.required.acks")
        if given.get(name, "all") not in ("all", "-1")
    ]
    if given.get("group.protocol", "classic") not in ("classic", "consumer"):
        found.append(f"group.protocol: {given['group.protocol']!r} is unknown: write classic or consumer")
    if consumer_protocol:
        found += [
            f"{name} cannot be set with group.protocol=consumer (the broker decides it): leave it out"
            for name in _CLASSIC_ONLY
            if name in given
        ]
    try:
        return found + _timing_faults(settings, given)
    except ValueError as why:
        return [*found, str(why)]


def _timing_faults(settings: EngineSettings, given: dict[str, str]) -> list[str]:
    """ER-1 and ER-17: commit interval < transaction timeout <= session timeout <= poll interval."""
    session = _number(given, "session.timeout.ms", 45_000)
    poll = _number(given, "max.poll.interval.ms", 300_000)
    transaction = _number(given, "transaction.timeout.ms", 30_000)
    batch = settings.limits.batch_time * 1000
    rules = (
        (
            session >= _SESSION_AT_LEAST,
            f"session.timeout.ms: {session} is too short: write {_SESSION_AT_LEAST} or more, else a broker outage fences this worker",
        ),
        (poll >= session, f"max.poll.interval.ms: {poll} is below session.timeout.ms: write {session} or more"),
        (transaction <= session, f"transaction.timeout.ms: {transaction} is above session.timeout.ms: write {session} or less"),
        (batch < transaction, f"limits.batch_time: {batch:.0f} ms must be below transaction.timeout.ms, {transaction}"),
        (
            settings.limits.batch_records > 0 and settings.limits.batch_bytes > 0,
            "limits.batch_records and batch_bytes must be above 0",
        ),
    )
    return [fault for holds, fault in rules if not holds]


def _number(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not text.isdigit():
        raise ValueError(f"{name}: {text!r} is no number: write milliseconds, for example {default}")
    return int(text)


def _text(value: object) -> str:
    """A value as librdkafka writes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
