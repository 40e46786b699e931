"""`make bench`: the race against the other engines, and what funnelstream costs alone. `make bench ARGS=--help` lists the parts.

Without a part it does one round of everything. Figures go to standard output and bench/work, with `--write` also into
docs/benchmarks.md. Linux only, because CPU and memory are read from /proc; nothing else should run on the machine.
"""

import argparse
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from bench import history, inprocess, insights, leads, page, race
from bench.engines import ENGINES, LONG
from bench.job import WORK
from bench.race import Run
from bench.results import Result
from bench.trial import Wrong
from bench.variants import NUMBERS, WORKERS
from tests.broker.discovery import Broker, NoBroker, start_broker

MODES = ("throughput", "latency", "crash")
EVENTS = 300_000
LEADS = (10_000, 100_000, 1_000_000)
KEYS = (10_000, 100_000, 1_000_000)


class Part(NamedTuple):
    """A part of the benchmark.

    Attributes:
        name: Of its place on the page.
        seconds: About how long it takes.
        figures: Measures: what there is to show, and whether every result of ours was right.
    """

    name: str
    seconds: float
    figures: Callable[[Broker], tuple[str, bool]]


def main() -> None:
    """Run what was asked for.

    Raises:
        SystemExit: With 1 when a result of ours was not right, or an engine could not be prepared.
    """
    given = _arguments()
    WORK.mkdir(exist_ok=True)
    if given.part == "profile":
        inprocess.measure(given.events, given.chunk, given.cprofile)
        return
    if given.part == "history":  # needs no broker
        page.report("history", history.report(), write=given.write)
        return
    parts = _parts(given)
    print(f"about {sum(part.seconds for part in parts) / 60:.0f} minutes", file=sys.stderr, flush=True)
    broker, wrong = start_broker(), []
    try:
        for part in parts:
            figures, right = part.figures(broker)
            page.report(part.name, figures, write=given.write and right)
            if not right:
                wrong.append(part.name)
    finally:
        broker.stop()
    if wrong:
        sys.exit(f"A result of ours was not right, so its figures mean nothing: {', '.join(wrong)}; see above.")


def _parts(given: argparse.Namespace) -> list[Part]:
    every = given.part == "all"
    parts = []
    if every or given.part == "race":
        parts.append(_driven("race", given.rounds, race.runs_of(given.modes, given.engines, given.events), race.report))
    if every or given.part == "workers":
        parts.append(_driven("workers", given.rounds, WORKERS.runs(given.events * LONG), WORKERS.report))
    if every or given.part == "numbers":
        parts.append(_driven("numbers", given.rounds, NUMBERS.runs(given.events * LONG), NUMBERS.report))
    if every or given.part == "leads":
        seconds = leads.seconds(given.leads, given.events)
        parts.append(Part("leads", seconds, lambda broker: (leads.report(broker, given.leads, given.events), True)))
    if every or given.part == "insights":
        parts.append(Part("insights", insights.seconds(given.keys), lambda broker: (insights.report(broker, given.keys), True)))
    if every:
        parts.append(Part("history", history.SECONDS, lambda _: (history.report(), True)))
    return parts


def _driven(name: str, rounds: int, runs: Sequence[Run], report: Callable[[Sequence[Result]], str]) -> Part:
    """A part that the kit's driver measures."""

    def figures(broker: Broker) -> tuple[str, bool]:
        results = race.race(broker, rounds, runs)
        return report(results), race.ours_right(results)

    return Part(name, rounds * sum(run.seconds for run in runs), figures)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "part",
        nargs="?",
        default="all",
        choices=("all", "race", "workers", "numbers", "leads", "insights", "history", "profile"),
        metavar="PART",
        help=(
            "race: all engines on one job and broker, in interleaved rounds\n"
            "workers: CPU per event with one worker and with two\n"
            "numbers: what the published numbers cost a worker\n"
            "leads: memory, cost and restart with up to a million leads\n"
            "insights: a fresh insights process over a metrics topic of up to a million keys\n"
            "history: what a fact costs however long its lead's history, in process, without Kafka\n"
            "all: these six, the default\n"
            "profile: ingest and advance in process, without Kafka"
        ),
    )
    option = parser.add_argument
    option("--write", action="store_true", help="put the figures into docs/benchmarks.md as well")
    option("--rounds", type=int, default=1, help="of race, workers and numbers; default 1")
    option(
        "--events",
        type=int,
        default=EVENTS,
        help=f"default {EVENTS}; engines named NAME-long, workers and numbers take {LONG} times as many",
    )
    option("--modes", nargs="+", choices=MODES, default=MODES, help="of race; default all: throughput latency crash")
    option(
        "--engines",
        nargs="+",
        default=(),
        metavar="NAME",
        help=f"of race, instead of the usual ones: {', '.join(ENGINES)}, or NAME-long",
    )
    option("--leads", nargs="+", type=int, default=LEADS, metavar="N", help=f"of leads; default {' '.join(map(str, LEADS))}")
    option("--keys", nargs="+", type=int, default=KEYS, metavar="N", help=f"of insights; default {' '.join(map(str, KEYS))}")
    option("--chunk", type=int, default=2_000, help="of profile: records taken from a partition in turn; default 2000")
    option("--cprofile", type=Path, metavar="FILE", help="of profile: run under cProfile, its figures in FILE")
    given = parser.parse_args()
    unknown = [name for name in given.engines if name.removesuffix("-long") not in ENGINES]
    if unknown:
        parser.error(f"no engine is named {', '.join(unknown)}: there are {', '.join(ENGINES)}, each also as NAME-long")
    return given


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main()
    except (NoBroker, Wrong) as sentence:
        sys.exit(str(sentence))
    except KeyboardInterrupt:
        sys.exit(130)
