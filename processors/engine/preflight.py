"""What must be true of the brokers and topics before a worker joins its group and fences a predecessor.

Everything that is missing is said at once, one line each, with the command that mends it. `check` asks the same and more.
"""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import KafkaException

from processors.engine.admin import AdminClient, TopicMetadata
from processors.engine.described import Topic, by_name, describe_topics
from processors.engine.findings import Finding, missing
from processors.engine.permissions import Permission, grant, needed
from processors.engine.settings import EngineSettings
from processors.engine.stop import ENVIRONMENT, Stop
from processors.engine.topics import WantedTopic, differences, read_config, wanted_topics
from processors.engine.triage import error_of

log = logging.getLogger(__name__)

_CREATE = "run `funnelstream topics create --config FILE`"
_CREATE_ALL = "run `funnelstream topics create --config FILE --with-sources`"


class Ready(NamedTuple):
    """What a worker must know of the topics: how many partitions facts and changelog have, and which topics they are."""

    partitions: int
    facts_id: str
    changelog_id: str


def check_topics(
    admin: AdminClient, settings: EngineSettings, transactional_id: str, topics: Mapping[str, TopicMetadata], *, configs: bool
) -> Ready:
    """Check that every topic is there and as it must be.

    Args:
        admin: Asks the brokers.
        settings: Names the topics.
        transactional_id: Of this worker.
        topics: The topics that are there.
        configs: Whether the brokers can describe topics (the mock broker cannot, and has no topics that nobody wrote to).

    Raises:
        Stop: Something is missing; a line for each.
    """
    names = settings.topics
    own = names if configs else (names.facts, names.changelog)
    described = by_name(topics)
    if configs:
        described = describe_topics(admin, [*own, *settings.source_topics])
    found = [*presence(settings, own, described), *equal_partitions(settings, described)]
    if configs:
        found += topic_permissions(settings, needed(settings, transactional_id), described)
        found += _settings_of_our_own(admin, settings)
    if lacking := missing(found):
        lines = "\n".join(f"  {finding.sentence}" for finding in lacking)
        raise Stop(ENVIRONMENT, f"the topics are not ready:\n{lines}")
    return Ready(len(described[names.facts].partitions), described[names.facts].id, described[names.changelog].id)


def presence(settings: EngineSettings, own: Sequence[str], described: Mapping[str, Topic]) -> Iterator[Finding]:
    """Topics that do not exist; one that this user may not see is a matter of its permissions."""
    for name in own:
        if name not in described or described[name].absent:
            yield Finding("topic", f"topic {name}", "missing", "does not exist", _CREATE)
    for name, source in settings.source_topics.items():
        if name not in described or described[name].absent:
            mend = f"create it (to try things out, {_CREATE_ALL}), or correct sources.{source}"
            yield Finding("topic", f"topic {name}", "missing", f"of source {source} does not exist", mend)


def equal_partitions(settings: EngineSettings, described: Mapping[str, Topic]) -> Iterator[Finding]:
    """Facts and changelog with different partition counts (ER-3)."""
    names = settings.topics
    facts, changelog = (len(described[name].partitions) if name in described else 0 for name in (names.facts, names.changelog))
    if facts and changelog and facts != changelog:
        mend = f"delete the one that is still empty and {_CREATE}, or start under a new application name"
        says = f"has {facts} partitions and {names.changelog} {changelog}, they must be equal"
        yield Finding("topic", f"topic {names.facts}", "missing", says, mend)


def topic_permissions(
    settings: EngineSettings, permissions: Sequence[Permission], described: Mapping[str, Topic]
) -> Iterator[Finding]:
    """The permissions on topics, asked for because a commit that fails for one does not name its topic (ER-13, ER-31)."""
    for permission in permissions:
        topic = described.get(permission.name)
        if permission.resource == "topic" and topic is not None and not topic.absent:
            allowed = frozenset[str]() if topic.hidden else topic.allowed
            yield permission_finding(permission, allowed, settings.kafka)


def permission_finding(permission: Permission, allowed: frozenset[str] | None, kafka: Mapping[str, object]) -> Finding:
    """Whether a permission is among what the brokers say is allowed; None: they do not say."""
    if allowed is None:
        return Finding("permission", permission.words, "unknown", "is not known: these brokers do not say what is granted")
    if permission.operation in allowed:
        return Finding("permission", permission.words, "ok", "is granted")
    if permission.without:
        return Finding(
            "permission", permission.words, "warning", f"is not granted: {permission.without}", grant(permission, kafka)
        )
    return Finding("permission", permission.words, "missing", "is not granted", grant(permission, kafka))


def setting_findings(topic: WantedTopic, config: Mapping[str, str]) -> Iterator[Finding]:
    """Settings of a topic that are not as they must be, and those that are not as they should be."""
    for setting, found, wanted, why in differences(topic, config):
        alter = f"kafka-configs.sh --alter --entity-type topics --entity-name {topic.name} --add-config {setting}={wanted}"
        if why:
            mend = f"run `{alter}`, or delete the empty topic and {_CREATE}"
            yield Finding("topic", f"topic {topic.name}", "missing", f"must have {setting}={wanted}, not {found}: {why}", mend)
        else:
            yield Finding("topic", f"topic {topic.name}", "warning", f"has {setting}={found}, wanted {wanted}", f"run `{alter}`")


def _settings_of_our_own(admin: AdminClient, settings: EngineSettings) -> list[Finding]:
    found: list[Finding] = []
    for topic in wanted_topics(settings.topics, 0):
        if topic.name not in (settings.topics.facts, settings.topics.changelog):
            continue
        try:
            found += setting_findings(topic, read_config(admin, topic.name))
        except KafkaException as why:  # ER-31: DESCRIBE_CONFIGS is not among the permissions a worker needs
            log.info("the topics' configuration cannot be read (%s) and was not checked", error_of(why).str())
            return found
    return found
