"""Fixtures of the tests on a real broker; the broker itself is the one of the whole session."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker.discovery import Broker, start_private_broker
from tests.kafka.application import DYNAMIC, Application
from tests.kafka.guarded import Guarded
from tests.kafka.processes import WorkerProcess


@pytest.fixture
def app(broker: Broker, tmp_path: Path) -> Iterator[Application]:
    """An application of its own, with its topics."""
    application = Application(broker.bootstrap, tmp_path).create()
    yield application
    application.close()


@pytest.fixture
def stopped(app: Application) -> WorkerProcess:
    """A worker that has state and was stopped."""
    worker = app.worker(kafka=DYNAMIC).start().wait_ready()
    app.send_some(300)
    app.wait_exact()
    assert worker.terminate() == 0
    return worker


@pytest.fixture(scope="module")
def private_broker() -> Iterator[Broker]:
    """A broker that the tests of one file may kill."""
    broker = start_private_broker()
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def guarded() -> Iterator[Guarded]:
    """A broker with users and permissions, of the whole session: its tests meet only in the applications they make."""
    broker = Guarded()
    yield broker
    broker.stop()
