"""What the published numbers cost a worker: the job of the race with them and without."""

from collections.abc import Sequence

from bench.race import Run
from bench.results import Result, by_engine, column, ratio, right, table

METHOD = """\
The job of the race through one worker, as it is, and with nothing posted (`NUMBERS=off`, which only the bench knows): then
nothing is counted, no sum is kept, and nothing goes to the metrics topic."""

SAYS = {"funnelstream": "with", "funnelstream-without-numbers": "without"}


def runs(events: int) -> list[Run]:
    """The runs of one round."""
    return [Run(engine, "throughput", events) for engine in SAYS]


def report(results: Sequence[Result]) -> str:
    """The table with its method, as Markdown."""
    columns = ("numbers", "right", "events", "events per CPU-second", "to without", "wall s", "CPU s", "peak MB")
    for run in results:
        if "cpu_s" in run:
            run["per_cpu_s"] = str(float(run["events"]) / float(run["cpu_s"]))
    measured = by_engine(results, "throughput")
    rows = [
        (
            SAYS[engine],
            right(rounds),
            column(rounds, "events"),
            column(rounds, "per_cpu_s", ",.0f"),
            ratio(rounds, measured["funnelstream-without-numbers"], "per_cpu_s"),
            column(rounds, "wall_s", ".1f"),
            column(rounds, "cpu_s", ".1f"),
            column(rounds, "peak_mb"),
        )
        for engine, rounds in measured.items()
    ]
    return f"{METHOD}\n\n{table(columns, rows)}"
