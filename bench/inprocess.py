"""The two halves of the topology over the job's input, without Kafka: what a record costs in `ingest` and a fact in `advance`.

The input lies in four partitions as the driver lays it, and is taken from them in turns, some records of each, as a worker that
catches up takes it. Facts of a batch go on in the order of their event times and are advanced over a store on disk that is
written once per batch, as in `processors/engine/processing.py`. Nothing is published: encoding is in the figures, producing is not.
"""

import cProfile
import pstats
import random
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from bench.job import PARTITIONS, events_file, program
from processors.sources.statement import SourceRecord
from processors.state.overlay import Overlay
from processors.state.store import DiskStore, Label
from processors.topology.effects import FactsRecord, Publish
from processors.topology.topology import Topology

STAMP = 1_767_225_600_000_000 + 365 * 86_400_000_000  # Kafka's time of every record: a year after the events
BATCH = 10_000
"""Records of a transaction."""


class Passed(NamedTuple):
    """What a pass over the input took, and what came of it."""

    events: int
    facts: int
    ingest_seconds: float
    advance_seconds: float
    store_seconds: float
    counts: Counter[str]
    rows: int
    changelog_bytes: int
    output_bytes: int


def measure(events: int, chunk: int, profile: Path | None = None) -> None:
    """Print the cost per event and per fact.

    Args:
        events: How many events of the job.
        chunk: Records taken from a partition before the next one's turn: the larger, the more facts come late.
        profile: Where cProfile's figures go; without it nothing slows the pass.
    """
    records = list(_taken_in_turns(events, chunk))
    topology = Topology(program())
    with tempfile.TemporaryDirectory(prefix="funnelstream-bench-") as folder:
        store = DiskStore(Path(folder) / "store", Label("bench", PARTITIONS))
        if profile is not None:
            with cProfile.Profile() as profiler:
                passed = _pass(topology, store, records)
            profiler.dump_stats(profile)
            pstats.Stats(profiler).sort_stats("tottime").print_stats(40)
        else:
            passed = _pass(topology, store, records)
        store.close()
    _print(passed)


def _taken_in_turns(events: int, chunk: int) -> Iterator[SourceRecord]:
    """The input in the order in which a worker takes it: random over the partitions, which are read `chunk` records at a time."""
    partitions: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
    chosen = random.Random(events)
    with events_file(events).open("rb") as lines:
        for line in lines:
            partitions[chosen.randrange(PARTITIONS)].append(line[:-1])
    for start in range(0, max(map(len, partitions)), chunk):
        for partition, values in enumerate(partitions):
            for offset, value in enumerate(values[start : start + chunk], start):
                yield SourceRecord("web", "in", partition, offset, STAMP, None, value, ())


def _pass(topology: Topology, store: DiskStore, records: list[SourceRecord]) -> Passed:
    overlays = [Overlay(store, partition) for partition in range(PARTITIONS)]
    counts: Counter[str] = Counter()
    ingesting = advancing = storing = 0.0
    facts = rows = changelog = output = 0
    for start in range(0, len(records), BATCH):
        began = time.perf_counter()
        published: list[Publish] = []
        for record in records[start : start + BATCH]:
            published += topology.ingest(record).published
        published.sort(key=lambda fact: fact.event_time or 0)
        ingested = time.perf_counter()
        snapshots: dict[bytes, Publish] = {}
        for offset, fact in enumerate(published, facts):
            partition = crc32(fact.key or b"") % PARTITIONS
            overlay = overlays[partition]
            effects = topology.advance(FactsRecord(fact.value or b"", partition, offset, STAMP), overlay)
            if effects.rows:
                overlay.put(effects.rows)
            snapshots.update(effects.snapshots)
            output += sum(len(record.value or b"") for record in effects.published)
            for count in effects.counts:
                counts[" ".join((count.metric, *count.labels[-1:]))] += 1
        advanced = time.perf_counter()
        pending = {partition: overlay.pending for partition, overlay in enumerate(overlays)}
        store.apply(pending, {})
        stored = time.perf_counter()
        facts += len(published)
        rows += sum(map(len, pending.values()))
        changelog += sum(len(key) + len(value or b"") for written in pending.values() for key, value in written.items())
        output += sum(len(record.value or b"") for record in snapshots.values())
        for overlay in overlays:
            overlay.clear()
        ingesting += ingested - began
        advancing += advanced - ingested
        storing += stored - advanced
    return Passed(len(records), facts, ingesting, advancing, storing, counts, rows, changelog, output)


def _print(passed: Passed) -> None:
    events, facts = passed.events, passed.facts
    total = passed.ingest_seconds + passed.advance_seconds + passed.store_seconds
    print(
        f"{events} events, {facts} facts; {events / total:.0f} events/s in {total:.2f} s, {1e6 * total / events:.2f} us per event"
    )
    print(f"ingest   {passed.ingest_seconds:8.2f} s   {1e6 * passed.ingest_seconds / events:8.2f} us per event")
    print(f"advance  {passed.advance_seconds:8.2f} s   {1e6 * passed.advance_seconds / facts:8.2f} us per fact")
    print(f"store    {passed.store_seconds:8.2f} s   {1e6 * passed.store_seconds / facts:8.2f} us per fact")
    print(
        f"rows {passed.rows} ({passed.changelog_bytes / facts:.0f} bytes per fact), output {passed.output_bytes / facts:.0f} bytes per fact"
    )
    for name, count in sorted(passed.counts.items()):
        print(f"  {name:40} {count:8}")
