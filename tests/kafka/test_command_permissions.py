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

pytestmark = pytest.mark.soak  # takes permissions away one by one, and each time waits until brokers know

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


def test_er13_er31_a_replay_needs_to_write_where_letters_go_and_to_read_what_was_kept_short(guarded: Guarded, desk: Desk) -> None:
    desk.fill(5)
    transactional_id = (ResourceType.TRANSACTIONAL_ID, f"{desk.name}:dlq-replay", WRITE)
    to_read = [(ResourceType.GROUP, desk.name, READ), (TOPIC, desk.letters, READ)]
    to_write = [(TOPIC, desk.letters, WRITE), (TOPIC, desk.web, WRITE)]
    grant_all(desk.admin, [transactional_id, *to_read, *to_write])
    desk.configure(BROKEN, guarded.scram())
    replay = ("dlq", "replay", "--all", "--again", "--config", desk.config)
    assert run(*replay).returncode == 0
    assert len(desk.tap("dead_letters", "--from-beginning", "--limit", 10)) == 10, "letters, and receipts"

    desk.configure(BROKEN)
    desk.send(desk.web, demo(7, note="x" * 70_000))
    desk.work()
    desk.configure(BROKEN, guarded.scram())
    of_source = (TOPIC, desk.web, READ)
    refused = run(*replay)
    assert (refused.returncode, words(of_source) in refused.stderr) == (3, True)
    grant_all(desk.admin, [of_source])
    done = run(*replay)
    assert done.returncode == 0, done.stderr
    check_each_is_named(desk, replay, [transactional_id, *to_read, *to_write, of_source])
    revoke(desk.admin, transactional_id)
    dry = (*replay, "--dry-run")
    assert run(*dry).returncode == 0, "it takes up no transactional id"
    check_each_is_named(desk, dry, to_write)


def test_er13_er31_looking_at_records_needs_no_more_than_to_read(guarded: Guarded, desk: Desk) -> None:
    desk.fill(1)
    desk.configure(BROKEN, guarded.scram())
    needed = [(ResourceType.GROUP, desk.name, READ), (TOPIC, desk.letters, READ)]
    grant_all(desk.admin, needed)
    for command in (("dlq", "list"), ("dlq", "show"), ("tap", "dead_letters", "--from-beginning", "--limit", "1")):
        asked = (*command, "--config", desk.config)
        done = run(*asked)
        assert (done.returncode, "not_json" in done.stdout) == (0, True), done.stderr
        check_each_is_named(desk, asked, needed)


def test_er13_er31_traffic_needs_no_more_than_to_write(guarded: Guarded, desk: Desk) -> None:
    needed = [(TOPIC, topic, WRITE) for topic in (desk.web, desk.crm)]
    grant_all(desk.admin, needed)
    desk.configure(BROKEN, guarded.scram())
    asked = ("traffic", "--yes", "--rate", "500", "--seconds", "4", "--config", desk.config)  # contacts come in after 2 s
    assert run(*asked).returncode == 0
    check_each_is_named(desk, asked, needed)


def test_traffic_names_a_topic_that_is_not_there(desk: Desk) -> None:
    desk.admin.delete_topics([desk.web])[desk.web].result()
    done = run("traffic", "--yes", "--rate", "500", "--seconds", "30", "--config", desk.config)
    assert done.returncode == 3
    assert f"topic {desk.web}, which invented people go into, is not there" in done.stderr


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
