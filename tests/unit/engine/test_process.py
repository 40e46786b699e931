"""The end by signals of a worker that does not leave: a second signal ends it at once, patience does later (ER-28)."""

import sys
from pathlib import Path

import pytest

from tests.kafka.processes import WorkerProcess

STUBBORN = """
import logging, sys, time
from processors.engine import process

class Worker:
    def run(self):
        logging.info("running")
        time.sleep(600)  # as in a call of the client that does not come back

    def stop(self):
        logging.info("told to stop")

process._GRACE = float(sys.argv[1])
logging.basicConfig(level="INFO", stream=sys.stderr)
sys.exit(process.run_process(Worker()))
"""


@pytest.mark.parametrize(("grace", "signals"), [(600, 2), (0.1, 1)])
def test_er28_a_worker_that_does_not_leave_ends_with_5(tmp_path: Path, grace: float, signals: int) -> None:
    worker = WorkerProcess([sys.executable, "-c", STUBBORN, str(grace)], tmp_path / "log").start()
    try:
        for awaited in ("running", "told to stop")[:signals]:
            worker.wait_said(awaited)
            worker.sigterm()
        assert worker.wait_ended() == 5
        assert "ending without leaving; what was not committed will be read again" in worker.output
    finally:
        worker.kill9()
