"""The only broker dies and comes back (ER-13 to ER-15): a worker waits, or ends to be restarted; what it commits stays exact."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.broker.discovery import Broker
from tests.kafka.application import Application


@pytest.fixture
def app(private_broker: Broker, tmp_path: Path) -> Iterator[Application]:
    application = Application(private_broker.bootstrap, tmp_path).create()
    yield application
    application.close()


def test_er14_er15_a_broker_that_dies_under_load_costs_nothing(private_broker: Broker, app: Application) -> None:
    worker = app.worker(limits={"batch_records": 20}).start().wait_ready()
    app.send_some(2_000)
    private_broker.kill()
    private_broker.start()
    app.send_some(100)
    if not worker.running:  # an undecided commit ends it, and a restart is exact
        assert worker.process.returncode == 5
        worker.start()
    worker.wait_ready()
    app.wait_exact(within=90)


def test_a_worker_that_starts_before_its_broker_waits_for_it(private_broker: Broker, app: Application) -> None:
    private_broker.kill()
    worker = app.worker().start()
    worker.wait_said("brokers:")
    private_broker.start()
    worker.wait_ready()
    app.send_some(20)
    app.wait_exact()
