"""The application's own topics as they must be (design, section 9), and their creation on request.

Creation only adds: a topic that exists is never changed, its differences are reported to the person who may change it.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from confluent_kafka import KafkaError, KafkaException

from processors.engine.admin import AdminClient, ConfigResource, NewTopic, ResourceType
from processors.engine.stop import ENVIRONMENT, Stop
from processors.engine.triage import error_of
from schemas.application import OwnTopics

_DAY = 86_400_000
_TIMEOUT = 30.0
_REPLICAS = 3

State = Literal["created", "exists", "differs"]


class WantedTopic(NamedTuple):
    """A topic as it must be."""

    role: str
    name: str
    partitions: int
    config: dict[str, str]


class Difference(NamedTuple):
    """In what a topic is not as it must be. `why` says what breaks; empty where it is a matter of taste."""

    setting: str
    found: str | None
    wanted: str
    why: str


class TopicReport(NamedTuple):
    """What became of a wanted topic; `detail` says in what an existing one differs."""

    name: str
    state: State
    detail: str


_KEPT = {"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
_COMPACTED = {"cleanup.policy": "compact"}

_CONFIG: dict[str, dict[str, str]] = {
    "facts": {**_KEPT, "message.timestamp.type": "LogAppendTime"},
    "changelog": {**_COMPACTED, "delete.retention.ms": str(_DAY)},
    "transitions": _KEPT,
    "conversions": _KEPT,
    "leads": _COMPACTED,
    "metrics": _COMPACTED,
    "dead_letters": {"cleanup.policy": "delete", "retention.ms": str(30 * _DAY)},
}

_BREAKS = {
    ("facts", "message.timestamp.type"): "the log's time is the clock of every timeline",
    ("facts", "cleanup.policy"): "compaction drops facts that were not read",
    ("changelog", "cleanup.policy"): "any other policy deletes state by its age",
    ("changelog", "delete.retention.ms"): "stores on disk rely on tombstones for a day",
}


def wanted_topics(names: OwnTopics, partitions: int) -> list[WantedTopic]:
    """The topics of an application, each with the same number of partitions (facts and changelog must agree, ER-3)."""
    return [WantedTopic(role, name, partitions, dict(_CONFIG[role])) for role, name in names._asdict().items()]


def create_topics(admin: AdminClient, wanted: Sequence[WantedTopic], replication: int | None = None) -> list[TopicReport]:
    """Create what is missing, with two replicas in sync where there are three.

    Args:
        admin: Asks the brokers.
        wanted: The topics.
        replication: Replicas of each; None: three, or as many as there are brokers.

    Raises:
        Stop: A topic could not be created, or the brokers did not answer.
    """
    try:
        metadata = admin.list_topics(timeout=_TIMEOUT)
    except KafkaException as why:
        raise Stop(ENVIRONMENT, f"the brokers do not answer: {error_of(why).str()}") from why
    missing = [topic for topic in wanted if topic.name not in metadata.topics]
    _create(admin, missing, replicas_wanted(len(metadata.brokers), replication))
    created = {topic.name for topic in missing}
    reports = []
    for topic in wanted:
        if topic.name in created:
            reports.append(TopicReport(topic.name, "created", f"{topic.partitions} partitions"))
            continue
        details = _details(admin, topic, len(metadata.topics[topic.name].partitions))
        reports.append(TopicReport(topic.name, "differs" if details else "exists", "; ".join(details)))
    return reports


def replicas_wanted(brokers: int, configured: int | None) -> int:
    """Copies of each topic: three, or as many as there are brokers, unless the configuration says."""
    return configured or min(_REPLICAS, brokers)


def in_sync_wanted(replicas: int) -> int:
    """Copies that must hold a record before it counts."""
    return 2 if replicas >= _REPLICAS else 1


def differences(topic: WantedTopic, config: Mapping[str, str]) -> list[Difference]:
    """In what the configuration in force of a topic is not what is wanted."""
    return [
        Difference(name, config.get(name), value, _BREAKS.get((topic.role, name), ""))
        for name, value in topic.config.items()
        if not _suits(name, config.get(name), value)
    ]


def read_config(admin: AdminClient, topic: str) -> dict[str, str]:
    """A topic's configuration in force, defaults included; raises `KafkaException` when it may not be read."""
    resource = ConfigResource(ResourceType.TOPIC, topic)
    entries = admin.describe_configs([resource], request_timeout=_TIMEOUT)[resource].result(_TIMEOUT + 1)
    return {name: entry.value for name, entry in entries.items()}


def _create(admin: AdminClient, missing: Sequence[WantedTopic], replicas: int) -> None:
    if not missing:
        return
    in_sync = {"min.insync.replicas": str(wanted)} if (wanted := in_sync_wanted(replicas)) > 1 else {}
    new = [NewTopic(topic.name, topic.partitions, replicas, config=topic.config | in_sync) for topic in missing]
    for name, future in admin.create_topics(new, operation_timeout=_TIMEOUT).items():
        try:
            future.result()
        except KafkaException as why:
            error = error_of(why)
            if error.code() != KafkaError.TOPIC_ALREADY_EXISTS:  # somebody else creates the same topics right now
                raise Stop(ENVIRONMENT, f"topic {name} could not be created: {error.str()}") from why


def _details(admin: AdminClient, topic: WantedTopic, partitions: int) -> list[str]:
    found = [] if partitions == topic.partitions else [f"has {partitions} partitions, wanted {topic.partitions}"]
    try:
        config = read_config(admin, topic.name)
    except KafkaException as why:
        return [*found, f"its configuration cannot be read ({error_of(why).str()})"]
    return found + [f"{each.setting}={each.found}, wanted {each.wanted}" for each in differences(topic, config)]


def _suits(setting: str, found: str | None, wanted: str) -> bool:
    """Whether a value will do: tombstones may be kept for longer than is wanted, everything else is as it must be."""
    if setting == "delete.retention.ms":
        return int(found or 0) >= int(wanted)
    return found == wanted
