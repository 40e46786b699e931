"""The read model: what was read of the topics, in files that are gone with the process, behind one thread that takes and answers.

Memory does not grow with what is in it. Taking and asking happen one after the other on that thread, so an answer never sees half
of a batch, and the event loop is never held up by either.
"""

import asyncio
import logging
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TypeVar

import msgspec

from processors.insights.committed import Batch, Record
from processors.insights.settings import InsightsSettings
from processors.metrics.days import ALWAYS, Span
from processors.metrics.outlines import FunnelOutline, SegmentOutline
from processors.projection.answers import Value
from processors.projection.journal import Journal, Lead, Transition, decode_lead, decode_transition
from processors.projection.projection import Projection
from processors.projection.records import Metric, decode_metric
from processors.projection.totals import SliceTotals, Totals
from schemas.instants import DAY, parse_instant

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

HANDLE = 16
"""Bytes of the handle of a subject."""


class ReadModel:
    """Numbers, transitions and snapshots.

    Attributes:
        changes: How often anything was taken; equal numbers mean equal answers.
        unreadable: Records that are not what their topic holds, by topic; they are left out.
    """

    def __init__(self, settings: InsightsSettings) -> None:
        """Begin empty."""
        self.changes = 0
        self.unreadable: Counter[str] = Counter()
        self._key = settings.handle_key
        self._topics = settings.topics
        self._keep = settings.outlines.keep
        self._days: dict[int, int] = {}
        self._days_at_first: dict[int, int] | None = None
        self._values: dict[tuple[str, str, str], tuple[int, list[Value]]] = {}
        self._thread = ThreadPoolExecutor(1, "read-model")
        with tempfile.TemporaryDirectory(prefix="funnelstream-insights-") as folder:  # the files live on until they are closed
            numbers, journal = (str(Path(folder) / name) for name in ("numbers", "journal"))
            self.projection = Projection(settings.outlines, settings.exchange, numbers)
            self.journal = Journal(self.handle, journal)

    @property
    def topics(self) -> tuple[str, ...]:
        """What is read."""
        return (self._topics.metrics, self._topics.transitions, self._topics.leads)

    def handle(self, identifier: str) -> bytes:
        """What stands for a subject in addresses."""
        return blake2b(identifier.encode("utf-8", "surrogatepass"), key=self._key, digest_size=HANDLE).digest()

    def values(self, outline: FunnelOutline, segment: SegmentOutline) -> list[Value]:
        """The values of a segment as they are shown; counted anew only where something has changed."""
        key = (outline.funnel, outline.grain, segment.name)
        changes, values = self._values.get(key, (-1, []))
        if changes != self.changes:
            values = self.projection.values(outline, segment)
            self._values[key] = self.changes, values
        return values

    def split(self, outline: FunnelOutline, segment: SegmentOutline, days: Span = ALWAYS) -> list[tuple[Value, SliceTotals]]:
        """A funnel by a segment: its values with who reached each place, and who stands there."""
        values = self.values(outline, segment)
        return [*zip(values, self.projection.split_totals(outline, values, days), strict=True)]

    def totals(self, outline: FunnelOutline) -> Totals:
        """Sums over all days, for counters.

        With `topics.keep_metrics` a facts partition folds days into the sum of all earlier ones when its own day turns. What it
        publishes then lies in many partitions and comes bit by bit: a day may still be here when the sum that has it is, or the
        reverse. So days that were folded since the first question count no more, whatever is still here of them: in between the
        totals are too small, never too large.
        """
        if self._keep is None:
            return self.projection.totals(outline, {})
        first = self._days_at_first = {**self._days} if self._days_at_first is None else self._days_at_first
        turned = {partition: day - self._keep for partition, day in self._days.items() if day > first.get(partition, -1)}
        return self.projection.totals(outline, turned)

    async def close(self) -> None:
        """Give back the files."""
        await self.ask(self.projection.close)
        await self.ask(self.journal.close)
        self._thread.shutdown()

    async def ask(self, question: Callable[[], Answer]) -> Answer:
        """An answer of the projection or the journal."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, question)

    async def take(self, batch: Batch) -> None:
        """Take a batch in."""
        if batch.records:
            await self.ask(partial(self.put, batch))

    def put(self, batch: Batch) -> None:
        """Take a batch in, on the thread of the read model."""
        topic = batch.place.topic
        self.changes += 1
        if topic == self._topics.metrics:
            self.projection.put(self._readable(batch, self._metric))
        elif topic == self._topics.transitions:
            self.journal.put_transitions(self._readable(batch, _transition))
        else:
            self.journal.put_leads(self._readable(batch, _lead))

    def _metric(self, record: Record) -> tuple[bytes, Metric | None] | None:
        if record.key is None:
            return None
        metric = None if record.value is None else decode_metric(record.value)
        if metric is not None and self._keep is not None and (time := _time_of(record)) is not None:
            day = parse_instant(time) // DAY
            self._days[metric.partition] = max(day, self._days.get(metric.partition, day))
        return record.key, metric

    def _readable(self, batch: Batch, read: Callable[[Record], Answer | None]) -> Iterable[Answer]:
        for record in batch.records:
            try:
                found = read(record)
            except (msgspec.MsgspecError, ValueError) as why:
                topic, partition = batch.place
                if not self.unreadable[topic]:
                    log.warning("%s[%d] at offset %d is left out: %s", topic, partition, record.offset, why)
                self.unreadable[topic] += 1
            else:
                if found is not None:
                    yield found


def _time_of(record: Record) -> str | None:
    """What a record says itself (`ce_time`, ISO 8601): when what it reaches to was appended. None: it says nothing."""
    times = (value for name, value in record.headers if name == "ce_time" and value is not None)
    return next((value.decode(errors="replace") for value in times), None)


def _transition(record: Record) -> tuple[Transition, bytes] | None:
    return None if record.value is None else (decode_transition(record.value), record.value)


def _lead(record: Record) -> tuple[bytes, Lead | None, bytes] | None:
    if record.key is None:
        return None
    return record.key, None if record.value is None else decode_lead(record.value), record.value or b""
