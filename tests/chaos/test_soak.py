"""The soak: three workers are killed at random while input flows, and nothing is lost and nothing doubled.

After it the committed output is held against `fold` over the input, and the store that a new worker would restore
against the facts. `make test-soak KILLS=200` deals out more. A failure prints the seed; FUNNELSTREAM_SOAK_SEED sets
it.
"""

import os
import random
import shutil
import time
from pathlib import Path

import pytest

from tests.broker.discovery import Broker
from tests.chaos.flow import Flow, deploy
from tests.chaos.verdict import PLANTS, faults_of_the_rows, judge, plant
from tests.deployment import Deployment
from tests.kafka.processes import WorkerProcess

WORKERS = 3


def test_workers_killed_at_random(broker: Broker, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Invariant 6, with invariants 1, 3 and 7 as the measure."""
    seed = int(os.environ.get("FUNNELSTREAM_SOAK_SEED") or random.SystemRandom().randrange(10**6))
    kills = request.config.getoption("--kills")
    print(f"soak: seed {seed}, {kills} kills")
    deployment = deploy(broker.bootstrap, tmp_path, "soak")
    workers = [deployment.worker(f"worker-{number}").start() for number in range(WORKERS)]
    for worker in workers:
        request.addfinalizer(worker.kill9)
    flow = Flow(deployment, seed)
    flow.start()
    for worker in workers:
        worker.wait_ready()
    dealt = _torment(deployment, workers, kills, random.Random(seed))
    sent = flow.end()
    deployment.wait_through()
    deployment.wait_fired()
    for worker in workers:
        worker.wait_ready()
    assert [worker.terminate() for worker in workers] == [0] * WORKERS, f"seed {seed}"

    published = deployment.published()
    program = deployment.loaded.program
    verdict = judge(program, sent, published)
    print(
        f"soak: {dealt}; {verdict.sent} records, {len(verdict.facts)} facts, published {verdict.published}; "
        f"{len(verdict.lost)} lost, {len(verdict.doubled)} doubled"
    )
    assert (verdict.lost, verdict.doubled, verdict.wrong) == (set(), [], []), f"seed {seed}"
    assert verdict.published["transitions"] > len(sent) / 20, "the input moved hardly anybody"
    assert faults_of_the_rows(deployment, program, verdict.facts) == [], f"seed {seed}"
    for kind in PLANTS:
        assert not judge(program, *plant(kind, sent, published)).exact, f"the oracle does not see a record {kind}"


def _torment(deployment: Deployment, workers: list[WorkerProcess], kills: int, chance: random.Random) -> dict[str, int]:
    """Kill -9 mostly; in between a restart by SIGTERM, a pause, an absence, a deleted store. Returns what was dealt out."""
    dealt = dict.fromkeys(("kill -9", "store deleted", "absent", "SIGTERM", "paused"), 0)
    while dealt["kill -9"] < kills:
        time.sleep(chance.uniform(0.2, 2.5))
        number = chance.randrange(len(workers))
        worker, what = workers[number], chance.random()
        if what < 0.1:
            dealt["SIGTERM"] += 1
            worker.wait_said("probes and metrics")  # before that, Python itself ends on the signal
            assert worker.terminate() == 0, worker.tail()
        elif what < 0.2:
            dealt["paused"] += 1
            worker.sigstop()
            time.sleep(chance.uniform(0.5, 4))
            worker.sigcont()
            continue
        else:
            dealt["kill -9"] += 1
            worker.kill9()
            if chance.random() < 0.25:
                dealt["store deleted"] += 1
                shutil.rmtree(deployment.store(f"worker-{number}"), ignore_errors=True)
            if chance.random() < 0.25:
                dealt["absent"] += 1
                time.sleep(chance.uniform(0.5, 3))
        worker.start()
    return dealt
