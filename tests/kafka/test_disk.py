"""A disk of the store that is full or read-only: the worker says so and keeps the store; nothing is lost or doubled (ER-26)."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.disk import Disk, small_disk
from tests.kafka.application import Application
from tests.kafka.processes import WorkerProcess

RESTORED = "funnelstream_worker_restored_rows_total"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = small_disk(tmp_path / "disk")
    yield made
    made.remove()


@pytest.fixture
def worker(app: Application, disk: Disk) -> WorkerProcess:
    """A worker with state on that disk; `state` holds nothing else."""
    made = app.worker(state_path=str(disk.folder), limits={"batch_records": 100}).start().wait_ready()
    app.send_some(300)
    app.wait_exact()
    return made


def again(worker: WorkerProcess, disk: Disk) -> WorkerProcess:
    worker.command = [*disk.prefix, *worker.command[-4:]]
    return worker.start()


def test_er09_er26_a_disk_that_fills_up_ends_the_worker_and_costs_nothing(
    app: Application, disk: Disk, worker: WorkerProcess
) -> None:
    """What is committed while the store cannot be written is right after the restart; a start without room ends alike."""
    worker.kill9()
    again(worker, disk).wait_ready()
    disk.fill()
    if disk.prefix:
        worker.kill9()
        again(worker, disk)
    app.send_some(4_000, keys=1_000)
    assert worker.wait_ended() == 3
    assert f"the store at {disk.folder}" in worker.output
    assert "cannot be written" in worker.output
    assert "No space left on device" in worker.output or disk.prefix
    assert "nothing is lost" in worker.output
    assert len(app.steps()) > 300, "nothing was committed while the store could not be written"
    again(worker, disk)
    assert worker.wait_ended() == 3, "a store that could not be written was deleted, and its restore fills the disk again"
    disk.make_room()
    again(worker, disk).wait_ready()
    app.wait_exact()
    assert worker.metrics()[RESTORED] < 4_000, "the store was deleted"


def test_er26_a_disk_that_is_read_only_is_named_and_its_store_kept(app: Application, disk: Disk, worker: WorkerProcess) -> None:
    assert worker.terminate() == 0
    disk.protect()
    app.send_some(100)
    worker.start()
    assert worker.wait_ended() == 3
    assert f"the store at {disk.folder}" in worker.output
    assert "Traceback" not in worker.output
    disk.unprotect()
    worker.start().wait_ready()
    app.wait_exact()
    assert worker.metrics()[RESTORED] == 0
