"""Runs insights as a process: a server that answers from the first moment, a reader behind it, signals in, an exit code out."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Callable, Coroutine
from typing import Any

from processors.engine.stop import AGAIN, BUG, ExitCode, Stop
from processors.insights.application import Reader
from processors.insights.client_settings import reader_settings
from processors.insights.progress import Progress
from processors.insights.read_model import ReadModel
from processors.insights.server import Server
from processors.insights.settings import InsightsSettings, check_address

log = logging.getLogger(__name__)

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_GRACE = 9.5
"""Seconds from the first signal to the end, whatever happens; there is nothing to lose."""
Contact = Callable[[Callable[[], None]], None]


class _Told(Exception):
    """A signal has come."""


def run_process(settings: InsightsSettings, contact: Contact) -> ExitCode:
    """Serve until told to end.

    Args:
        settings: What insights was told.
        contact: Makes the first contact with the brokers: raises `Stop` with the reason where they let nobody in, or a topic is
            not there; calls what it is given between its tries.

    Returns:
        The process's exit code; what went wrong is in the log, in a sentence.
    """
    try:
        check_address(settings)
        asyncio.run(_serve(settings, contact))
    except Stop as stop:
        log.error("%s", stop.sentence)
        return stop.code
    except _Told:
        return 0
    except Exception as bug:
        log.error("a bug in funnelstream: %s: %s", type(bug).__name__, bug)
        log.debug("the exception in full", exc_info=bug)
        return BUG
    return 0


async def _serve(settings: InsightsSettings, contact: Contact) -> None:
    client = reader_settings(settings.kafka)
    told = _listen_to_signals()
    progress, model = Progress(), ReadModel(settings)
    server = Server(settings, model, progress, lambda: time.time_ns() // 1_000)
    try:
        host, port = await server.listen()
        shown = f"[{host}]" if ":" in host else host
        log.info("pages, API and metrics at http://%s:%d", shown, port)
        await _unless(told, asyncio.to_thread(contact, lambda: _raise_if(told)))
        reader = Reader(settings.group, model.topics, client, progress, model.take)
        await _unless(told, reader.run())
    finally:
        await server.close()
        await model.close()


def _listen_to_signals() -> asyncio.Event:
    """What is set by the first signal; a second one ends at once, and so does an end that takes too long."""
    told, loop = asyncio.Event(), asyncio.get_running_loop()

    def leave() -> None:
        log.error("ending without leaving the group")
        os._exit(AGAIN)

    def note(number: signal.Signals) -> None:
        if told.is_set():
            leave()
        log.info("%s: leaving; a second one ends at once", number.name)
        told.set()
        loop.call_later(_GRACE, leave)

    for number in _SIGNALS:
        loop.add_signal_handler(number, note, number)
    return told


async def _unless(told: asyncio.Event, doing: Coroutine[Any, Any, None]) -> None:
    """Wait for what is being done, or stop it when a signal comes."""
    task, waiting = asyncio.create_task(doing), asyncio.create_task(told.wait())
    try:
        await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            await asyncio.wait((task,))
        if told.is_set():
            raise _Told
        task.result()
    finally:
        waiting.cancel()


def _raise_if(told: asyncio.Event) -> None:
    if told.is_set():
        raise _Told
