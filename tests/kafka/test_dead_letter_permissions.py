"""What `dlq` and `tap` must be permitted, and that each thing that is missing is named (docs/operations.md, Permissions)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported at run time
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
)

from tests.broker.discovery import Broker, start_private_broker
from tests.command import run
from tests.kafka.desk import BROKEN, Desk
from tests.kafka.processes import wait_until
from tests.kafka.test_security import ADMIN, PROPERTIES, WORKER

TOPIC, READ, WRITE = ResourceType.TOPIC, AclOperation.READ, AclOperation.WRITE


@pytest.fixture(scope="module")
def guarded() -> Iterator[Broker]:
    """A broker with users and permissions."""
    broker = start_private_broker(PROPERTIES, ADMIN)
    yield broker
    broker.stop()


def binding(kind: type, grant: tuple[Any, str, Any]) -> Any:
    resource, name, operation = grant
    return kind(resource, name, ResourcePatternType.LITERAL, "User:worker", "*", operation, AclPermissionType.ALLOW)


def test_er13_er31_the_least_suffices_and_each_thing_missing_is_named(guarded: Broker, tmp_path: Path) -> None:
    desk = Desk(guarded, tmp_path, **ADMIN)
    desk.fill(5)
    grants = [  # in the order in which a replay needs them
        (ResourceType.TRANSACTIONAL_ID, f"{desk.name}:dlq-replay", WRITE),
        (ResourceType.GROUP, desk.name, READ),
        (TOPIC, desk.letters, READ),
        (TOPIC, desk.web, WRITE),
        (TOPIC, desk.letters, WRITE),
    ]
    for future in desk.admin.create_acls([binding(AclBinding, grant) for grant in grants]).values():
        future.result()
    desk.configure(BROKEN, WORKER)
    replay = ("dlq", "replay", "--all", "--again", "--config", desk.config)
    wait_until(lambda: run(*replay).returncode == 0, "the permissions to be in force")
    assert len(desk.tap("dead_letters", "--from-beginning", "--limit", 10)) == 10, "letters, and receipts"
    for grant in reversed(grants):  # whatever comes later was not asked for yet
        for future in desk.admin.delete_acls([binding(AclBindingFilter, grant)]).values():
            future.result()
        refused = wait_until(lambda: done if (done := run(*replay)).returncode == 3 else None, f"{grant} to be missed")
        assert grant[1] in refused.stderr
        assert "Traceback" not in refused.stderr
