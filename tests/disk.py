"""A disk for stores that tests fill up, make read-only, and give back.

Where this process may mount, it is a small file system in memory, and the worker meets the real thing (ENOSPC, EROFS). Where not,
the folder is an ordinary one: no file of the worker may grow beyond a limit (EFBIG), and its folders lose their write bits.
"""

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Protocol

_SMALL = 12 << 20
"""Bytes: less than RocksDB reserves for a log, or the log would be written into what is reserved while the disk is full."""
_LARGEST_FILE = 24 << 10
_BLOCK = 4096


class Disk(Protocol):
    """Holds the stores of workers.

    Attributes:
        folder: Where they go.
        prefix: What a worker's command must begin with.
    """

    folder: Path
    prefix: list[str]

    def fill(self) -> None:
        """Leave no room."""
        ...

    def make_room(self) -> None:
        """Take back what `fill` did."""
        ...

    def protect(self) -> None:
        """Make it read-only."""
        ...

    def unprotect(self) -> None:
        """Let it be written again."""
        ...

    def remove(self) -> None:
        """Take it away."""
        ...


class MemoryDisk:
    """A tmpfs of some MiB."""

    def __init__(self, folder: Path, size: int) -> None:
        """Mount; raises `CalledProcessError` or `FileNotFoundError` where that is not allowed."""
        folder.mkdir(parents=True)
        self.folder = folder
        self.prefix: list[str] = []
        self._ballast = folder / "ballast"
        self._full = False
        _run("mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder))

    def fill(self) -> None:
        self._full = True
        with contextlib.suppress(OSError), self._ballast.open("wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(_BLOCK))

    def make_room(self) -> None:
        self._full = False
        with contextlib.suppress(OSError):  # while it is read-only, this waits for `unprotect`
            self._ballast.unlink(missing_ok=True)

    def protect(self) -> None:
        _run("mount", "-o", "remount,ro", str(self.folder))

    def unprotect(self) -> None:
        _run("mount", "-o", "remount,rw", str(self.folder))
        if not self._full:
            self.make_room()

    def remove(self) -> None:
        _run("umount", "-l", str(self.folder))


class LimitedFolder:
    """A folder whose limits are those of the worker's process and of its mode."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.prefix: list[str] = []

    def fill(self) -> None:
        self.prefix[:] = ["sh", "-c", f'ulimit -f {_LARGEST_FILE // 512}; exec "$@"', "sh"]

    def make_room(self) -> None:
        self.prefix.clear()

    def protect(self) -> None:
        assert os.geteuid() != 0, "no mode keeps root from writing: run as another user, or where root may mount"
        self._set_mode(0o555)

    def unprotect(self) -> None:
        self._set_mode(0o755)

    def remove(self) -> None:
        self.unprotect()

    def _set_mode(self, mode: int) -> None:
        for folder, _, _ in os.walk(self.folder):
            Path(folder).chmod(mode)


def small_disk(folder: Path, size: int = _SMALL) -> Disk:
    """A disk mounted at a folder that does not exist yet, or what comes closest to one here."""
    try:
        return MemoryDisk(folder, size)
    except (subprocess.CalledProcessError, FileNotFoundError):
        folder.rmdir()
        return LimitedFolder(folder)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True)
