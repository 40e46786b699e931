"""A clock that is wrong for one process, from its start or from some seconds after it, by libfaketime.

The library comes with the package `libfaketime` (the test extra, on Linux) or with the system. It is preloaded into the process
with what the clock is off by. Monotonic clocks are left alone, as they are when a machine's clock is set. On Linux librdkafka's
waits need a few lines of C besides (`cnd_timedwait.c`), compiled here: else they would last as long as the clock is ahead.
"""

import functools
import platform
import shutil
import subprocess
import tempfile
from importlib import util
from pathlib import Path

_WAITS = Path(__file__).with_name("cnd_timedwait.c")

_OF_SYSTEMS = (
    f"/usr/lib/{platform.machine()}-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
    "/opt/homebrew/lib/faketime/libfaketime.1.dylib",
    "/usr/local/lib/faketime/libfaketime.1.dylib",
)
DAY = 86_400.0
"""Seconds."""


def wrong_clock(off: float, jumps: float = 0, back: float | None = None) -> dict[str, str]:
    """The environment of a process whose clock is wrong.

    Args:
        off: Seconds that it is off by; below zero it is behind.
        jumps: Seconds after the start of the process at which it goes wrong; 0 for a clock that is wrong from the start.
        back: Seconds after the start at which it is right again; None for never.
    """
    environment = {
        "LD_PRELOAD" if platform.system() == "Linux" else "DYLD_INSERT_LIBRARIES": ":".join(map(str, _libraries())),
        "FAKETIME": f"{off:+.0f}",
        "DONT_FAKE_MONOTONIC": "1",
    }
    if jumps:
        environment["FAKETIME_START_AFTER_SECONDS"] = f"{jumps:.0f}"
    if back is not None:
        environment["FAKETIME_STOP_AFTER_SECONDS"] = f"{back:.0f}"
    return environment


@functools.cache
def _libraries() -> list[Path]:
    """What is preloaded, in this order."""
    if platform.system() != "Linux":
        return [_libfaketime()]
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    assert compiler, "the tests of the clock need a C compiler: install gcc or clang"
    waits = Path(tempfile.mkdtemp(prefix="funnelstream-clock-")) / "cnd_timedwait.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(waits), str(_WAITS)], check=True)
    return [waits, _libfaketime()]


def _libfaketime() -> Path:
    package = util.find_spec("libfaketime")
    own = package.submodule_search_locations if package else None
    of_package = [Path(folder) / "vendor/libfaketime/src/libfaketime.so.1" for folder in own or ()]
    there = [path for path in (*of_package, *map(Path, _OF_SYSTEMS)) if path.exists()]
    assert there, "the tests of the clock need libfaketime: `pip install libfaketime` on Linux, or your system's package"
    return there[0]
