"""Fuzzes one target in this process until the time is up or a promise is broken; `python -m tests.fuzz` starts one for each.

With coverage, by atheris (libFuzzer), where there is a build of it; elsewhere by mutating the corpus blindly. Either way an input
that breaks a promise is left among the target's regressions, and the last lines say in libFuzzer's words how much was tried.
"""

import argparse
import hashlib
import sys
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from tests.fuzz.guidance import guided

if TYPE_CHECKING:  # what is imported before atheris looks is not watched
    from tests.fuzz.targets import Target

BROKEN = 77
"""Exit code where an input raised; libFuzzer's."""
SLOWEST_INPUT = 20
"""Seconds after which an input is taken for one that stalls."""
MOST_MEMORY = 2048
"""MiB after which an input is taken for one that knows no bound."""


def main(arguments: Sequence[str]) -> int:
    """Fuzz as told; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target")
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--found", type=Path, required=True, help="folder for inputs that reach something new")
    parser.add_argument("--blind", action="store_true", help="without coverage, as where there is no atheris")
    told = parser.parse_args(arguments)
    seed = time.time_ns() % 2**31
    if told.blind or not guided():
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - atheris must be there first, where there is one

        return blindly(TARGETS[told.target], told.seconds, Random(seed))
    return _guided(told.target, told.found, [f"-max_total_time={told.seconds}", f"-seed={seed}", "-print_final_stats=1"])


def _guided(name: str, found: Path, options: Sequence[str]) -> int:
    import atheris  # noqa: PLC0415 - there is no build of it for some platforms

    with atheris.instrument_imports(include=["processors", "schemas"]):
        from tests.fuzz.mutation import mutate  # noqa: PLC0415
        from tests.fuzz.targets import LARGEST_INPUT, TARGETS  # noqa: PLC0415
    target = TARGETS[name]
    others = [file.read_bytes() for file in target.inputs()]

    def mutated(data: bytes, longest: int, chance: int) -> bytes:
        if chance % 3 == 0:
            return bytes(atheris.Mutate(data, longest))
        return mutate(data, target.words, others, Random(chance), longest)

    target.regressions.mkdir(parents=True, exist_ok=True)
    bounds = [f"-max_len={LARGEST_INPUT}", f"-timeout={SLOWEST_INPUT}", f"-rss_limit_mb={MOST_MEMORY}"]
    arguments = [*options, *bounds, f"-artifact_prefix={target.regressions}/", str(found), str(target.corpus)]
    atheris.Setup([sys.argv[0], *arguments], target.run, custom_mutator=mutated)
    atheris.Fuzz()  # ends the process
    return 0


def blindly(target: "Target", seconds: float, random: Random) -> int:
    """Mutate the inputs of a target; returns the exit code."""
    from tests.fuzz.mutation import mutate  # noqa: PLC0415 - see above
    from tests.fuzz.targets import LARGEST_INPUT  # noqa: PLC0415

    inputs = [file.read_bytes() for file in target.inputs()]
    tried, end = 0, time.monotonic() + seconds
    while time.monotonic() < end:
        data = mutate(random.choice(inputs), target.words, inputs, random, LARGEST_INPUT)
        tried += 1
        try:
            target.run(data)
        except Exception:
            traceback.print_exc()
            target.regressions.mkdir(parents=True, exist_ok=True)
            left = target.regressions / f"crash-{hashlib.sha1(data, usedforsecurity=False).hexdigest()}"
            left.write_bytes(data)
            return BROKEN
    print(f"stat::number_of_executed_units: {tried}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
