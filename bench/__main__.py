"""`make bench`: the worker on the engines' common job beside the bare loop, on one broker, in interleaved rounds.

The job, its driver and the bare loop lie in ../shared/bench; without that folder there is nothing to compare with,
and the command says so. Rows of RESULT lines go to bench/work/results.txt, medians and ratios within a round to
standard output.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from bench import inprocess
from bench.job import HERE, KIT, WORK
from tests.broker.discovery import start_broker


def main() -> None:
    """Run the rounds."""
    options = argparse.ArgumentParser(prog="make bench", description=__doc__)
    options.add_argument("--events", type=int, default=300_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--latency", action="store_true", help="measure latency at 500 events/s as well")
    parts = options.add_subparsers(dest="part", title="parts")
    inside = parts.add_parser("profile", help="ingest and advance in process, without Kafka", description=inprocess.__doc__)
    inside.add_argument("--events", type=int, default=300_000)
    inside.add_argument("--chunk", type=int, default=2_000, help="records taken from a partition in turn; default 2000")
    inside.add_argument("--cprofile", type=Path, metavar="FILE", help="profile with cProfile, kept in FILE")
    given = options.parse_args()
    if given.part == "profile":
        inprocess.measure(given.events, given.chunk, given.cprofile)
        return
    if not KIT.is_dir():
        sys.exit("the common job lies in ../shared/bench, which is not beside this checkout: there is nothing to compare with")
    raw = _environment()
    results = WORK / "results.txt"
    results.unlink(missing_ok=True)
    broker = start_broker()
    try:
        for number in range(1, given.rounds + 1):
            for engine in ("raw-pydantic", "funnelstream"):
                _drive(raw, broker.bootstrap, results, number, engine, ["throughput", engine, str(given.events)])
                if given.latency:
                    _drive(raw, broker.bootstrap, results, number, engine, ["latency", engine])
    finally:
        broker.stop()
    subprocess.run([raw, KIT / "table.py", results, "raw-pydantic"], check=True)


def _environment() -> Path:
    """The bare loop's own environment: its pins are its own."""
    python = WORK / "venvs" / "raw" / "bin" / "python"
    if not python.exists():
        print("preparing the bare loop's environment", flush=True)
        subprocess.run([sys.executable, "-m", "venv", python.parent.parent], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", KIT / "engines" / "raw" / "requirements.txt"], check=True)
    return python


def _drive(raw: Path, bootstrap: str, results: Path, number: int, engine: str, mode: list[str]) -> None:
    events = int(mode[2]) if mode[0] == "throughput" else 500 * 25 + 100
    environment = {**os.environ, "BOOTSTRAP": bootstrap, "WORK": str(WORK), "ROUND": str(number), "BENCH_EVENTS": str(events)}
    if engine == "raw-pydantic":
        driver, ours, worker = raw, ["--set", "VALIDATE=1"], [str(raw), str(KIT / "engines" / "raw" / "worker.py")]
    else:
        driver = Path(sys.executable)  # its oracle is our fold
        environment["PYTHONPATH"] = str(HERE.parent)
        ours = ["--adapter", str(HERE / "adapter.py"), "--oracle", str(HERE / "oracle.py")]
        worker = [sys.executable, "-m", "bench.worker"]
    command = [driver, KIT / "drive.py", *mode, *ours, "--", *worker]
    with results.open("a") as kept:
        done = subprocess.run(list(map(str, command)), env=environment, stdout=subprocess.PIPE, text=True, check=False)
        kept.write(done.stdout)
    print(done.stdout, end="", flush=True)


if __name__ == "__main__":
    main()
