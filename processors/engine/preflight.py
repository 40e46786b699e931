"""What must be true of the brokers and topics before a worker joins its group and fences a predecessor.

Everything that is missing is said at once, one line each, with the command that mends it.
"""

import logging
import time
from collections.abc import Callable, Mapping

from confluent_kafka import KafkaException, TopicCollection

from processors.engine.admin import AclOperation, AdminClient, TopicMetadata
from processors.engine.broker_errors import BrokerErrors
from processors.engine.restore import TOMBSTONES_KEPT
from processors.engine.settings import EngineSettings
from processors.engine.stop import ENVIRONMENT, Stop
from processors.engine.topics import read_config
from processors.engine.triage import Verdict, ending, error_of, triage

log = logging.getLogger(__name__)

_SLICE = 2.0
_LONGEST_PAUSE = 0.5
"""Seconds. With `_SLICE` the longest that a signal waits to be heard."""
_TIMEOUT = 30.0
_CREATE = "run `funnelstream topics create --config FILE`"


def reach_brokers(
    admin: AdminClient, errors: BrokerErrors, settings: EngineSettings, beat: Callable[[], None]
) -> Mapping[str, TopicMetadata]:
    """The topics that are there, by name; waits for brokers that do not answer yet, backing off.

    Raises:
        Stop: They did not answer within `connect_within`, or refuse this user.
    """
    deadline = time.monotonic() + settings.connect_within
    pause = 0.1
    while True:
        beat()
        try:
            topics: Mapping[str, TopicMetadata] = admin.list_topics(timeout=_SLICE).topics
            return topics
        except KafkaException as raised:
            error = error_of(raised)
        admin.poll(0)
        errors.raise_deadly()
        if triage(error) in (Verdict.EXIT, Verdict.FORBIDDEN):
            raise ending(error, "reading the topics' metadata")
        if errors.refused() or time.monotonic() > deadline:
            raise errors.unreachable(settings.kafka.get("bootstrap.servers"))
        time.sleep(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)


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
    own = names if configs else (names.facts, names.changelog)
    missing = [f"topic {name} does not exist, or this user may not see it: {_CREATE}" for name in own if name not in topics]
    missing += [
        f"topic {name} of source {source} does not exist, or this user may not see it: create it, or correct sources.{source}"
        for name, source in settings.source_topics.items()
        if name not in topics
    ]
    if missing:
        raise _refusal(missing)
    facts, changelog = (len(topics[name].partitions) for name in (names.facts, names.changelog))
    if facts != changelog:
        missing.append(
            f"{names.facts} has {facts} partitions and {names.changelog} {changelog}: they must be equal (ER-3); delete the one "
            f"that is still empty and {_CREATE}, or start under a new application name"
        )
    if configs:
        missing += _permission_faults(admin, settings)
        missing += _config_faults(admin, names.facts, names.changelog)
    if missing:
        raise _refusal(missing)
    return facts


def _refusal(missing: list[str]) -> Stop:
    return Stop(ENVIRONMENT, "the topics are not ready:\n" + "\n".join(f"  {line}" for line in missing))


def _permission_faults(admin: AdminClient, settings: EngineSettings) -> list[str]:
    """What ER-31 grants and these brokers do not; asked for here, because a commit that fails for it does not name its topic."""
    names = settings.topics
    read, write = AclOperation.READ, AclOperation.WRITE
    needed: dict[str, list[AclOperation]] = {name: [write] for name in names}
    needed |= {name: [read] for name in settings.source_topics}
    needed |= {name: [read, write] for name in (names.facts, names.changelog)}
    found = []
    for name, future in admin.describe_topics(TopicCollection([*needed]), include_authorized_operations=True).items():
        allowed = future.result(_TIMEOUT).authorized_operations
        lacking = [operation.name for operation in needed[name] if allowed is not None and operation not in allowed]
        found += [f"this user lacks {operation} on topic {name}: grant it (ER-31)" for operation in lacking]
    return found


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
