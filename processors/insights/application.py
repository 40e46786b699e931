"""The Faust application: one agent that takes what was read of the published topics into the read model, in order.

It writes nothing to Kafka: there are no tables, so no changelog; no leader is chosen, so there is no leader's topic; topics may
not be declared, and no producer is started. Nor does it write to the folder where it runs. What goes wrong ends the process with
an exit code: Faust by itself would log an exception of an agent, and go on without the records.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import faust
from faust.app.base import BootStrategy
from faust.types import StreamT

from processors.engine.stop import AGAIN, Stop
from processors.insights.committed import AsTheyCome, Batch, Transport
from processors.insights.progress import Progress

log = logging.getLogger(__name__)

_BUFFERED = 8
"""Batches that wait for the agent."""
_ASK_EVERY = 2.0
_ANSWER_WITHIN = 5.0
"""Seconds."""


class _ReadOnly(BootStrategy):
    """What is started of Faust: no producer, no web server."""

    enable_kafka_producer = False
    enable_web = False


class _App(faust.App):
    BootStrategy = _ReadOnly
    logger = logging.getLogger("faust.app")

    def _create_directories(self) -> None:
        """Make none: they are for tables, and it would make them where it runs, which may be read-only."""


class Reader:
    """Reads topics for as long as it runs."""

    def __init__(
        self,
        group: str,
        topics: tuple[str, ...],
        settings: Mapping[str, Any],
        progress: Progress,
        take: Callable[[Batch], Awaitable[None]],
    ) -> None:
        """Make the application; nothing is connected yet.

        Args:
            group: The consumer group.
            topics: What is read.
            settings: Of aiokafka's consumer.
            progress: What is told how far it is.
            take: Takes a batch into the read model.
        """
        self._topics = topics
        self._progress = progress
        self._take = take
        self._let_in = False
        self._fault: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._app = _App(
            group,
            topic_allow_declare=False,
            topic_disable_leader=True,
            stream_buffer_maxsize=_BUFFERED,
            stream_wait_empty=False,
            broker_session_timeout=10.0,
            Monitor=None,
        )
        self._app.transport = Transport(self._app, settings, progress.taken)
        channel = self._app.topic(*topics, schema=AsTheyCome(), acks=False)
        self._app.agent(channel, name="read_model")(self._agent)

    async def run(self) -> None:
        """Read until cancelled.

        Raises:
            Stop: A restart would help.
        """
        tasks = [asyncio.create_task(each) for each in (self._read(), self._until_faust_ends())]
        try:
            await self._fault
        finally:
            for task in tasks:
                task.cancel()
            await self._app.stop()

    async def _read(self) -> None:
        try:
            await self._app.start()
        except Exception as fault:
            self._end(fault)
        else:
            await self._ask()

    async def _agent(self, stream: StreamT[Batch]) -> None:
        async for batch in stream:
            try:
                new = self._progress.missing(batch)
                if new is None:  # Faust drops what was fetched when the group's generation changes meanwhile
                    await self._app.consumer.seek_wait({batch.place: self._progress.taken[batch.place]})
                    continue
                await self._take(new)
                self._progress.take(new)
            except Exception as fault:
                self._end(fault)
                await self._app.wait_until_stopped()  # what comes behind must not be taken, and Faust has nothing to say to it

    async def _ask(self) -> None:
        """Ask again and again where the committed records end: how far behind the read model is, and whether Kafka answers."""
        while True:
            try:
                await self._ask_once()
            except Stop as fault:
                self._end(fault)
            except Exception as why:
                if self._progress.silent(time.time_ns() // 1_000):
                    log.warning(
                        "Kafka does not answer (%s: %s); the numbers stay as they are until it does", type(why).__name__, why
                    )
            await asyncio.sleep(_ASK_EVERY)

    async def _ask_once(self) -> None:
        consumer = self._app.consumer
        assigned = consumer.assignment()
        if gone := {*self._topics} - {place.topic for place in assigned}:
            if self._let_in:
                raise LookupError(f"no partition of {', '.join(sorted(gone))} is there")
            return  # the group has not let it in yet
        self._let_in = True
        taken = dict(self._progress.taken)  # while brokers answer one after the other, reading goes on behind what some have said
        asked_at = time.time_ns() // 1_000
        ends = await asyncio.wait_for(consumer.highwaters(*assigned), _ANSWER_WITHIN)
        if self._progress.answered(ends, taken, asked_at):
            log.info("Kafka answers again")

    async def _until_faust_ends(self) -> None:
        """Faust stops by itself when one of its services fails; nobody would read any more then."""
        await self._app.wait_until_stopped()
        reason = self._app.crash_reason
        self._end(
            Stop(
                AGAIN,
                f"reading has ended by itself ({type(reason).__name__}: {reason}). Start again; if it ends so again, "
                "look at the permissions and the brokers.",
            )
        )

    def _end(self, fault: BaseException) -> None:
        if not self._fault.done():
            self._fault.set_exception(fault)
