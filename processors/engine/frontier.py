"""How far a source partition has been read, as an instant of the brokers' clock (identity.md, Time).

A partition is caught up when the brokers, asked at T where it ends, named an offset and everything before that offset has been
taken: then everything that was there at T has been. While it is not, the newest event taken counts, and never as more than
Kafka's time of its record, so that a fact from the future moves nothing. Neither is later than the brokers' clock.
"""

import time
from collections.abc import Callable

_MICROSECONDS = 1_000_000
_NEVER = -1


class BrokersClock:
    """The brokers' time, as far as it is known here.

    The brokers said of each of our records when they appended it; since then the machine's monotonic clock has gone on. So
    nobody who sets this machine's clock moves it. Of several partitions, which may lie on several brokers, the slowest counts.
    """

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._ahead: dict[int, int] = {}

    def hear(self, partition: int, appended_at: int) -> None:
        """A record was appended to a partition of facts at this time, in microseconds."""
        self._ahead[partition] = appended_at - self._elapsed()

    def now(self) -> int:
        """Microseconds since the epoch, by no more than a record's way too early; 0 while no broker has said anything."""
        return min(self._ahead.values()) + self._elapsed() if self._ahead else 0

    def _elapsed(self) -> int:
        return int(self._monotonic() * _MICROSECONDS)


class Frontier:
    """Of one source partition, the open transaction included.

    Attributes:
        newest: Largest min(event time, Kafka time) taken, in microseconds; 0 while nothing was.
        telling: The watermark in the open transaction; else as `told`.
        told: The last watermark committed here, in microseconds; -1 before the first.
    """

    __slots__ = ("_complete", "_end", "_settled", "newest", "telling", "told")

    def __init__(self) -> None:
        self.newest = 0
        self.telling = self.told = _NEVER
        self._complete = 0
        self._end: tuple[int, int] | None = None
        self._settled = (0, 0)

    def ask(self) -> None:
        """The brokers are asked anew where the partition ends."""
        self._end = None

    def ends(self, offset: int, at: int) -> None:
        """The partition ended at `offset` when it was asked at the instant `at`, or later."""
        self._end = (offset, at)

    def reached(self, position: int) -> bool:
        """Everything before `position` is taken; returns whether that is all there was when the brokers were last asked."""
        if self._end is None or position < self._end[0]:
            return False
        self._complete = max(self._complete, self._end[1])
        return True

    def watermark(self, now: int) -> int:
        """The instant up to which it has been read; `now` by the brokers' clock."""
        return min(max(self._complete, self.newest), now)

    def settle(self, *, committed: bool) -> None:
        """The open transaction has ended: what was taken in it counts, or will be taken again."""
        if committed:
            self._settled = (self.newest, self._complete)
            self.told = self.telling
        else:
            self.newest, self._complete = self._settled
            self.telling = self.told
