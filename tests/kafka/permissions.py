"""What a worker must be permitted (ER-31), granted and taken away as an administrator does it."""

from collections.abc import Iterable
from typing import Any, cast

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported at run time
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from tests.kafka.application import Application
from tests.kafka.processes import wait_until

USER = "worker"
Grant = tuple[Any, str, Any]


def grants(app: Application) -> dict[str, Grant]:
    """What ER-31 found sufficient, and nothing more."""
    topics = app.topics
    found: dict[str, Grant] = {
        "transactional id": (ResourceType.TRANSACTIONAL_ID, f"{app.name}:one", AclOperation.WRITE),
        "group": (ResourceType.GROUP, app.name, AclOperation.READ),
        "input": (ResourceType.TOPIC, app.input, AclOperation.READ),
        "facts READ": (ResourceType.TOPIC, topics.facts, AclOperation.READ),
        "facts WRITE": (ResourceType.TOPIC, topics.facts, AclOperation.WRITE),
        "changelog READ": (ResourceType.TOPIC, topics.changelog, AclOperation.READ),
        "changelog WRITE": (ResourceType.TOPIC, topics.changelog, AclOperation.WRITE),
    }
    for role in ("transitions", "conversions", "leads", "metrics", "dead_letters"):
        found[role] = (ResourceType.TOPIC, getattr(topics, role), AclOperation.WRITE)
    return found


def grant_all(admin: AdminClient, granted: Iterable[Grant]) -> None:
    """Grant, and wait until the broker acts on it, which is a little later."""
    wanted = [_binding(AclBinding, grant) for grant in granted]
    for future in admin.create_acls(wanted).values():
        future.result()
    everything = AclBindingFilter(
        ResourceType.ANY, cast(str, None), ResourcePatternType.ANY, f"User:{USER}", "*", AclOperation.ANY, AclPermissionType.ANY
    )
    wait_until(lambda: {*wanted} <= {*admin.describe_acls(everything).result(10)}, "the permissions to be in force")


def revoke(admin: AdminClient, grant: Grant) -> None:
    for future in admin.delete_acls([_binding(AclBindingFilter, grant)]).values():
        future.result()


def _binding(kind: type, grant: Grant) -> Any:
    resource, name, operation = grant
    return kind(resource, name, ResourcePatternType.LITERAL, f"User:{USER}", "*", operation, AclPermissionType.ALLOW)
