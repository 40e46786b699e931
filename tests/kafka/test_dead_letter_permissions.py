"""What `dlq` and `tap` must be permitted, and that each thing that is missing is named (docs/operations.md, Permissions)."""

from pathlib import Path

from confluent_kafka.admin import AclOperation, ResourceType  # type: ignore[attr-defined]  # exported at run time

from tests.command import run
from tests.kafka.desk import BROKEN, Desk
from tests.kafka.guarded import Guarded
from tests.kafka.permissions import grant_all, revoke
from tests.kafka.processes import wait_until

TOPIC, READ, WRITE = ResourceType.TOPIC, AclOperation.READ, AclOperation.WRITE


def test_er13_er31_the_least_suffices_and_each_thing_missing_is_named(guarded: Guarded, tmp_path: Path) -> None:
    desk = Desk(guarded.broker, tmp_path)
    desk.fill(5)
    grants = [  # in the order in which a replay needs them
        (ResourceType.TRANSACTIONAL_ID, f"{desk.name}:dlq-replay", WRITE),
        (ResourceType.GROUP, desk.name, READ),
        (TOPIC, desk.letters, READ),
        (TOPIC, desk.web, WRITE),
        (TOPIC, desk.letters, WRITE),
    ]
    grant_all(desk.admin, grants)
    desk.configure(BROKEN, guarded.scram())
    replay = ("dlq", "replay", "--all", "--again", "--config", desk.config)
    assert run(*replay).returncode == 0
    assert len(desk.tap("dead_letters", "--from-beginning", "--limit", 10)) == 10, "letters, and receipts"
    for grant in reversed(grants):  # whatever comes later was not asked for yet
        revoke(desk.admin, grant)
        refused = wait_until(lambda: done if (done := run(*replay)).returncode == 3 else None, f"{grant} to be missed")
        assert grant[1] in refused.stderr
        assert "Traceback" not in refused.stderr
