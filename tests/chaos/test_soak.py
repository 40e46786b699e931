"""The soak: three workers are killed at random while input flows, and nothing is lost and nothing doubled.

After it the committed output is held against `fold` over the input, and the store that a new worker would restore
against the facts. `make test-soak KILLS=200` deals out more. A failure prints the seed; FUNNELSTREAM_SOAK_SEED sets
it.
"""

import os
import random
import shutil
import threading
import time
from pathlib import Path
from uuid import uuid4

import pytest

from processors.stages.fold import accept
from processors.topology import rows as row
from processors.topology.program import Program
from schemas.facts import Fact, entity_key, fact_key
from tests.broker.discovery import Broker
from tests.chaos.inputs import CONFIGURATION, FUNNELS, Inputs, Sent
from tests.deployment import Deployment, bodies, faults_of_the_log
from tests.kafka.processes import WorkerProcess
from tests.oracle import expected, facts_of, net

WORKERS = 3
LEADS = 600
RATE = 400
"""Records a second."""


class _Flow(threading.Thread):
    """Sends records at a steady rate until it is stopped."""

    def __init__(self, deployment: Deployment, seed: int) -> None:
        super().__init__(name="flow", daemon=True)
        self.sent: list[Sent] = []
        self._deployment = deployment
        self._inputs = Inputs(seed, LEADS)
        self._chance = random.Random(seed)
        self._ended = threading.Event()

    def run(self) -> None:
        producer = self._deployment.producer()
        began = time.monotonic()
        while not self._ended.is_set():
            while len(self.sent) < (time.monotonic() - began) * RATE:
                sent = self._inputs.next()
                self.sent.append(sent)
                topic = self._deployment.source_topic[sent.source]
                # Any partition: what is about one lead comes over several of them, in any order.
                producer.produce(topic, sent.value, partition=self._chance.randrange(4))
                producer.poll(0)
            time.sleep(0.01)
        producer.flush()

    def end(self) -> list[Sent]:
        self._ended.set()
        self.join(60)
        return self.sent


def test_workers_killed_at_random(broker: Broker, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Invariant 6, with invariants 1, 3 and 7 as the measure."""
    seed = int(os.environ.get("FUNNELSTREAM_SOAK_SEED") or random.SystemRandom().randrange(10**6))
    kills = request.config.getoption("--kills")
    print(f"soak: seed {seed}, {kills} kills")
    deployment = _deploy(broker, tmp_path)
    workers = [deployment.worker(f"worker-{number}").start() for number in range(WORKERS)]
    flow = _Flow(deployment, seed)
    flow.start()
    for worker in workers:
        worker.wait_ready()
    dealt = _torment(deployment, workers, kills, random.Random(seed))
    sent = flow.end()
    deployment.wait_through()
    for worker in workers:
        worker.wait_ready()
    assert [worker.terminate() for worker in workers] == [0] * WORKERS, f"seed {seed}"

    published = deployment.published()
    program = deployment.loaded.program
    facts = facts_of(program, ((said.source, said.value, None) for said in sent))
    found = net(bodies([*published["transitions"], *published["conversions"]]))
    wanted = expected(program, facts)
    lost, doubled = wanted.keys() - found.keys(), found.keys() - wanted.keys()
    print(
        f"soak: {dealt}; {len(sent)} records, {len(facts)} facts, {len(published['transitions'])} transition and "
        f"{len(published['conversions'])} conversion records, {len(published['dead_letters'])} dead letters; "
        f"{len(lost)} lost, {len(doubled)} doubled"
    )
    assert faults_of_the_log(published) == [], f"seed {seed}"
    assert (lost, doubled) == (set(), set()), f"seed {seed}"
    assert found == wanted, f"seed {seed}"
    assert len(published["transitions"]) > len(sent) / 20, "the input moved hardly anybody"
    _check_restored(deployment, program, facts)


def _deploy(broker: Broker, folder: Path) -> Deployment:
    (folder / "funnels").mkdir()
    for name, text in FUNNELS.items():
        (folder / "funnels" / name).write_text(text)
    config = folder / "soak.yml"
    config.write_text(CONFIGURATION.format(application=f"soak-{uuid4().hex[:8]}", folder=folder, bootstrap=broker.bootstrap))
    return Deployment(config, folder)


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


def _check_restored(deployment: Deployment, program: Program, facts: list[Fact]) -> None:
    """What a restore would bring back: the accepted facts of every lead, and heads that are what `fold` gives."""
    rows: dict[bytes, bytes] = {}
    for message in deployment.read(deployment.topics.changelog):
        key, value = message.key() or b"", message.value()
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = value
    of_entity: dict[str, list[Fact]] = {}
    for fact in facts:
        of_entity.setdefault(fact.entity, []).append(fact)
    for entity, said in of_entity.items():
        kept = {
            key[-16:]: row.decode_fact(value).fact
            for key, value in rows.items()
            if key.startswith(row.facts_prefix(entity_key(entity)))
        }
        assert {key: fact.fingerprint for key, fact in kept.items()} == {
            fact_key(fact.source, fact.id): fact.fingerprint for fact in accept(said).values()
        }
        for version in program.funnels:
            head = rows.get(row.head_row_key(entity_key(entity), version.key))
            timeline = program.timeline(version, said)
            assert (head is None) == (timeline.instant is None)
            if head is not None:
                assert row.decode_state(row.decode_head(head).after) == timeline.state
