"""How far the topics are read, and whether anybody answers: what `/readyz` and every page say of the numbers they show.

Ready is who has read up to the ends that the topics had when it began. The numbers are as of the time up to which every
partition is read, so one that is behind holds them all back. A partition is read up to the newest record taken of it, or up to
when Kafka was last asked for its end and nothing was missing, whichever is later.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from faust.types import TP

from processors.engine.stop import AGAIN, Stop
from processors.insights.committed import Batch
from schemas.instants import MILLISECOND


class Status(NamedTuple):
    """What is known at one moment. Instants in microseconds.

    Attributes:
        ready: Everything was read that was there at the start.
        behind: Offsets between what is read and the committed end, when it was last asked; None: not known yet.
        wanted: Offsets that the start asks for.
        reached: How many of them are read.
        as_of: Until when every partition is read; None: of one of them it is not known yet.
        silent_since: Since when Kafka has not answered; None: it does.
    """

    ready: bool
    behind: int | None
    wanted: int
    reached: int
    as_of: int | None
    silent_since: int | None


class Progress:
    """Keeps count for one reader.

    Attributes:
        taken: The next offset of every partition whose records were taken.
        records: Records taken, by topic.
    """

    def __init__(self) -> None:
        self.taken: dict[TP, int] = {}
        self.records: dict[str, int] = {}
        self._starts: dict[TP, int] = {}
        self._first_ends: dict[TP, int] | None = None
        self._ends: dict[TP, int] = {}
        self._read_until: dict[TP, int] = {}
        self._asked_at = 0
        self._silent_since: int | None = None
        self._ready = False

    def missing(self, batch: Batch) -> Batch | None:
        """The part of a batch that was not taken yet: after a rebalance some of it is read a second time.

        Returns:
            None where records between what was taken and this batch were never handed over: they must be read again first.
        """
        taken = self.taken.get(batch.place)
        if taken is None or batch.read_from == taken:
            return batch
        if batch.read_from is None or batch.read_from < taken:
            return batch._replace(records=tuple(each for each in batch.records if each.offset >= taken))
        return None

    def take(self, batch: Batch) -> None:
        """A batch is in the read model."""
        topic = batch.place.topic
        self.taken[batch.place] = max(batch.read_to, self.taken.get(batch.place, 0))
        self._starts.setdefault(batch.place, _start(batch))
        self.records[topic] = self.records.get(topic, 0) + len(batch.records)
        if batch.records:
            self._complete(batch.place, batch.records[-1].timestamp * MILLISECOND)
        self._at_end(batch.place)

    def answered(self, ends: Mapping[TP, int], taken: Mapping[TP, int], asked_at: int) -> bool:
        """Kafka has said where the committed records end; returns whether it had been silent.

        Args:
            ends: By partition.
            taken: What was taken when it was asked.
            asked_at: When that was, in microseconds.

        Raises:
            Stop: A topic ends before what was taken of it, so it is another topic of that name.
        """
        for place, end in ends.items():
            if end < taken.get(place, 0):
                raise Stop(
                    AGAIN,
                    f"{place.topic}[{place.partition}] ends at offset {end}, but was read up to {taken[place]}: the topic "
                    "was deleted and made anew. Start again: every start reads the whole topics.",
                )
        was_silent, self._silent_since = self._silent_since is not None, None
        self._ends, self._asked_at = dict(ends), asked_at
        for place in ends:
            self._at_end(place)
        if self._first_ends is None:
            self._first_ends = dict(ends)
        return was_silent

    def silent(self, now: int) -> bool:
        """Kafka has not answered; returns whether it had before."""
        first = self._silent_since is None
        self._silent_since = self._silent_since or now
        return first

    def status(self) -> Status:
        """What is known now."""
        first = self._first_ends
        wanted = reached = 0
        for place, end in (first or {}).items():
            start = min(self._starts.get(place, 0), end)
            wanted += end - start
            reached += min(self.taken.get(place, start), end) - start
        self._ready = self._ready or (first is not None and reached == wanted)
        behind = None if first is None else sum(max(end - self.taken.get(place, 0), 0) for place, end in self._ends.items())
        known = [self._read_until[place] for place in self._ends if place in self._read_until]
        as_of = min(known, default=None) if len(known) == len(self._ends) else None
        return Status(self._ready, behind, wanted, reached, as_of, self._silent_since)

    def _at_end(self, place: TP) -> None:
        """What is read to its end is complete until that was asked for, however old its newest record is."""
        end = self._ends.get(place)
        if end is not None and self.taken.get(place, 0) >= end:
            self._complete(place, self._asked_at)

    def _complete(self, place: TP, until: int) -> None:
        self._read_until[place] = max(until, self._read_until.get(place, until))


def _start(batch: Batch) -> int:
    """Where the first batch of a partition begins; from the beginning of the log that is its first record, if it has one."""
    if batch.read_from is not None:
        return batch.read_from
    return batch.records[0].offset if batch.records else batch.read_to


class Clock:
    """How far time has come for those who ask: as far as the numbers are complete, or now while that is not known."""

    def __init__(self, progress: Progress, now: Callable[[], int]) -> None:
        """Make a clock.

        Args:
            progress: Which knows how far the numbers are complete.
            now: The time of this machine, in microseconds.
        """
        self._progress = progress
        self._now = now

    def as_of(self) -> int:
        """In microseconds."""
        as_of = self._progress.status().as_of
        return self._now() if as_of is None else as_of
