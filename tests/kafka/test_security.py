"""Brokers that ask who we are: the least to be granted, what is said when it is not, and no secret in it (ER-13, 16, 31, 32)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported at run time
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
)

from tests.broker.discovery import Broker, start_private_broker
from tests.kafka.application import Application
from tests.kafka.processes import wait_until

PASSWORD = "worker-secret-7"
LOGIN = "org.apache.kafka.common.security.plain.PlainLoginModule required"
PROPERTIES = {
    "listener.security.protocol.map": "PLAINTEXT:SASL_PLAINTEXT,CONTROLLER:PLAINTEXT",
    "sasl.enabled.mechanisms": "PLAIN",
    "sasl.mechanism.inter.broker.protocol": "PLAIN",
    "listener.name.plaintext.plain.sasl.jaas.config": (
        f'{LOGIN} username="admin" password="admin-secret" user_admin="admin-secret" user_worker="{PASSWORD}";'
    ),
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:admin;User:ANONYMOUS",
}


def credentials(user: str, password: str) -> dict[str, str]:
    return {"security.protocol": "sasl_plaintext", "sasl.mechanism": "PLAIN", "sasl.username": user, "sasl.password": password}


ADMIN = credentials("admin", "admin-secret")
WORKER = credentials("worker", PASSWORD)

Grant = tuple[Any, str, Any]


@pytest.fixture(scope="module")
def guarded() -> Iterator[Broker]:
    """A broker with users and permissions."""
    broker = start_private_broker(PROPERTIES, ADMIN)
    yield broker
    broker.stop()


@pytest.fixture
def app(guarded: Broker, tmp_path: Path) -> Iterator[Application]:
    """An application whose topics an administrator made, and who also sends its input and reads what it publishes."""
    application = Application(guarded.bootstrap, tmp_path, ADMIN).create()
    yield application
    application.close()


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


def _binding(kind: type, grant: Grant) -> Any:
    resource, name, operation = grant
    return kind(resource, name, ResourcePatternType.LITERAL, "User:worker", "*", operation, AclPermissionType.ALLOW)


def grant_all(app: Application, granted: dict[str, Grant]) -> None:
    for future in app.admin.create_acls([_binding(AclBinding, grant) for grant in granted.values()]).values():
        future.result()
    seen(granted, app.kafka["bootstrap.servers"])


def seen(granted: dict[str, Grant], bootstrap: str) -> None:
    """Wait until the brokers act on what was granted."""
    topics = {name for resource, name, _ in granted.values() if resource == ResourceType.TOPIC}
    worker = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0, **WORKER})
    wait_until(lambda: topics <= set(worker.list_topics(timeout=5).topics), "the permissions to be in force")


def revoke(admin: AdminClient, grant: Grant) -> None:
    for future in admin.delete_acls([_binding(AclBindingFilter, grant)]).values():
        future.result()


def test_er31_er32_the_least_privileges_suffice_and_the_password_is_never_said(app: Application) -> None:
    granted = grants(app)
    grant_all(app, granted)
    worker = app.worker(kafka=WORKER, log_level="DEBUG").start().wait_ready()
    app.send_some(100)
    app.wait_exact()
    worker.kill9()
    worker.start().wait_ready()
    app.send_some(100)
    app.wait_exact()
    assert PASSWORD not in worker.log.read_text()


@pytest.mark.parametrize(
    "missing", ["transactional id", "group", "input", "facts READ", "changelog READ", "changelog WRITE", "transitions"]
)
def test_er13_a_missing_permission_ends_the_worker_naming_the_resource(app: Application, missing: str) -> None:
    """A commit that fails for it does not say for which topic, so the permissions are asked for before the start."""
    granted = grants(app)
    _, name, _ = granted.pop(missing)
    grant_all(app, granted)
    worker = app.worker(kafka=WORKER).start()
    app.send_some(20)
    assert worker.wait_ended() == 3, worker.tail()
    assert name in worker.output
    assert "Traceback" not in worker.output


def test_er13_a_permission_that_is_taken_away_from_a_running_worker_ends_it(app: Application) -> None:
    """It is said once, without being fatal, and then there is silence."""
    granted = grants(app)
    grant_all(app, granted)
    worker = app.worker(kafka=WORKER).start().wait_ready()
    revoke(app.admin, granted["input"])
    producer = Producer(app.client())
    producer.produce(app.input, b"1", b"a")
    producer.flush()
    assert worker.wait_ended() == 3
    assert app.input in worker.output


def test_er16_er32_a_wrong_password_is_the_reason_at_once_and_is_not_said(app: Application) -> None:
    worker = app.worker(kafka=credentials("worker", "not-the-password")).start()
    assert worker.wait_ended(within=20) == 3
    assert "_AUTHENTICATION" in worker.output
    assert "not-the-password" not in worker.output
    wait_until(lambda: not worker.running, "the worker to be gone")
