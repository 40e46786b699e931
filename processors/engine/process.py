"""Runs a worker as a process: signals in, exit code and one clear line out.

Signals are waited for on a thread of their own: the main thread may be inside a call of librdkafka for seconds, where Python
could not run a handler.
"""

import gc
import logging
import os
import signal
import threading

from processors.engine.stop import AGAIN, BUG, ExitCode, Stop
from processors.engine.worker import Worker

log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_GRACE = 9.5
"""Seconds from the first signal to the end, whatever happens (ER-28): kill -9 is safe, too."""


def run_process(worker: Worker) -> ExitCode:
    """Run a worker on the main thread until it ends or is told to.

    Returns:
        The process's exit code; what went wrong is in the log, in a sentence.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # before any thread starts, so that all of them inherit it
    threading.Thread(target=_wait_for_signals, args=(worker,), name="signals", daemon=True).start()
    gc.freeze()  # what starting has made stays to the end: no collection need walk it again
    gc.set_threshold(50_000)  # most of what a transaction makes ends with it, so that walking it halfway finds nothing to collect
    try:
        worker.run()
    except Stop as stop:
        log.error("%s", stop.sentence)
        return stop.code
    except Exception as bug:
        log.error("a bug in funnelstream: %s: %s", type(bug).__name__, bug)
        log.debug("the exception in full", exc_info=bug)
        return BUG
    return 0


def _wait_for_signals(worker: Worker) -> None:
    first = signal.sigwait(_SIGNALS)
    log.info("%s: committing and leaving; a second one ends at once", signal.Signals(first).name)
    worker.stop()
    signal.sigtimedwait(_SIGNALS, _GRACE)
    log.error("ending without leaving; what was not committed will be read again")
    os._exit(AGAIN)
