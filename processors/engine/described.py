"""What the brokers say of topics and of the group: existence, ids, replicas, members, and what this user may do with them.

Questions of an operator's command or of a worker's start: they may block, and repeat what a broker says only for a moment.
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection

from processors.engine.admin import AclOperation, AdminClient
from processors.engine.triage import error_of

_TIMEOUT = 10.0
_REPEATED_FOR = 15.0
_PAUSE = 0.2
"""Seconds."""
_DIGEST = re.compile("[0-9a-f]{8}")
_PASSING = (
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.NOT_COORDINATOR,
    KafkaError.UNSTABLE_OFFSET_COMMIT,
)
"""Said while coordinators move, or while a transaction's offsets are being decided."""


class Partition(NamedTuple):
    """A partition and the nodes that hold it; `leader` None: it is offline."""

    number: int
    leader: int | None
    replicas: tuple[int, ...]
    in_sync: tuple[int, ...]


class Topic(NamedTuple):
    """A topic as described, or why it was not.

    Attributes:
        id: Kafka's own, another one for a topic that was deleted and made again.
        partitions: Empty when it was not described.
        allowed: Names of what this user may do with it; None when the brokers do not say.
        error: Why there is no description.
    """

    id: str
    partitions: Sequence[Partition]
    allowed: frozenset[str] | None
    error: KafkaError | None = None

    @property
    def absent(self) -> bool:
        """It does not exist."""
        return self.error is not None and self.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART

    @property
    def hidden(self) -> bool:
        """This user may do nothing at all with it, if it exists."""
        return self.error is not None and self.error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED


class Member(NamedTuple):
    """A member of the group.

    Attributes:
        instance: Of a static member; empty for a dynamic one.
        client: Its client id.
        host: Where it connects from.
        definitions: A digest of the definitions it runs, as its name carries it; empty for a member that is no worker.
    """

    instance: str
    client: str
    host: str
    definitions: str

    @property
    def words(self) -> str:
        """The member in a sentence."""
        return f"{self.instance or self.client} on {self.host.lstrip('/')}"


class Group(NamedTuple):
    """The members of a group, and what this user may do with it; None when the brokers do not say."""

    members: Sequence[Member]
    allowed: frozenset[str] | None


def describe_topics(admin: AdminClient, names: Iterable[str]) -> dict[str, Topic]:
    """Topics by name.

    Raises:
        KafkaException: The brokers did not answer.
    """
    asked = TopicCollection([*names])
    futures = admin.describe_topics(asked, include_authorized_operations=True, request_timeout=_TIMEOUT)
    return {name: _topic(future) for name, future in futures.items()}


def describe_group(admin: AdminClient, name: str) -> Group:
    """The group; one that does not exist has no members.

    Raises:
        KafkaException: The brokers did not answer, or this user may not ask.
    """
    found = answered(
        lambda: admin.describe_consumer_groups([name], include_authorized_operations=True, request_timeout=_TIMEOUT)[name]
    )
    members = [_member(member.group_instance_id or "", member.client_id, member.host) for member in found.members]
    return Group(members, _names(found.authorized_operations))


def _member(instance: str, client: str, host: str) -> Member:
    """Static members carry the digest behind their instance, dynamic ones behind their client id (`membership.py`)."""
    name, dot, definitions = (instance or client).rpartition(".")
    if not dot or not _DIGEST.fullmatch(definitions):
        return Member(instance, client, host, "")
    return Member(name, client, host, definitions) if instance else Member("", name, host, definitions)


def answered(ask: Callable[[], "Future[Any]"]) -> Any:
    """The answer to a question, asked again while the brokers say that they will know in a moment; raises `KafkaException`."""
    deadline = time.monotonic() + _REPEATED_FOR
    while True:
        try:
            return ask().result(_TIMEOUT + 1)
        except KafkaException as raised:
            if error_of(raised).code() not in _PASSING or time.monotonic() > deadline:
                raise
        time.sleep(_PAUSE)


def _topic(future: "Future[Any]") -> Topic:
    try:
        found = future.result(_TIMEOUT + 1)
    except KafkaException as raised:
        error = error_of(raised)
        if error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_AUTHORIZATION_FAILED):
            return Topic("", (), None, error)
        raise
    partitions = [
        Partition(each.id, _leader(each.leader), tuple(node.id for node in each.replicas), tuple(node.id for node in each.isr))
        for each in found.partitions
    ]
    return Topic(str(found.topic_id), partitions, _names(found.authorized_operations))


def _leader(node: Any) -> int | None:
    return None if node is None or node.id < 0 else int(node.id)


def _names(operations: Iterable[AclOperation] | None) -> frozenset[str] | None:
    return None if operations is None else frozenset(operation.name for operation in operations)


def by_name(topics: Mapping[str, Any]) -> dict[str, Topic]:
    """Topics as plain metadata lists them, where nothing more can be asked (librdkafka's mock broker)."""
    return {
        name: Topic("", [Partition(number, 0, (), ()) for number in found.partitions], None) for name, found in topics.items()
    }
