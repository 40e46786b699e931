"""Opens the store of this instance on disk, once no other process holds its folder.

The lock is taken while the loop already polls: joining the group is what ends an older process of the same instance (ER-4),
and until it is gone its folder must not be touched.
"""

import fcntl
import logging
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

from processors.engine.preflight import Ready
from processors.engine.settings import EngineSettings
from processors.engine.stop import AGAIN, ENVIRONMENT, Stop
from processors.state.rows import Damaged, Store, Unwritable
from processors.state.store import DiskStore, Label

log = logging.getLogger(__name__)

_PATIENCE = 30.0
"""Seconds: an older process of this instance hears that it is fenced within its heartbeat interval, 3 s."""


class _Held(Exception):
    """Another process holds a store; the message is its id."""


def stores_of(folder: Path) -> list[Path]:
    """The stores of an application on this machine, by their folders.

    Args:
        folder: Where all of its instances keep theirs.

    Raises:
        Stop: A process holds one of them.
    """
    stores = sorted(path for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    for store in stores:
        _take(store).close()
    return stores


def delete_store(store: Path) -> None:
    """Delete a store that no process holds; one that is not there is fine.

    Raises:
        Stop: A process holds it, or it cannot be deleted.
    """
    try:
        with _take(store):
            shutil.rmtree(store)
    except FileNotFoundError:
        return
    except OSError as why:
        raise Stop(ENVIRONMENT, f"the store at {store} cannot be deleted: {why}") from why


class Storehouse:
    """The store of a worker, opened when it is first needed."""

    def __init__(self, settings: EngineSettings, ready: Ready) -> None:
        """Say where the store is.

        Args:
            settings: Names its folder.
            ready: The topics that it is a cache of.
        """
        self._path = settings.store_path
        self._label = Label(settings.application, ready.partitions, ready.changelog_id)
        self._lock: IO[str] | None = None
        self._store: DiskStore | None = None
        self._waits_since: float | None = None

    @property
    def store(self) -> Store:
        """The open store."""
        assert self._store is not None, "rows are asked for before the store is open"
        return self._store

    @property
    def is_open(self) -> bool:
        """Whether the store is open."""
        return self._store is not None

    def ready(self) -> bool:
        """Open the store if no other process holds it.

        Returns:
            Whether the store is open now.

        Raises:
            Stop: Another process holds it and does not go, or the folder cannot be written.
        """
        if self._store is not None:
            return True
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if not self._locked():
                return False
            self._store = DiskStore(self._path, self._label)
        except OSError as why:
            raise self._unwritable(why) from why
        return True

    def close(self) -> None:
        """Close the store and let the folder go."""
        if self._store is not None:
            try:
                self._store.close()
            except Damaged as why:
                log.warning("%s", self.give_up(why).sentence)
            self._store = None
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def give_up(self, why: Damaged) -> Stop:
        """Delete a store that cannot be read any more, keep one that only cannot be written; returns the end of this process.

        Either way what the last commit made of the rows is in the changelog, and the next start restores what is missing (ER-26).
        """
        store, self._store = self._store, None
        if isinstance(why, Unwritable):
            if store is not None:
                with suppress(Damaged):
                    store.close()
            return self._unwritable(why)
        if store is not None:
            store.delete()
        return Stop(AGAIN, f"the store at {self._path} is damaged ({why}) and was deleted; the next start restores it")

    def _unwritable(self, why: Exception) -> Stop:
        return Stop(
            ENVIRONMENT,
            f"the store at {self._path} cannot be written: {why}. Make room on its disk, or let this user write to state.path, "
            "then start again: nothing is lost, the store is kept and what it lacks is restored",
        )

    def _locked(self) -> bool:
        try:
            lock = _lock(self._path)
        except _Held as held:
            self._wait_for(str(held))
            return False
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        self._lock = lock
        return True

    def _wait_for(self, holder: str) -> None:
        now = time.monotonic()
        if self._waits_since is None:
            self._waits_since = now
            log.warning("store %s is held by process %s: waiting until it is gone", self._path, holder)
        if now - self._waits_since > _PATIENCE:
            raise Stop(
                ENVIRONMENT,
                f"the store at {self._path} is held by process {holder}, which does not end: end it, or give this "
                "worker its own --instance",
            )


def _lock(store: Path) -> IO[str]:
    """The lock of a store's folder, held until it is closed; raises `_Held` when another process has it."""
    lock = store.with_name(store.name + ".lock").open("a+")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as why:
        lock.seek(0)
        holder = lock.read().strip()
        lock.close()
        raise _Held(holder) from why
    return lock


def _take(store: Path) -> IO[str]:
    """The lock of a store that is to be deleted."""
    try:
        return _lock(store)
    except _Held as held:
        raise Stop(
            ENVIRONMENT, f"the store at {store} is held by process {held}: stop that worker, then run this again"
        ) from held
