"""The group's offsets from outside of it: read, set, forgotten. Brokers take a change only while the group has no member."""

from collections.abc import Mapping

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicPartition

from processors.engine.admin import AdminClient
from processors.engine.described import answered
from processors.engine.lanes import Place
from processors.engine.triage import error_of

_TIMEOUT = 10.0


def commits(admin: AdminClient, group: str) -> list[TopicPartition]:
    """What the group has committed, metadata included; waits while a transaction's is being decided.

    Raises:
        KafkaException: The brokers did not answer, or this user may not ask.
    """
    asked = [ConsumerGroupTopicPartitions(group)]
    found = answered(lambda: admin.list_consumer_group_offsets(asked, require_stable=True, request_timeout=_TIMEOUT)[group])
    return [each for each in found.topic_partitions if each.offset >= 0]


def committed_offsets(admin: AdminClient, group: str) -> dict[Place, int]:
    """Every offset of the group; raises like `commits`."""
    return {(each.topic, each.partition): each.offset for each in commits(admin, group)}


def set_offsets(admin: AdminClient, group: str, offsets: Mapping[Place, int]) -> None:
    """Set offsets of the group, in one request.

    Raises:
        KafkaException: Nothing was set, for example because the group has members; or some of it was not.
    """
    asked = [ConsumerGroupTopicPartitions(group, [TopicPartition(*place, offset) for place, offset in offsets.items()])]
    found = answered(lambda: admin.alter_consumer_group_offsets(asked, request_timeout=_TIMEOUT)[group])
    for each in found.topic_partitions:
        if each.error is not None:
            raise KafkaException(each.error)


def delete_group(admin: AdminClient, group: str) -> None:
    """Forget the group with all its offsets; one that does not exist is fine.

    Raises:
        KafkaException: It has members, or this user may not.
    """
    try:
        answered(lambda: admin.delete_consumer_groups([group], request_timeout=_TIMEOUT)[group])
    except KafkaException as raised:
        if error_of(raised).code() != KafkaError.GROUP_ID_NOT_FOUND:
            raise
