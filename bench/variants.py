"""What a change of the worker costs: the same input through funnelstream as it is, and through it in another way."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from bench.race import Run
from bench.results import Result, by_engine, column, ratio, right, table


class Variants(NamedTuple):
    """A part of the page.

    Attributes:
        differ: What they differ in: the title of the first column.
        ways: Engine to what it is called there; the first is what the others are held against.
        method: How it is measured.
    """

    differ: str
    ways: Mapping[str, str]
    method: str

    def runs(self, events: int) -> list[Run]:
        """The runs of one round."""
        return [Run(engine, "throughput", events) for engine in self.ways]

    def report(self, results: Sequence[Result]) -> str:
        """The table with its method, as Markdown."""
        base, *_ = self.ways
        names = (
            "right",
            "events",
            "CPU us per event",
            f"to {self.ways[base]}",
            "events per CPU-second",
            "wall s",
            "CPU s",
            "peak MB",
        )
        for run in results:
            if "cpu_s" in run:
                run["us_per_event"] = str(1e6 * float(run["cpu_s"]) / float(run["events"]))
                run["per_cpu_s"] = str(float(run["events"]) / float(run["cpu_s"]))
        measured = by_engine(results, "throughput")
        rows = [
            (
                self.ways[engine],
                right(rounds),
                column(rounds, "events"),
                column(rounds, "us_per_event", ".1f"),
                ratio(rounds, measured[base], "us_per_event"),
                column(rounds, "per_cpu_s"),
                column(rounds, "wall_s", ".1f"),
                column(rounds, "cpu_s", ".1f"),
                column(rounds, "peak_mb"),
            )
            for engine, rounds in measured.items()
        ]
        return f"{self.method}\n\n{table((self.differ, *names), rows)}"


WORKERS = Variants(
    "workers",
    {"funnelstream": "one", "funnelstream-two": "two"},
    """\
The job of the race through one worker, and through two that share its partitions on one machine. CPU and memory are the sums
over their processes; the second worker's start-up and the rebalance when it joins are in them.""",
)
NUMBERS = Variants(
    "numbers",
    {"funnelstream-without-numbers": "without", "funnelstream": "with"},
    """\
The job of the race through one worker, as it is, and with nothing posted (`NUMBERS=off`, which only the bench knows): then
nothing is counted, no sum is kept, and nothing goes to the metrics topic.""",
)
