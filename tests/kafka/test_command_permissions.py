"""What commands must be permitted, and that each thing that is missing is named (docs/operations.md, Permissions)."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AclOperation, ResourceType  # type: ignore[attr-defined]  # exported at run time

from tests.command import run
from tests.kafka.desk import BROKEN, MENDED, Desk, demo
from tests.kafka.guarded import Guarded
from tests.kafka.permissions import Grant, grant_all, revoke
from tests.kafka.processes import wait_until

TOPIC, READ, WRITE = ResourceType.TOPIC, AclOperation.READ, AclOperation.WRITE


@pytest.fixture
def desk(guarded: Guarded, tmp_path: Path) -> Desk:
    return Desk(guarded.broker, tmp_path)


def words(grant: Grant) -> str:
    """A permission as sentences name it."""
    resource, name, operation = grant
    return f"{operation.name} on {resource.name.lower().replace('_', ' ')} {name}"


def check_each_is_named(desk: Desk, command: Sequence[Any], grants: Iterable[Grant]) -> None:
    """Without each of these alone the command ends with 3, and its sentence names it."""
    for grant in grants:
        revoke(desk.admin, grant)
        refused = wait_until(lambda: done if (done := run(*command)).returncode == 3 else None, f"{words(grant)} to be missed")
        assert words(grant) in refused.stderr
        assert "Traceback" not in refused.stderr
        grant_all(desk.admin, [grant])


def test_er13_er31_the_least_suffices_and_each_thing_missing_is_named(guarded: Guarded, desk: Desk) -> None:
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


def test_er13_er31_numbers_and_leads_need_no_more_than_to_read(guarded: Guarded, desk: Desk) -> None:
    """`report` and `explain --lead`: topics, and the application's group, which is neither joined nor written to."""
    desk.configure(MENDED)
    desk.send(desk.web, demo(7))
    desk.work()
    desk.configure(MENDED, guarded.scram())
    topics = desk.app.topics
    group = (ResourceType.GROUP, desk.name, READ)
    of_report, of_lead, of_recount = (
        [(TOPIC, name, READ) for name in names]
        for names in (
            (topics.metrics,),
            (topics.changelog, topics.transitions),
            (topics.transitions, topics.conversions, topics.leads),
        )
    )
    for command, needed in (
        (("report",), [group, *of_report]),
        (("report", "--reconcile"), [group, *of_report, *of_recount]),
        (("explain", "--lead", "contact:7"), [group, *of_lead]),
    ):
        asked = (*command, "--config", desk.config)
        grant_all(desk.admin, needed)
        done = run(*asked)
        assert done.returncode == 0, done.stderr
        check_each_is_named(desk, asked, needed)
        for grant in needed:
            revoke(desk.admin, grant)
