"""The permissions of ER-31 as findings, and the commands that grant them to whom the brokers see."""

from pathlib import Path
from typing import Any

import pytest

from processors.engine.permissions import Permission, grant, needed, principal
from processors.engine.preflight import permission_finding
from processors.engine.settings import EngineSettings
from schemas.application import OwnTopics

TOPICS = OwnTopics("facts", "changelog", "transitions", "conversions", "leads", "metrics", "dead")
SETTINGS = EngineSettings("app", "one", {"bootstrap.servers": "b:9092"}, {"in": "web", "in2": "crm"}, TOPICS, Path("state"))
SASL: dict[str, Any] = {"bootstrap.servers": "b:9092,c:9092", "security.protocol": "SASL_SSL", "sasl.mechanisms": "PLAIN"}


def test_er31_exactly_what_a_worker_needs_and_what_it_would_like() -> None:
    permissions = needed(SETTINGS, "app:one")
    must = {(each.operation, each.resource, each.name) for each in permissions if not each.without}
    assert must == {
        ("WRITE", "transactional-id", "app:one"),
        ("READ", "group", "app"),
        *(("READ", "topic", name) for name in ("in", "in2", "facts", "changelog")),
        *(("WRITE", "topic", name) for name in TOPICS),
    }
    wishes = {(each.operation, each.name) for each in permissions if each.without}
    assert wishes == {("DELETE", "facts"), ("DESCRIBE_CONFIGS", "facts"), ("DESCRIBE_CONFIGS", "changelog")}


@pytest.mark.parametrize(
    ("allowed", "without", "state"),
    [
        (frozenset({"READ", "DESCRIBE"}), "", "ok"),
        (frozenset({"WRITE", "DESCRIBE"}), "", "missing"),
        (frozenset(), "", "missing"),
        (frozenset(), "nothing is lost", "warning"),
        (None, "", "unknown"),
    ],
)
def test_a_permission_that_is_not_among_the_allowed_is_missing_with_its_command(
    allowed: frozenset[str] | None, without: str, state: str
) -> None:
    finding = permission_finding(Permission("READ", "topic", "in", without), allowed, {"bootstrap.servers": "b:9092"})
    assert finding.state == state
    assert finding.mend.startswith("kafka-acls.sh") is (state in ("missing", "warning"))


def test_the_command_names_every_server_the_user_and_the_resource() -> None:
    command = grant(Permission("WRITE", "transactional-id", "app:one"), SASL | {"sasl.username": "the worker"})
    assert command == (
        "kafka-acls.sh --bootstrap-server b:9092,c:9092 --add --allow-principal 'User:the worker' "
        "--operation WRITE --transactional-id app:one"
    )


@pytest.mark.parametrize(
    ("kafka", "seen"),
    [
        ({}, "User:ANONYMOUS"),
        ({"security.protocol": "ssl"}, "User:ANONYMOUS"),
        (SASL | {"sasl.username": "worker"}, "User:worker"),
        (SASL | {"sasl.mechanisms": "OAUTHBEARER"}, "User:NAME"),
        ({"security.protocol": "sasl_plaintext", "sasl.kerberos.principal": "etl"}, "User:etl"),
    ],
)
def test_whom_the_brokers_see(kafka: dict[str, Any], seen: str) -> None:
    assert principal(kafka) == seen
