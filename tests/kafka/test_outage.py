"""The only broker dies and comes back (ER-13 to ER-15): a worker waits, or ends to be restarted; what it commits stays exact."""

from pathlib import Path

import pytest

from tests.broker.discovery import Broker
from tests.kafka.application import Application


@pytest.mark.soak  # it waits out the session of a worker whose broker was killed
def test_er13_er14_er15_a_broker_that_dies_under_load_costs_nothing(private_broker: Broker, tmp_path: Path) -> None:
    """One worker is in the middle of its work, another starts while nobody answers."""
    app = Application(private_broker.bootstrap, tmp_path).create()
    working, starting = app.worker("one", limits={"batch_records": 20}), app.worker("two", connect_within=120.0)
    try:
        working.start().wait_ready()
        app.send_some(2_000)
        private_broker.kill()
        starting.start().wait_said("brokers:")
        private_broker.start()
        app.send_some(100)
        app.settle(working, starting)
    finally:
        app.close()


@pytest.mark.soak  # it waits for a broker that shuts down in order
def test_a_broker_that_is_restarted_in_order_costs_nothing(private_broker: Broker, tmp_path: Path) -> None:
    """Nobody answers for a while; a worker that was idle or busy is there afterwards, or ends to be restarted."""
    app = Application(private_broker.bootstrap, tmp_path).create()
    worker = app.worker(limits={"batch_records": 20}).start().wait_ready()
    try:
        app.send_some(1_000)
        private_broker.shut_down()
        private_broker.start()
        app.send_some(100)
        app.settle(worker)
    finally:
        app.close()
