"""Ends the process when a transaction call does not come back (ER-15): with some outages librdkafka hangs past its own timeouts.

Nothing gentler would do: the thread that could abort is the one that hangs, and a restart is exact. Time is counted in ticks of
this thread and not by the clock, so that a process that was paused as a whole gets its call's time back.
"""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from processors.engine.stop import AGAIN

log = logging.getLogger(__name__)

_TICK = 0.5
"""Seconds."""


@dataclass
class _Call:
    name: str
    ticks: int


class Watchdog:
    """A thread that watches one call at a time."""

    def __init__(self) -> None:
        self._watched: _Call | None = None
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def start(self) -> None:
        """Begin to watch."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._ended.set()

    @contextmanager
    def limit(self, call: str, seconds: float) -> Iterator[None]:
        """End the process when the block takes longer than `seconds`; `call` names it in the log."""
        self._watched = _Call(call, max(2, round(seconds / _TICK)))
        try:
            yield
        finally:
            self._watched = None

    def _watch(self) -> None:
        while not self._ended.wait(_TICK):
            call = self._watched
            if call is None:
                continue
            call.ticks -= 1
            if call.ticks <= 0 and self._watched is call:
                log.critical("%s did not come back in time: ending the process. A restart is exact.", call.name)
                os._exit(AGAIN)
