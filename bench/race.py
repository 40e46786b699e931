"""The race: every engine on the same job and broker, in interleaved rounds, each run checked for a right result.

The kit's driver runs a worker, counts its CPU and memory, and prints one RESULT line; what is here chooses what runs in which
order and keeps the lines in bench/work/results.txt.
"""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from bench.engines import DRIVER, Engine, engine_of, events_of, prepare
from bench.job import KIT, WORK, prepare_kit
from bench.results import Result, parse, tables
from tests.broker.discovery import Broker
from tests.shared_material import ROOT

THROUGHPUT = (
    "raw-pydantic",
    "quixstreams",
    "kstreams",
    "funnelstream",
    "raw-pydantic-long",
    "quixstreams-long",
    "kstreams-long",
    "funnelstream-long",
)
LATENCY = ("raw-pydantic", "quixstreams", "kstreams", "funnelstream")
CRASH = ("quixstreams", "kstreams", "funnelstream")

RATE, SECONDS, WARM_UP, FIRST = 500, 20, 5, 100
"""Of the driver's latency runs: events per second, seconds, seconds before them, and events before those."""

WORKER_WITHIN, ENDS_WITHIN = 600, 1_500
"""Seconds that a worker is given, and a run with it: loading the input and checking the result included."""

METHOD = """\
[The job](#the-job) and one broker; every engine runs once in each round, in this order. CPU is user and system time of all
processes of the worker from its start to the last conversion visible, imports and JVM start included; events/s is over the
same time; peak memory is the highest sum of resident sizes. Figures are median (low-high) of the rounds. *ratio* is to raw-
pydantic of the same round and size; *-long* has five times the events, and *warm* is what the events cost that it has more.
Latency: 500 events/s for 20 s, from the produce call to the transition seen by a read_committed consumer. Crash: SIGKILL when
40 % of the output is visible, and the same command again with its state folder kept or emptied; from the kill to the first
new conversion visible, with the second in it for which the driver reads what was published before. *right*: how many runs
published what they had to, by the job's own oracle, ours by `fold` over the same input."""

DRIVEN = {
    "throughput": ("throughput",),
    "latency": ("latency",),
    "crash, disk kept": ("throughput", "--kill", "0.4"),
    "crash, disk gone": ("throughput", "--kill", "0.4", "--wipe"),
}
"""How the driver is told of a mode: its own name for it, and options."""


class Run(NamedTuple):
    """One run of one engine.

    Attributes:
        engine: Its name.
        mode: A key of `DRIVEN`.
        events: How many the input holds.
    """

    engine: str
    mode: str
    events: int

    @property
    def seconds(self) -> float:
        """About how long it takes, for the announcement only."""
        return 45.0 if self.mode == "latency" else 20 + self.events / 12_000 + 30 * self.mode.startswith("crash")


def runs_of(modes: Sequence[str], engines: Sequence[str], events: int) -> list[Run]:
    """The runs of one round.

    Args:
        modes: Of `throughput`, `latency`, `crash`.
        engines: Names; empty for those of each mode.
        events: Of the short throughput runs.
    """
    short = [engine for engine in engines if not engine.endswith("-long")]
    runs: list[Run] = []
    if "throughput" in modes:
        runs += [Run(engine, "throughput", events_of(engine, events)) for engine in engines or THROUGHPUT]
    if "latency" in modes:
        runs += [Run(engine, "latency", RATE * (WARM_UP + SECONDS) + FIRST) for engine in short or LATENCY]
    if "crash" in modes:
        runs += [
            Run(engine, f"crash, disk {disk}", events_of(engine, events))
            for engine in short or CRASH
            for disk in ("kept", "gone")
        ]
    return runs


def report(results: Sequence[Result]) -> str:
    """The tables with their method, as Markdown."""
    return f"{METHOD}\n\n{tables(results)}"


def ours_right(results: Sequence[Result]) -> bool:
    """Whether every run of ours published what it had to."""
    return all(result["ok"] == "True" for result in results if engine_of(result["engine"]).ours)


def race(broker: Broker, rounds: int, runs: Sequence[Run]) -> list[Result]:
    """Run the rounds; an engine that fails has its place in the results, and the others go on."""
    prepare_kit()
    prepare([run.engine for run in runs])
    results: list[Result] = []
    with (WORK / "results.txt").open("a") as kept:
        for number in range(1, rounds + 1):
            for run in runs:
                line = _drive(broker, number, run)
                print(line, file=sys.stderr, flush=True)
                kept.write(line + "\n")
                kept.flush()
                results.append({**parse(line), "mode": run.mode})
    return results


def _drive(broker: Broker, number: int, run: Run) -> str:
    """The RESULT line of one run, or the like of a run that gave none."""
    engine = engine_of(run.engine)
    mode, *options = DRIVEN[run.mode]
    size = [str(run.events)] if mode == "throughput" else []
    ours = ["--adapter", f"{ROOT}/bench/adapter.py", "--oracle", f"{ROOT}/bench/oracle.py"] if engine.ours else []
    settings = [word for setting in engine.settings for word in ("--set", setting)]
    bounded = ["--timeout", str(WORKER_WITHIN)]
    driver = sys.executable if engine.ours else str(DRIVER)
    command = [
        driver,
        str(KIT / "drive.py"),
        mode,
        run.engine,
        *size,
        *ours,
        *settings,
        *options,
        *bounded,
        "--",
        *engine.command,
    ]
    said = _bounded(command, _environment(broker, number, run, engine))
    lines = [line for line in said.splitlines() if line.startswith("RESULT ")]
    nothing = f"RESULT mode={mode} engine={run.engine} ok=False round={number} note=no_result,_see_bench/work/drive.log"
    return lines[-1] if lines else nothing


def _environment(broker: Broker, number: int, run: Run, engine: Engine) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {
        "BOOTSTRAP": broker.bootstrap,
        "WORK": str(WORK),
        "ROUND": str(number),
        "BENCH_EVENTS": str(run.events),
    }
    if broker.pid is not None:
        environment["BROKER_PID"] = str(broker.pid)
    if engine.ours:
        environment["PYTHONPATH"] = str(ROOT)
    return environment


def _bounded(command: list[str], environment: dict[str, str]) -> str:
    """Standard output of a driver. However this ends, no worker outlives it: each leads a session of its own.

    The driver does as well, so that Ctrl-C is for us alone and finds it alive with its children.
    """
    with (WORK / "drive.log").open("ab") as log:
        driver = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True)
    try:
        return driver.communicate(timeout=ENDS_WITHIN)[0]
    except subprocess.TimeoutExpired:
        return ""
    finally:
        if driver.poll() is None:
            for worker in _children(driver.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(worker, signal.SIGKILL)
            driver.kill()
            driver.wait()


def _children(pid: int) -> Iterator[int]:
    for task in Path(f"/proc/{pid}/task").iterdir():
        yield from map(int, (task / "children").read_text().split())
