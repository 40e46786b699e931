"""What a second worker costs: the same input through one worker and through two of one application."""

from collections.abc import Sequence

from bench.race import Run
from bench.results import Result, by_engine, column, ratio, right, table

METHOD = """\
The job of the race through one worker, and through two that share its partitions on one machine. CPU and memory are the sums
over their processes; the second worker's start-up and the rebalance when it joins are in them."""

WORKERS = {"funnelstream": "1", "funnelstream-two": "2"}


def runs(events: int) -> list[Run]:
    """The runs of one round."""
    return [Run(engine, "throughput", events) for engine in WORKERS]


def report(results: Sequence[Result]) -> str:
    """The table with its method, as Markdown."""
    columns = ("workers", "right", "events", "CPU us per event", "to one worker", "wall s", "CPU s", "peak MB")
    for run in results:
        if "cpu_s" in run:
            run["us_per_event"] = str(1e6 * float(run["cpu_s"]) / float(run["events"]))
    measured = by_engine(results, "throughput")
    rows = [
        (
            WORKERS[engine],
            right(rounds),
            column(rounds, "events"),
            column(rounds, "us_per_event", ".1f"),
            ratio(rounds, measured["funnelstream"], "us_per_event"),
            column(rounds, "wall_s", ".1f"),
            column(rounds, "cpu_s", ".1f"),
            column(rounds, "peak_mb"),
        )
        for engine, rounds in measured.items()
    ]
    return f"{METHOD}\n\n{table(columns, rows)}"
