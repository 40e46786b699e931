"""The engines of the race: how each is prepared, in an environment of its own, and how its worker is started.

Their pins conflict with ours and with each other, so each engine in Python gets a virtual environment and the one in Java a
Maven build, all in bench/work; what is there and of the same pins is left alone.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from bench.job import KIT, WORK

LONG = 5
"""An engine's name with `-long` is the same with so many times the events: start-up weighs less, and the warm cost shows."""


class Engine(NamedTuple):
    """One competitor.

    Attributes:
        prepare: Makes its environment, where that is not there yet.
        command: Starts its worker.
        settings: Environment of the worker, as `NAME=VALUE`.
        ours: Whether its result is held against `fold` instead of the common oracle.
        share: Fraction of the events that it is given; the slow ones get fewer.
    """

    prepare: Callable[[], None]
    command: list[str]
    settings: tuple[str, ...] = ()
    ours: bool = False
    share: float = 1


def prepare_python(name: str) -> Callable[[], None]:
    """Makes the virtual environment of an engine of the kit, from the pins that lie beside its worker."""

    def prepare() -> None:
        folder, pins = WORK / "venvs" / name, KIT / "engines" / name / "requirements.txt"
        if _is_of(folder, pins):
            return
        print(f"preparing the environment of {name}", file=sys.stderr, flush=True)
        _run([sys.executable, "-m", "venv", "--clear", folder])
        _run([_python(name), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", pins])
        _mark(folder, pins)

    return prepare


def prepare_kstreams() -> None:
    """Builds the engine in Java; its jars lie in `target/libs`."""
    folder = KIT / "engines" / "kstreams"
    if _is_of(folder / "target", folder / "pom.xml"):
        return
    print("building kstreams", file=sys.stderr, flush=True)
    _run(["mvn", "-q", "-B", "package", "dependency:copy-dependencies", "-DoutputDirectory=target/libs"], folder)
    _mark(folder / "target", folder / "pom.xml")


def _python(name: str) -> Path:
    return WORK / "venvs" / name / "bin" / "python"


def _worker(name: str) -> list[str]:
    return [str(_python(name)), str(KIT / "engines" / name / "worker.py")]


def _is_of(folder: Path, pins: Path) -> bool:
    marker = folder / ".of"
    return marker.exists() and marker.read_text() == pins.read_text()


def _mark(folder: Path, pins: Path) -> None:
    (folder / ".of").write_text(pins.read_text())


def _run(command: list[str | Path], folder: Path | None = None) -> None:
    """Run a step of a preparation; its output is shown only when it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _nothing() -> None:
    """Ours runs in the environment that runs this."""


_TARGET = KIT / "engines" / "kstreams" / "target"
_KSTREAMS = [
    "java",
    "-Xmx2g",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-cp",
    f"{_TARGET}/funnel-kstreams-2.jar:{_TARGET}/libs/*",
    "bench.FunnelBench",
]
_OURS = [sys.executable, "-m", "bench.worker"]

DRIVER = _python("raw")
"""The interpreter that runs the driver; ours is driven by our own, because its oracle is our `fold`."""

ENGINES = {
    "raw": Engine(prepare_python("raw"), _worker("raw")),
    "raw-pydantic": Engine(prepare_python("raw"), _worker("raw"), ("VALIDATE=1",)),
    "quixstreams": Engine(prepare_python("quixstreams"), _worker("quixstreams")),
    "kstreams": Engine(prepare_kstreams, _KSTREAMS),
    "funnelstream": Engine(_nothing, _OURS, ours=True),
    "funnelstream-two": Engine(_nothing, _OURS, ("WORKERS=2",), ours=True),
    "funnelstream-without-numbers": Engine(_nothing, _OURS, ("NUMBERS=off",), ours=True),
    "faust-mem": Engine(prepare_python("faust"), _worker("faust"), share=0.2),
    "faust-rocksdb": Engine(prepare_python("faust"), _worker("faust"), ("STORE=rocksdb://",), share=0.2),
}
"""By name; `funnelstream-two` is two workers of one application."""


def engine_of(name: str) -> Engine:
    """The engine behind a name, with or without `-long`.

    Raises:
        KeyError: There is none.
    """
    return ENGINES[name.removesuffix("-long")]


def events_of(name: str, events: int) -> int:
    """How many events an engine is given in a round of `events`."""
    return round(events * engine_of(name).share * (LONG if name.endswith("-long") else 1))


def prepare(names: list[str]) -> None:
    """Make what these engines and the driver need."""
    prepare_python("raw")()
    for name in names:
        engine_of(name).prepare()
