"""`python -m tests.fuzz [TARGET ...] --seconds N`: fuzzes each target in a process of its own, and prints what was tried.

What breaks a promise is left among the regressions, where `tests/fuzz/test_corpus.py` replays it. With `--save`, inputs that
reach something new join the corpus.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.fuzz.guidance import ATHERIS_ABSENT, guided
from tests.fuzz.reach import keep
from tests.fuzz.targets import TARGETS, Target
from tests.shared_material import ROOT


class Figures(NamedTuple):
    """What one run did."""

    target: str
    tried: int
    seconds: float
    edges: int | None
    """Branches of our code that some input took; None without coverage."""
    added: int
    """Inputs that joined the corpus."""
    left: list[Path]
    """Inputs that broke a promise."""


def main(arguments: Sequence[str]) -> int:
    """Fuzz as told; returns 1 where a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; else all")
    parser.add_argument("--seconds", type=int, default=60, help="for all together (default: 60)")
    parser.add_argument("--save", action="store_true", help="keep inputs that reach something new in the corpus")
    parser.add_argument("--blind", action="store_true", help="without coverage, as where there is no atheris")
    told = parser.parse_args(arguments)
    names = told.targets or [*TARGETS]
    if unknown := [name for name in names if name not in TARGETS]:
        parser.error(f"no target is called {unknown[0]}; there are {', '.join(TARGETS)}")
    each = max(1, told.seconds // len(names))
    ran = [fuzz(TARGETS[name], each, save=told.save, blind=told.blind) for name in names]
    print("blind, as told" if told.blind else "guided by coverage (atheris)" if guided() else f"BLIND: {ATHERIS_ABSENT}")
    print(f"{'target':<15}{'inputs tried':>13}{'seconds':>9}{'edges':>7}{'new in corpus':>15}")
    for done in ran:
        edges = "-" if done.edges is None else done.edges
        print(f"{done.target:<15}{done.tried:>13,}{done.seconds:>9.0f}{edges:>7}{done.added:>15}")
    for left in (file for done in ran for file in done.left):
        print(f"BROKEN by {left}\n  replay it: pytest tests/fuzz/test_corpus.py -k {left.name}")
    return 1 if any(done.left for done in ran) else 0


def fuzz(target: Target, seconds: int, *, save: bool = False, blind: bool = False) -> Figures:
    """Fuzz one target in a process of its own.

    Raises:
        RuntimeError: The process ended by neither the time nor an input; the message is its output.
    """
    known = set(target.inputs())
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as found, tempfile.TemporaryDirectory(prefix="fuzz-") as scratch:
        output, code = _one(target, found, scratch, f"--seconds={seconds}", *(["--blind"] if blind else []))
        took = time.monotonic() - started
        added = keep(target, Path(found).iterdir()) if save else 0
    left = [file for file in target.inputs() if file not in known and file.parent == target.regressions]
    if code and not left:
        raise RuntimeError(f"fuzzing {target.name} ended with exit code {code}:\n{output[-4000:]}")
    if left:
        print(output[-4000:], file=sys.stderr)
    tried = re.findall(r"stat::number_of_executed_units:\s+(\d+)", output) or re.findall(r"^#(\d+)", output, re.MULTILINE)
    edges = re.findall(r"cov: (\d+)", output)
    return Figures(target.name, int((tried or ["0"])[-1]), took, int(edges[-1]) if edges else None, added, left)


def _one(target: Target, found: str, scratch: str, *options: str) -> tuple[str, int]:
    """Output and exit code. libFuzzer ends its process before Python can clean up: what is left in `scratch` is the caller's."""
    command = [sys.executable, "-m", "tests.fuzz.one", target.name, "--found", found, *options]
    told = {**os.environ, "TMPDIR": scratch}
    done = subprocess.run(command, cwd=ROOT, env=told, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.stdout.decode(errors="replace"), done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
