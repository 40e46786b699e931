"""The clock of a worker's machine is wrong, or set while it runs: what it decides by time stays right (ER-26), or it says so.

No timeline depends on that clock. What does: the age of a store, the time that Kafka records of published records, and the lag.
"""

import time

import pytest

from tests.clock import DAY, wrong_clock
from tests.kafka.application import Application
from tests.kafka.processes import WorkerProcess, wait_until

RESTORED = "funnelstream_worker_restored_rows_total"
LAST_COMMIT = "funnelstream_worker_last_commit_timestamp_seconds"
FROM, UNTIL = 15, 25
"""Seconds after its start between which the clock of a worker is wrong."""


def off(worker: WorkerProcess) -> float:
    """Hours that the clock of a worker was off by at its last commit."""
    return (worker.metrics()[LAST_COMMIT] - time.time()) / 3600


@pytest.mark.soak  # it waits until a clock that is set has been looked at, three times
def test_a_clock_that_is_set_under_a_worker_changes_nothing(app: Application) -> None:
    """Forwards within the hour that brokers allow and back again; backwards by days and forwards again."""
    ahead, behind = app.worker("ahead"), app.worker("behind")
    ahead.environment |= wrong_clock(3_000, FROM, UNTIL)
    behind.environment |= wrong_clock(-2 * DAY, FROM, UNTIL)
    workers = [ahead.start(), behind.start()]

    def reached(*hours: float) -> bool:
        app.send_some(50)
        return all(abs(off(worker) - wanted) < 0.3 for worker, wanted in zip(workers, hours, strict=True))

    for worker in workers:
        worker.wait_ready(FROM)
    for hours in ((0, 0), (0.83, -48), (0, 0)):
        wait_until(lambda: reached(*hours), f"the clocks to be off by {hours} hours", every=0.3)  # noqa: B023
    app.wait_exact()
    assert [worker.terminate() for worker in workers] == [0, 0]


def test_a_clock_that_is_days_ahead_is_named_and_costs_nothing(app: Application) -> None:
    """Brokers refuse records of the future. The store is not taken for an old one, and no facts are deleted before their time."""
    worker = app.worker(keep_facts=DAY, purge_every=0.2).start().wait_ready()
    app.send_some(200)
    app.wait_exact()
    assert worker.terminate() == 0
    worker.environment |= wrong_clock(2 * DAY)
    worker.start().wait_ready()
    assert worker.metrics()[RESTORED] == 0, "the store was taken for one that is too old"
    app.send_some(100)
    assert worker.wait_ended() == 3
    assert "the clock of this machine" in worker.output
    worker.environment.clear()
    worker.start().wait_ready()
    app.wait_exact()
    assert {first for first, _ in app.ends(app.topics.facts).values()} == {0}, "facts were deleted"


def test_er26_a_store_that_missed_changes_is_trusted_only_while_its_age_is_known(app: Application) -> None:
    """Written days ahead of the clock of now, it may be of any age: tombstones that it never saw may be gone."""
    worker = app.worker().start().wait_ready()
    app.send_some(200)
    app.wait_exact()
    worker.kill9()
    elsewhere = app.worker(log="elsewhere", state_path=str(app.folder / "elsewhere")).start().wait_ready()
    app.send_some(100)
    app.wait_exact()
    assert elsewhere.terminate() == 0
    worker.environment |= wrong_clock(-2 * DAY)
    worker.start().wait_ready()
    assert "in the future: a clock was set" in worker.output
    app.send_some(50)
    app.wait_exact()
