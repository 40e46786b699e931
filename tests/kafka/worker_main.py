"""Runs a worker on the summing topology, as a process that tests may kill: `python -m tests.kafka.worker_main SETTINGS.json`."""

import json
import logging
import sys
from pathlib import Path

from processors.engine.process import run_process
from processors.engine.stop import Stop
from processors.engine.worker import EngineSettings, Limits, Worker
from processors.topology.definition_digests import Definitions
from schemas.application import OwnTopics
from tests.kafka.summing import DEFINITIONS, Summing
from tests.kafka.timing import Timing


def main() -> int:
    told = json.loads(Path(sys.argv[1]).read_text())
    logging.basicConfig(
        level=told.pop("log_level", "INFO"), format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr
    )
    kind = Timing if told.pop("timed", False) else Summing
    topology = kind(Definitions(*told.pop("definitions", DEFINITIONS)), naps=told.pop("naps", False))
    told["topics"] = OwnTopics(**told["topics"])
    told["limits"] = Limits(**told.get("limits", {}))
    told["state_path"] = Path(told["state_path"])
    try:
        worker = Worker(EngineSettings(**told), topology)
    except Stop as stop:
        logging.getLogger("worker_main").error("%s", stop.sentence)
        return stop.code
    return run_process(worker)


if __name__ == "__main__":
    sys.exit(main())
