"""`python -m tests.fuzz.costs`: seconds of ingest for each of the large hostile records, for docs/reliability.md.

No test asserts on them: tests/property/test_large_records.py counts calls and bytes instead.
"""

import gc
import time

from tests.property.test_large_records import LARGE, ingest

SIZES = (225_000, 900_000)
ROUNDS = 3


def cost(source: str, value: bytes) -> float:
    """CPU seconds of the fastest of some rounds."""
    taken = []
    for _ in range(ROUNDS):
        gc.collect()
        started = time.process_time()
        ingest(source, value)
        taken.append(time.process_time() - started)
    return min(taken)


def main() -> None:
    """Print a line for each record."""
    print(f"{'what is large':<34}" + "".join(f"{'KB':>7}{'ms':>8}{'ms/KB':>8}" for _ in SIZES))
    for name, (source, build) in LARGE.items():
        line = f"{name:<34}"
        for size in SIZES:
            value = build(size).encode()
            seconds, kilobytes = cost(source, value), len(value) / 1024
            line += f"{kilobytes:>7.0f}{seconds * 1000:>8.1f}{seconds * 1000 / kilobytes:>8.3f}"
        print(line)


if __name__ == "__main__":
    main()
