"""Worker processes that tests start, kill, pause and ask; whatever a test leaves running is killed with it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

ROOT = Path(__file__).parents[2]
STARTS_WITHIN = 60.0
ENDS_WITHIN = 60.0
"""Seconds; generous, because machines of tests are busy."""


def wait_until(true: Callable[[], Any], what: str, within: float = 60.0, every: float = 0.05) -> Any:
    """Wait for a condition; fails naming it."""
    deadline = time.monotonic() + within
    while not (answer := true()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {within:.0f} s in vain: {what}")
        time.sleep(every)
    return answer


class WorkerProcess:
    """One worker, run by a command; its output goes to a file, whose tail is part of every failure.

    Args:
        command: What to run.
        log: Where its output goes; appended to, so that restarts of one worker share it.
        environment: Added to the environment.
        folder: Its working directory.
    """

    def __init__(
        self, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, folder: Path = ROOT
    ) -> None:
        self.command = list(command)
        self.log = log
        self.environment = dict(environment or {})
        self.folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._log_from = 0

    @classmethod
    def of_module(cls, module: str, settings: Mapping[str, Any], folder: Path, name: str) -> "WorkerProcess":
        """A worker that is `python -m MODULE SETTINGS.json`; the settings are written into `folder`."""
        file = folder / f"{name}.json"
        file.write_text(json.dumps(settings))
        return cls([sys.executable, "-m", module, str(file)], folder / f"{name}.log")

    def start(self) -> Self:
        assert not self.running, "it runs already"
        self._log_from = self.log.stat().st_size if self.log.exists() else 0
        environment = os.environ | {"PYTHONPATH": str(ROOT)} | self.environment
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env=environment,
                stdin=subprocess.DEVNULL,
            )
        return self

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it was never started"
        return self._process

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def output(self) -> str:
        """What it has said since its last start."""
        return self.log.read_bytes()[self._log_from :].decode(errors="replace") if self.log.exists() else ""

    def tail(self, lines: int = 40) -> str:
        return "\n".join([f"--- {self.log.name} ---", *self.output.splitlines()[-lines:]])

    def address(self) -> str | None:
        """Where its probes are, once it has said so."""
        said = re.search(r"probes and metrics at (http://\S+)", self.output)
        return said[1] if said else None

    def probe(self, path: str) -> int:
        """The status that a path answers; 0 while nobody does."""
        address = self.address()
        if address is None:
            return 0
        try:
            with urllib.request.urlopen(f"{address}{path}", timeout=5) as answer:
                status: int = answer.status
                return status
        except urllib.error.HTTPError as refused:
            return refused.code
        except OSError:
            return 0

    def metrics(self) -> dict[str, float]:
        """Every sample that it exports, by name and labels as they are written."""
        with urllib.request.urlopen(f"{self.address()}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line and line[0] != "#")}

    def wait_ready(self, within: float = STARTS_WITHIN) -> Self:
        def ready() -> bool:
            assert self.running, f"it ended with {self.process.returncode} before it was ready\n{self.tail()}"
            return self.probe("/readyz") == 200

        try:
            wait_until(ready, "the worker to be ready", within)
        except AssertionError as failure:
            raise AssertionError(f"{failure}\n{self.tail()}") from None
        return self

    def wait_said(self, text: str, within: float = STARTS_WITHIN) -> None:
        try:
            wait_until(lambda: text in self.output, f"the worker to say {text!r}", within)
        except AssertionError as failure:
            raise AssertionError(f"{failure}\n{self.tail()}") from None

    def wait_ended(self, within: float = ENDS_WITHIN) -> int:
        """Its exit code."""
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"it did not end within {within:.0f} s\n{self.tail()}") from None

    def kill9(self) -> None:
        if self.running:
            self.process.kill()
            self.process.wait()

    def sigterm(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def sigstop(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def sigcont(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def terminate(self, within: float = 15.0) -> int:
        """SIGTERM, and the exit code."""
        self.sigterm()
        return self.wait_ended(within)
