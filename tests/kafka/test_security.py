"""Brokers that ask who we are: the least to be granted suffices, and each part of it that is missing is named (ER-13, ER-31)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.kafka.application import Application
from tests.kafka.guarded import OWNER, PASSWORD, Guarded
from tests.kafka.permissions import grant_all, grants, revoke

MISSING = {
    "transactional id": "WRITE on transactional id",
    "group": "READ on group",
    "input": "READ on topic",
    "facts READ": "READ on topic",
    "facts WRITE": "WRITE on topic",
    "changelog READ": "READ on topic",
    "changelog WRITE": "WRITE on topic",
    "transitions": "WRITE on topic",
    "conversions": "WRITE on topic",
    "leads": "WRITE on topic",
    "metrics": "WRITE on topic",
    "dead_letters": "WRITE on topic",
}
"""All of ER-31, and what is said of it."""


@pytest.fixture
def app(guarded: Guarded, tmp_path: Path) -> Iterator[Application]:
    """An application whose topics an administrator made, and who also sends its input and reads what it publishes."""
    application = Application(guarded.bootstrap, tmp_path).create()
    yield application
    application.close()


def test_er31_the_least_privileges_suffice(app: Application, guarded: Guarded) -> None:
    """One worker in every way: each start restores what the one before it has written, and ends its transaction."""
    grant_all(app.admin, grants(app).values())
    for way in (guarded.scram(), guarded.scram(mechanism="SCRAM-SHA-256"), guarded.mutual()):
        worker = app.worker(kafka=way).start().wait_ready()
        app.send_some(100)
        app.wait_exact()
        worker.kill9()


@pytest.mark.parametrize("missing", MISSING)
def test_er13_a_missing_permission_ends_the_worker_naming_it(app: Application, guarded: Guarded, missing: str) -> None:
    """A commit that fails for it does not say for which topic, so the permissions are asked for before the start."""
    granted = grants(app)
    assert granted.keys() == MISSING.keys()
    _, name, _ = granted.pop(missing)
    grant_all(app.admin, granted.values())
    worker = app.worker(kafka=guarded.scram()).start()
    assert worker.wait_ended() == 3, worker.tail()
    assert f"{MISSING[missing]} {name}" in worker.output
    assert "Traceback" not in worker.output


def test_er13_a_permission_that_is_taken_away_from_a_running_worker_ends_it(app: Application, guarded: Guarded) -> None:
    """It is said once, without being fatal, and then there is silence."""
    granted = grants(app)
    grant_all(app.admin, granted.values())
    worker = app.worker(kafka=guarded.scram()).start().wait_ready()
    revoke(app.admin, granted["input"])
    producer = Producer(app.client())
    producer.produce(app.input, b"1", b"a")
    producer.flush()
    assert worker.wait_ended() == 3
    assert app.input in worker.output


def test_a_new_password_disturbs_no_running_worker_and_ends_the_next_start(app: Application, guarded: Guarded) -> None:
    """Brokers ask when a connection is made: a worker goes on with those it has, and reads its secret anew when it starts."""
    worker = app.worker(kafka=guarded.scram(OWNER)).start().wait_ready()
    guarded.set_password(OWNER, "another-secret-9")
    try:
        app.send_some(100)
        app.wait_exact()
        assert worker.terminate() == 0
        assert worker.start().wait_ended() == 3
        assert "correct sasl.username and sasl.password" in worker.output
        app.send_some(100)
        app.worker(kafka=guarded.scram(OWNER, password="another-secret-9"), log="new").start().wait_ready()
        app.wait_exact()
    finally:
        guarded.set_password(OWNER, PASSWORD)


def test_er16_a_broker_that_starts_refuses_nobody(app: Application, guarded: Guarded) -> None:
    """Workers wait for it, whatever it says until it knows its users."""
    ways = {"one": guarded.scram(OWNER), "two": guarded.mutual(OWNER)}
    workers = [app.worker(name, kafka=way, connect_within=120.0) for name, way in ways.items()]
    guarded.kill()
    try:
        for worker in workers:
            worker.start().wait_said("Connection refused")
    finally:
        guarded.start()
    for worker in workers:
        worker.wait_ready(within=180)
    app.send_some(100)
    app.wait_exact()
