"""The names of confluent-kafka's admin client that the engine uses, in one place: its stubs do not say that they are exported."""

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported at run time
    AclOperation,
    AdminClient,
    ClusterMetadata,
    ConfigResource,
    NewTopic,
    OffsetSpec,
    ResourceType,
    TopicMetadata,
)

__all__ = [
    "AclOperation",
    "AdminClient",
    "ClusterMetadata",
    "ConfigResource",
    "NewTopic",
    "OffsetSpec",
    "ResourceType",
    "TopicMetadata",
]
