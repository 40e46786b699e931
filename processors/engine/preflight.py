"""What must be true of the brokers and topics before a worker joins its group and fences a predecessor.

Everything that is missing is said at once, one line each, with the command that mends it.
"""

import logging
from collections.abc import Container, Iterable, Mapping

from confluent_kafka import KafkaError, KafkaException, TopicCollection

from processors.engine.admin import AclOperation, AdminClient, TopicMetadata
from processors.engine.restore import TOMBSTONES_KEPT
from processors.engine.settings import EngineSettings
from processors.engine.stop import ENVIRONMENT, Stop
from processors.engine.topics import read_config
from processors.engine.triage import error_of
from schemas.application import OwnTopics

log = logging.getLogger(__name__)

_TIMEOUT = 30.0
"""Seconds."""
_CREATE = "run `funnelstream topics create --config FILE`"


def check_topics(admin: AdminClient, settings: EngineSettings, topics: Mapping[str, TopicMetadata], *, configs: bool) -> int:
    """Check that every topic is there and as it must be.

    Args:
        admin: Reads configurations.
        settings: Names the topics.
        topics: The topics that are there.
        configs: Whether the brokers can tell configurations (the mock broker cannot, and has no topics that nobody wrote to).

    Returns:
        The partition count of facts and changelog.

    Raises:
        Stop: Something is missing; a line for each.
    """
    names = settings.topics
    needed = _needed(settings, names if configs else (names.facts, names.changelog))
    allowed = _allowed(admin, needed) if configs else {}
    faults = []
    for name, operations in needed.items():
        if name in allowed:
            lacking = [operation.name for operation in operations if operation not in allowed[name]]
            faults += [f"this user lacks {operation} on topic {name}: grant it (ER-31)" for operation in lacking]
        elif name not in topics:
            faults.append(_absence(name, settings.source_topics.get(name)))
    if names.facts in topics and names.changelog in topics:
        faults += _partition_faults(names, topics)
        faults += _config_faults(admin, names.facts, names.changelog) if configs else []
    if faults:
        raise Stop(ENVIRONMENT, "the topics are not ready:\n" + "\n".join(f"  {line}" for line in faults))
    return len(topics[names.facts].partitions)


def _needed(settings: EngineSettings, own: Iterable[str]) -> dict[str, list[AclOperation]]:
    """What ER-31 grants on the topics of the sources and these of our own."""
    read, write = AclOperation.READ, AclOperation.WRITE
    needed = {name: [write] for name in own} | {name: [read] for name in settings.source_topics}
    return needed | {name: [read, write] for name in (settings.topics.facts, settings.topics.changelog)}


def _allowed(admin: AdminClient, names: Iterable[str]) -> dict[str, Container[AclOperation]]:
    """What this user may do with the topics that exist; asked for, because a commit that fails for it does not name its topic.

    Brokers do not tell whether a topic exists that this user may do nothing with: it counts as one that does.
    """
    allowed: dict[str, Container[AclOperation]] = {}
    for name, future in admin.describe_topics(TopicCollection([*names]), include_authorized_operations=True).items():
        try:
            told = future.result(_TIMEOUT).authorized_operations
        except KafkaException as why:
            if error_of(why).code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                allowed[name] = ()
            elif error_of(why).code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise
        else:
            allowed[name] = list(AclOperation) if told is None else told
    return allowed


def _absence(name: str, source: str | None) -> str:
    if source is None:
        return f"topic {name} does not exist: {_CREATE}"
    return f"topic {name} of source {source} does not exist: create it, or correct sources.{source}"


def _partition_faults(names: OwnTopics, topics: Mapping[str, TopicMetadata]) -> list[str]:
    facts, changelog = (len(topics[name].partitions) for name in (names.facts, names.changelog))
    if facts == changelog:
        return []
    return [
        f"{names.facts} has {facts} partitions and {names.changelog} {changelog}: they must be equal (ER-3); delete the one "
        f"that is still empty and {_CREATE}, or start under a new application name"
    ]


def _config_faults(admin: AdminClient, facts: str, changelog: str) -> list[str]:
    found = []
    try:
        of_facts, of_changelog = read_config(admin, facts), read_config(admin, changelog)
    except KafkaException as why:  # ER-31: DESCRIBE_CONFIGS is not among the permissions a worker needs
        log.info("the topics' configuration cannot be read (%s) and was not checked", error_of(why).str())
        return []
    if of_facts.get("message.timestamp.type") != "LogAppendTime":
        found.append(_wrong(facts, "message.timestamp.type=LogAppendTime", "the log's time is the clock of every timeline"))
    if of_changelog.get("cleanup.policy") != "compact":
        found.append(_wrong(changelog, "cleanup.policy=compact", "any other policy deletes state by its age"))
    if int(of_changelog.get("delete.retention.ms") or 0) < TOMBSTONES_KEPT * 1000:
        found.append(_wrong(changelog, "delete.retention.ms=86400000", "stores on disk rely on tombstones for a day"))
    return found


def _wrong(topic: str, setting: str, why: str) -> str:
    alter = f"kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config {setting}"
    return f"topic {topic} must have {setting}: {why}; run `{alter}`, or delete the empty topic and {_CREATE}"
