"""`make chaos`: faults mixed at random from a seed, for some minutes, while input flows; then the verdict.

Prints how many faults of each kind were dealt out, what went in and came out, and what was lost or doubled. Ends with 1 on any
difference, and keeps its folder then, with the logs of the workers, for whoever looks for the reason.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.broker.discovery import start_private_broker
from tests.chaos.faults import KINDS, Chaos, patients_of
from tests.chaos.flow import Flow, deploy
from tests.chaos.verdict import PLANTS, Plant, Verdict, faults_of_the_rows, judge, plant
from tests.deployment import Deployment
from tests.kafka.processes import WorkerProcess

WORKERS = 3
LEADS = 3_000
RATE = 150
"""Records a second: little enough that workers catch up between the faults."""


def main() -> int:
    """Run, and say how it went."""
    told = _arguments()
    seed = random.SystemRandom().randrange(10**6) if told.seed is None else told.seed
    folder = Path(tempfile.mkdtemp(prefix="funnelstream-chaos-"))
    print(f"chaos: seed {seed}, {told.minutes:g} minutes, {WORKERS} workers, {RATE} records/s; logs in {folder}", flush=True)
    began = time.monotonic()
    try:
        faults = _run(folder, seed, 60 * told.minutes, told.plant)
    except Exception as why:  # whatever broke, the seed and the folder are what is needed to look at it
        faults = [f"{type(why).__name__}: {why}"]
    print(f"chaos: {time.monotonic() - began:.0f} s, seed {seed}")
    if faults:
        print("\n".join(["FAILED:", *faults[:40], f"Run again: make chaos MINUTES={told.minutes:g} SEED={seed}; kept: {folder}"]))
        return 1
    shutil.rmtree(folder, ignore_errors=True)
    print("passed: nothing lost, nothing doubled")
    return 0


def _run(folder: Path, seed: int, seconds: float, planted: Plant | None) -> list[str]:
    """The faults that were found."""
    broker = start_private_broker()
    deployment = deploy(broker.bootstrap, folder, "chaos")
    patients = patients_of(folder, lambda name, state: _worker(deployment, name, state), WORKERS)
    try:
        chaos, flow = Chaos(broker, patients, seed), Flow(deployment, seed, LEADS, RATE)
        flow.start()
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            chaos.deal(chaos.next())
        chaos.heal()
        sent = flow.end()
        deployment.wait_through(attend=lambda: chaos.attend(0.3))
        deployment.wait_fired(attend=lambda: chaos.attend(0.3))
        for patient in patients:
            patient.process.wait_ready()
        codes = [patient.process.terminate() for patient in patients]
        published = deployment.published()
        if planted:
            sent, published = plant(planted, sent, published)
        verdict = judge(deployment.loaded.program, sent, published)
        _show(chaos, verdict)
        rows = [] if planted == "skipped" else faults_of_the_rows(deployment, deployment.loaded.program, verdict.facts)
        return [*_complaints(verdict), *rows, *(f"a worker ended with {code} on SIGTERM" for code in codes if code)]
    finally:
        for patient in patients:
            patient.process.kill9()
            patient.disk.remove()
        broker.stop()


def _worker(deployment: Deployment, name: str, state: Path) -> tuple[WorkerProcess, Path]:
    """A worker with its state on a disk of its own, by a configuration of its own."""
    config = deployment.folder / f"{name}.yml"
    config.write_text(deployment.config.read_text().replace(f"{deployment.folder}/state", str(state)))
    process = deployment.worker(name, config)
    return process, state / deployment.loaded.application.application / name


def _show(chaos: Chaos, verdict: Verdict) -> None:
    for kind in KINDS:
        print(f"  {kind:<26}{chaos.dealt[kind]:>6}")
    ends = ", ".join(f"{code}: {count}" for code, count in sorted(chaos.ended.items()))
    print(f"  {'faults in all':<26}{chaos.dealt.total():>6}    workers that ended by themselves, by exit code: {ends or 'none'}")
    published = ", ".join(f"{count} {topic}" for topic, count in verdict.published.items())
    print(f"  {verdict.sent} records sent, {len(verdict.facts)} facts; published: {published}")
    print(f"  lost: {len(verdict.lost)}, doubled: {len(verdict.doubled)}, wrong: {len(verdict.wrong)}")


def _complaints(verdict: Verdict) -> list[str]:
    moved = verdict.published["transitions"] > verdict.sent / 20
    return [
        *(f"lost: {identity}" for identity in sorted(verdict.lost)),
        *(f"doubled: {identity}" for identity in verdict.doubled),
        *(f"wrong: {identity}" for identity in verdict.wrong),
        *([] if moved else ["the input moved hardly anybody"]),
    ]


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description="Mixes faults at random while input flows.")
    parser.add_argument("--minutes", type=float, default=10, help="how long faults are dealt out")
    parser.add_argument("--seed", type=int, help="the same input and the same faults in the same order again")
    parser.add_argument("--plant", choices=PLANTS, help="spoil one record on purpose: the run must fail")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
