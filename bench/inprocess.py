"""The two halves of the topology over the job's input, without Kafka: what a record costs in `ingest` and a fact in `advance`.

The input lies in four partitions as the driver lays it, and is taken from them in turns, some records of each, as a worker that
catches up takes it. Facts of a batch go on in the order of their event times and are advanced over a store on disk that is
written once per batch, as in `processors/engine/processing.py`. What is published is encoded and goes nowhere.
Times are CPU seconds of this thread, so that others on the machine disturb them little.
"""

import cProfile
import pstats
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from zlib import crc32

from bench.job import PARTITIONS, partitioned, program
from bench.processes import folder_mb
from processors.sources.statement import SourceRecord
from processors.state.overlay import Overlay
from processors.state.store import DiskStore, Label
from processors.topology.effects import FactsRecord, Publish
from processors.topology.topology import Topology

STAMP = 1_767_225_600_000_000 + 365 * 86_400_000_000  # Kafka's time of every record: a year after the events
BATCH = 10_000
"""Records of a transaction."""


def measure(events: int, chunk: int, profile: Path | None = None) -> None:
    """Print the cost per event and per fact.

    Args:
        events: How many events of the job.
        chunk: Records taken from a partition before the next one's turn: the larger, the more facts come late.
        profile: Where cProfile's figures go; without it nothing slows the pass.
    """
    records = list(_taken_in_turns(events, chunk))
    with tempfile.TemporaryDirectory(prefix="funnelstream-bench-") as folder:
        store = DiskStore(Path(folder) / "store", Label("bench", PARTITIONS))
        passing = _Pass(Topology(program()), store)
        if profile is None:
            passing.take(records)
        else:
            profiler = cProfile.Profile()
            profiler.runcall(passing.take, records)
            profiler.dump_stats(profile)
            pstats.Stats(profiler).sort_stats("tottime").print_stats(40)
        passing.show()
        store.close()
        print(f"{'store':10}{folder_mb(Path(folder)):8.1f} MB on disk")


def _taken_in_turns(events: int, chunk: int) -> Iterator[SourceRecord]:
    """The input in the order in which a worker takes it: random over the partitions, which are read `chunk` records at a time."""
    partitions = partitioned(events)
    for start in range(0, max(map(len, partitions)), chunk):
        for partition, values in enumerate(partitions):
            for offset, value in enumerate(values[start : start + chunk], start):
                yield SourceRecord("web", "in", partition, offset, STAMP, None, value, ())


class _Pass:
    """One pass over records, a batch at a time, with a clock for each half and for the store."""

    def __init__(self, topology: Topology, store: DiskStore) -> None:
        self._topology = topology
        self._store = store
        self._overlays = [Overlay(store, partition) for partition in range(PARTITIONS)]
        self._events = self._facts = self._rows = self._row_bytes = self._fact_bytes = 0
        self._published: Counter[str] = Counter()
        self._published_bytes: Counter[str] = Counter()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._counts: Counter[str] = Counter()

    def take(self, records: Sequence[SourceRecord]) -> None:
        """Pass all records."""
        for start in range(0, len(records), BATCH):
            began = time.thread_time()
            facts = self._ingest(records[start : start + BATCH])
            ingested = time.thread_time()
            published = self._advance(facts)
            advanced = time.thread_time()
            self._apply()
            self._seconds["ingest"] += ingested - began
            self._seconds["advance"] += advanced - ingested
            self._seconds["store"] += time.thread_time() - advanced
            self._fact_bytes += sum(map(_size, facts))
            for record in published:
                self._published[record.topic] += 1
                self._published_bytes[record.topic] += _size(record)

    def _ingest(self, records: Sequence[SourceRecord]) -> list[Publish]:
        published: list[Publish] = []
        for record in records:
            published += self._topology.ingest(record).published
        published.sort(key=lambda fact: fact.event_time or 0)
        self._events += len(records)
        return published

    def _advance(self, facts: Sequence[Publish]) -> list[Publish]:
        published: list[Publish] = []
        snapshots: dict[bytes, Publish] = {}
        for offset, fact in enumerate(facts, self._facts):
            partition = crc32(fact.key or b"") % PARTITIONS
            overlay = self._overlays[partition]
            effects = self._topology.advance(FactsRecord(fact.value or b"", partition, offset, STAMP), overlay)
            if effects.rows:
                overlay.put(effects.rows)
            snapshots.update(effects.snapshots)
            published += effects.published
            self._counts.update(" ".join(count) for count in effects.counts)
        self._facts += len(facts)
        return [*published, *snapshots.values()]

    def _apply(self) -> None:
        self._store.apply({partition: overlay.pending for partition, overlay in enumerate(self._overlays)}, {})
        for overlay in self._overlays:
            self._rows += len(overlay.pending)
            self._row_bytes += sum(len(key) + len(value or b"") for key, value in overlay.pending.items())
            overlay.clear()

    def show(self) -> None:
        """Print what the pass took, and what came of it."""
        seconds = sum(self._seconds.values())
        print(f"{self._events} events in {seconds:.2f} s, {self._events / seconds:.0f} events/s, {self._facts} facts")
        for part, among, unit in (
            ("ingest", self._events, "event"),
            ("advance", self._facts, "fact"),
            ("store", self._facts, "fact"),
        ):
            print(f"{part:10}{self._seconds[part]:8.2f} s {1e6 * self._seconds[part] / among:8.2f} us per {unit}")
        print(f"{'facts':10}{self._facts:8}   {self._fact_bytes / self._facts:8.0f} bytes each")
        print(f"{'rows':10}{self._rows:8}   {self._row_bytes / self._facts:8.0f} bytes per fact, written")
        for kind, (count, size) in sorted(self._kept().items()):
            print(f"  kept {kind:3}{count:8}   {size / count:8.0f} bytes each")
        for topic, count in self._published.items():
            print(f"{topic:12}{count:6}   {self._published_bytes[topic] / count:8.0f} bytes each")
        for name, count in sorted(self._counts.items()):
            print(f"  {name:44} {count:8}")

    def _kept(self) -> dict[str, tuple[int, int]]:
        """How many rows of each kind are left in the store, and their bytes: what compaction leaves of the changelog."""
        kept: dict[str, tuple[int, int]] = {}
        for partition in range(PARTITIONS):
            for key, value in self._store.scan(partition, b""):
                count, size = kept.get(kind := chr(key[0]), (0, 0))
                kept[kind] = count + 1, size + len(key) + len(value)
        return kept


def _size(record: Publish) -> int:
    """Bytes of key, value and headers."""
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers
