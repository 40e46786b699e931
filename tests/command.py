"""Runs `funnelstream` as a user does: a process of its own, its output and its exit code."""

import os
import subprocess
import sys
from typing import Any

from tests.shared_material import ROOT


def funnelstream(*arguments: Any, code: int = 0, patience: float = 300) -> str:
    """Standard output of a command that must end with this exit code, within `patience` seconds; all of it is shown where not."""
    done = run(*arguments, patience=patience)
    assert done.returncode == code, f"exit {done.returncode}, expected {code}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def run(*arguments: Any, patience: float = 300) -> subprocess.CompletedProcess[str]:
    """The finished process of a command."""
    command = [sys.executable, "-m", "processors.cli.main", *map(str, arguments)]
    return subprocess.run(
        command, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False, timeout=patience
    )
