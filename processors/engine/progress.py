"""Shows how a restore goes on, and says why one does not (ER-24)."""

import logging
import time
from collections.abc import Iterable

from confluent_kafka import IsolationLevel, KafkaException, TopicPartition

from processors.engine.admin import AdminClient, OffsetSpec
from processors.engine.lanes import Place
from processors.engine.metrics import Metrics
from processors.engine.stop import ENVIRONMENT, Stop

log = logging.getLogger(__name__)

_EVERY = 2.0
"""Seconds between two lines."""
_ASKED_FOR = 5.0


class Progress:
    """A line every two seconds and a gauge, over all partitions that are being restored."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._began = 0.0
        self._shown_at = 0.0
        self._shown_offsets = 0

    def show(self, partitions: Iterable[tuple[int, int, int]]) -> None:
        """Take the state of the restore.

        Args:
            partitions: Per partition its first offset, the offset reached, and the end.
        """
        now = time.monotonic()
        if self._began == 0.0:
            self._began = self._shown_at = now
            self._shown_offsets = 0
        done = total = 0
        for start, position, end in partitions:
            done += position - start
            total += max(end - start, 0)
        share = done / total if total else 1.0
        self._metrics.restore_progress.set(min(share, 1.0))
        if now - self._shown_at < _EVERY:
            return
        rate = max(done - self._shown_offsets, 0) / (now - self._shown_at)
        log.info("restoring: %d of %d records (%.0f %%), %.0f records/s", done, total, 100 * share, rate)
        self._shown_at, self._shown_offsets = now, done

    def end(self) -> None:
        """All partitions are restored."""
        if self._began:
            self._metrics.restore_progress.set(1)
            self._metrics.restore_seconds.inc(time.monotonic() - self._began)
            self._began = 0.0


def no_progress(admin: AdminClient, place: Place, position: int, end: int, patience: float) -> Stop:
    """Tell a truncated log from a hanging transaction, and from brokers that do not answer."""
    what = f"restoring {place[0]} partition {place[1]}: stuck at offset {position} of {end} for {patience:.0f} s"
    try:
        newest = _end(admin, place, IsolationLevel.READ_UNCOMMITTED)
        stable = _end(admin, place, IsolationLevel.READ_COMMITTED)
    except KafkaException as raised:
        return Stop(ENVIRONMENT, f"{what}, and the brokers do not say why: {raised}")
    if newest < 0 or stable < 0:
        return Stop(ENVIRONMENT, f"{what}, and the brokers do not say why in time")
    if newest < end:
        return Stop(
            ENVIRONMENT, f"{what}: the log was truncated and ends at {newest} now; an unclean leader election loses records"
        )
    if stable < end:
        return Stop(
            ENVIRONMENT,
            f"{what}: a hanging transaction holds readers back at offset {stable}. If this comes again, brokers have lost its "
            "end: docs/operations.md#a-transaction-hangs",
        )
    return Stop(ENVIRONMENT, f"{what}, although offset {stable} can be read: check the brokers, then start again")


def _end(admin: AdminClient, place: Place, isolation: IsolationLevel) -> int:
    asked = {TopicPartition(*place): OffsetSpec.latest()}  # type: ignore[no-untyped-call]
    futures = admin.list_offsets(asked, isolation_level=isolation, request_timeout=_ASKED_FOR)
    offset: int = next(iter(futures.values())).result(_ASKED_FOR + 1).offset
    return offset
