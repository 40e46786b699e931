"""Runs of the driver as Markdown tables: medians over the rounds, ratios within a round."""

from collections.abc import Iterable, Sequence
from statistics import median

Result = dict[str, str]
"""One run: its mode as `race.Run` has it, and the driver's own names: `engine`, `round`, `ok`, `ev_per_cpu_s`, ..."""

Rounds = dict[str, Result]
"""The runs of one engine in one mode, by round."""

BASE = "raw-pydantic"
"""The bare loop that ratios are to: that of the same size and round."""


def parse(line: str) -> Result:
    """What a RESULT line says."""
    return dict(pair.split("=", 1) for pair in line.split()[1:])


def tables(results: Sequence[Result]) -> str:
    """Every table that these runs have something to say in, and what was wrong with those that were not right."""
    parts = (_throughput(results), _warm(results), _latency(results), _crash(results), _faults(results))
    return "\n\n".join(part for part in parts if part)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; nothing where it has no rows."""
    written = [" | ".join(row) for row in (columns, ["---"] * len(columns), *rows)]
    return "\n".join(f"| {row} |" for row in written) if len(written) > 2 else ""


def spread(values: Iterable[float], form: str = ",.0f") -> str:
    """The median, and the lowest and highest where they differ; `-` for nothing."""
    ordered = sorted(values)
    if not ordered:
        return "-"
    middle, low, high = (format(value, form) for value in (median(ordered), ordered[0], ordered[-1]))
    return middle if low == high else f"{middle} ({low}-{high})"


def by_engine(results: Iterable[Result], mode: str) -> dict[str, Rounds]:
    """The runs in one mode, by engine in the order in which they ran."""
    runs: dict[str, Rounds] = {}
    for result in results:
        if result["mode"] == mode:
            runs.setdefault(result["engine"], {})[result["round"]] = result
    return runs


def column(rounds: Rounds, name: str, form: str = ",.0f") -> str:
    """The spread of a figure over the rounds that have it."""
    return spread((float(run[name]) for run in rounds.values() if name in run), form)


def right(rounds: Rounds) -> str:
    """How many of the runs gave the right result."""
    return f"{sum(run['ok'] == 'True' for run in rounds.values())}/{len(rounds)}"


def ratio(rounds: Rounds, base: Rounds, name: str) -> str:
    """The spread of a figure to that of the base in the same round."""
    pairs = ((run, base[number]) for number, run in rounds.items() if number in base)
    return spread((float(run[name]) / float(to[name]) for run, to in pairs if name in run and name in to), ".2f")


def _throughput(results: Sequence[Result]) -> str:
    columns = ("engine", "right", "events", "events per CPU-s", "ratio", "events/s", "wall s", "CPU s", "peak MB", "broker CPU s")
    runs = by_engine(results, "throughput")
    rows = []
    for engine, rounds in runs.items():
        base = runs.get(f"{BASE}-long" if engine.endswith("-long") else BASE, {})
        rows.append(
            (
                engine,
                right(rounds),
                column(rounds, "events"),
                column(rounds, "ev_per_cpu_s"),
                ratio(rounds, base, "ev_per_cpu_s"),
                column(rounds, "ev_per_s"),
                column(rounds, "wall_s", ".1f"),
                column(rounds, "cpu_s", ".1f"),
                column(rounds, "peak_mb"),
                column(rounds, "broker_cpu_s", ".1f"),
            )
        )
    return table(columns, rows)


def _warm(results: Sequence[Result]) -> str:
    """Start-up excluded: what the events cost that the long run has more than the short one of the same round."""
    runs = by_engine(results, "throughput")
    rates: dict[str, Rounds] = {}
    for engine, rounds in runs.items():
        for number, long in runs.get(f"{engine}-long", {}).items():
            short = rounds.get(number, {})
            more = {name: float(long.get(name, 0)) - float(short.get(name, 0)) for name in ("events", "cpu_s")}
            if "cpu_s" in long and "cpu_s" in short and more["cpu_s"] > 0:
                rates.setdefault(engine, {})[number] = {"rate": str(more["events"] / more["cpu_s"])}
    base = rates.get(BASE, {})
    rows = [(engine, column(rounds, "rate"), ratio(rounds, base, "rate")) for engine, rounds in rates.items()]
    return table(("engine", "warm events per CPU-s", "ratio"), rows)


def _latency(results: Sequence[Result]) -> str:
    columns = ("engine", "right", "p50 ms", "p99 ms", "max ms", "CPU % of one core", "peak MB")
    names = ("p50_ms", "p99_ms", "max_ms", "cpu_percent", "peak_mb")
    runs = by_engine(results, "latency")
    return table(columns, ((engine, right(rounds), *(column(rounds, name) for name in names)) for engine, rounds in runs.items()))


def _crash(results: Sequence[Result]) -> str:
    rows = [
        (engine, disk, right(rounds), column(rounds, "resume_s", ".1f"), column(rounds, "peak_mb"))
        for disk in ("kept", "gone")
        for engine, rounds in by_engine(results, f"crash, disk {disk}").items()
    ]
    return table(("engine", "disk", "right", "first commit after s", "peak MB"), rows)


def _faults(results: Iterable[Result]) -> str:
    """What was wrong with runs that were not right: their figures are figures of something else."""
    lines = [
        f"- {run['engine']}, {run['mode']}, round {run['round']}: {run.get('faults') or run.get('note')}"
        for run in results
        if run["ok"] != "True"
    ]
    return "\n".join(["Not right:", "", *lines]) if lines else ""
