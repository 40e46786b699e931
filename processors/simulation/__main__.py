"""`python -m processors.simulation --seeds N`: tries so many cases, and prints the shortest one that breaks each promise."""

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from processors.simulation.arrivals import case_of
from processors.simulation.schedule import described
from processors.simulation.shrinking import shortest
from processors.simulation.trial import attempt

OK, BUG = 0, 4
_CHUNK = 50
"""Seeds that a process tries before it reports."""
_REPORT_EVERY = 10.0
"""Seconds between lines of progress."""


class Figures(NamedTuple):
    """What some seeds came to: sums of `trial.Tried`, and for each promise that was broken the seeds that broke it."""

    seeds: int
    sums: Counter[str]
    broken: dict[str, list[int]]


def main(arguments: Sequence[str]) -> int:
    """Try as told; 4 where a promise was broken, which is a bug of ours."""
    parser = argparse.ArgumentParser(prog="python -m processors.simulation", description=__doc__)
    parser.add_argument("--seeds", type=_positive, default=10_000, help="how many cases to try (default: 10,000)")
    parser.add_argument("--first-seed", type=int, default=1, metavar="K", help="the first of them (default: 1)")
    parser.add_argument("--jobs", type=_positive, default=os.cpu_count() or 1, help="processes (default: one for each core)")
    told = parser.parse_args(arguments)
    started = time.monotonic()
    figures = Figures(0, Counter(), {})
    reported = started
    for done in _tried(told.first_seed, told.seeds, told.jobs):
        for promise in sorted(done.broken.keys() - figures.broken.keys()):
            print(f"BROKEN: {promise}, first by seed {done.broken[promise][0]}; going on", file=sys.stderr, flush=True)
        figures = _together(figures, done)
        if time.monotonic() - reported > _REPORT_EVERY:
            reported = time.monotonic()
            print(_line(figures, reported - started), file=sys.stderr, flush=True)
    print(_line(figures, time.monotonic() - started))
    for promise, seeds in sorted(figures.broken.items()):
        print(f"\nBROKEN: {promise}, by {len(seeds)} of the seeds: {', '.join(map(str, sorted(seeds)[:10]))}")
        print("\n".join(explained(min(seeds))))
    return BUG if figures.broken else OK


def try_seeds(seeds: range) -> Figures:
    """Try these seeds in this process."""
    sums: Counter[str] = Counter()
    broken: dict[str, list[int]] = {}
    for seed in seeds:
        tried = attempt(case_of(seed))
        sums.update({name: value for name, value in tried._asdict().items() if name != "broken"})
        if tried.broken is not None:
            broken.setdefault(tried.broken.promise, []).append(seed)
    return Figures(len(seeds), sums, broken)


def explained(seed: int) -> Iterator[str]:
    """The shortest case that breaks the promise that this seed breaks, in lines."""
    case = shortest(case_of(seed))
    broken = attempt(case).broken
    if broken is not None:
        yield f"Seed {seed}, in its shortest form, breaks '{broken.promise}': {broken.sentence}"
    yield from described(case)
    yield f"Try the whole of it again: python -m processors.simulation --first-seed {seed} --seeds 1"


def _tried(first: int, count: int, jobs: int) -> Iterator[Figures]:
    chunks = [range(at, min(at + _CHUNK, first + count)) for at in range(first, first + count, _CHUNK)]
    if jobs == 1 or len(chunks) == 1:
        yield from map(try_seeds, chunks)
        return
    with ProcessPoolExecutor(jobs) as processes:
        yield from processes.map(try_seeds, chunks)


def _together(one: Figures, other: Figures) -> Figures:
    broken = {
        promise: one.broken.get(promise, []) + other.broken.get(promise, [])
        for promise in one.broken.keys() | other.broken.keys()
    }
    return Figures(one.seeds + other.seeds, one.sums + other.sums, broken)


def _line(figures: Figures, seconds: float) -> str:
    sums = ", ".join(f"{value:,} {name}" for name, value in figures.sums.items())
    rate = figures.seeds / max(seconds, 0.001)
    return f"{figures.seeds:,} seeds in {seconds:,.0f} s ({rate:,.0f} a second): {sums}; {len(figures.broken)} promises broken"


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
