"""The whole path of a record, held against what is promised of any record: `ingest`, `advance` of every fact it made, and the
timers that follow.

It guards that no bytes raise; that every record ends as facts, as a counted drop or as a dead letter that keeps it; that what
is published is what the published models say; that what goes out is bounded by what came in; and that all of it is
deterministic. The property tests and the fuzzers drive it, with the application of tests/fuzz/world, in which every kind of
rule reads some value.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import NamedTuple

import msgspec

from processors.cli.loading import Loaded, load
from processors.cli.run import label_sets
from processors.sources.statement import SourceRecord
from processors.state.memory import MemoryStore
from processors.state.overlay import Overlay
from processors.topology.deadletters import KEPT_OF_OVERSIZED, REASONS
from processors.topology.effects import Effects, FactsRecord, Publish
from processors.topology.topology import Topology
from schemas.facts import Fact, Watermark
from schemas.instants import FIRST, HOUR, LAST, format_instant
from schemas.publications import published_models
from tests.shared_material import ROOT
from tests.worlds import START

MODELS = {"transitions": "transition.v1", "conversions": "conversion.v1", "leads": "lead.v1", "metrics": "metric.v1"}
HEADERS_OF_A_LETTER = 24 * 1024
"""Bytes that a dead letter may add to what it keeps: 20 sentences, and the reasons of more elements."""
BYTES_OF_A_FACT = 512 * 1024
"""Bytes that one fact may publish and store under the definitions of `WORLD`, whatever its values are."""

CONFIGURATION = ROOT / "tests/fuzz/world/funnelstream.yml"
WORLD = load(CONFIGURATION)


def source_record(source: str, value: bytes | None, offset: int = 0, at: int = START) -> SourceRecord:
    """A record of a source without key and headers; `at` is its Kafka time in microseconds."""
    return SourceRecord(source, f"{source}.topic", 0, offset, at, None, value)


def drive(records: Iterable[SourceRecord], world: Loaded = WORLD) -> list[Publish]:
    """Everything that these records publish; raises AssertionError where it breaks a promise, or where a second run differs."""
    given = list(records)
    first, second = _Run(world), _Run(world)
    for record in given:
        for run in (first, second):
            run.take(record)
            run.pass_time(START + HOUR)
    for run in (first, second):
        run.pass_time(LAST)
    assert first.published == second.published
    return first.published


class _Run:
    """One run over a store of its own; each fact is advanced at once, in a transaction of its own."""

    def __init__(self, world: Loaded) -> None:
        self.published: list[Publish] = []
        self._topology = Topology(world.program)
        self._label_sets = label_sets(world)
        self._store = MemoryStore()
        self._offset = 0

    def take(self, record: SourceRecord) -> None:
        """Take one record down the whole path."""
        effects = self._topology.ingest(record)
        assert effects.rows == {}, "ingest has no state"
        assert effects.snapshots == {}
        self._check_counts(effects)
        _check_accounting(record, effects)
        for publish in effects.published:
            if publish.topic == "facts":
                self._advance(_checked_fact(publish))
        self.published += effects.published

    def pass_time(self, as_of: int) -> None:
        """Fire the timers that are due by then, in microseconds."""
        partition = ("topic", 0)
        self._advance(msgspec.msgpack.encode(Watermark(source=partition, at=as_of, sources=(partition,))))

    def _advance(self, value: bytes) -> None:
        rows = Overlay(self._store, 0)
        effects = self._topology.advance(FactsRecord(value, 0, self._offset, START + self._offset), rows)
        self._offset += 1
        self._check_counts(effects)
        published = [*effects.published, *effects.snapshots.values()]
        for publish in published:
            _check_published(publish)
        stored = sum(len(key) + len(row or b"") for key, row in effects.rows.items())
        assert stored + sum(map(_size, published)) <= BYTES_OF_A_FACT
        assert all(len(key) <= 1 + 16 + 16 for key in effects.rows)
        self._store.apply({0: effects.rows}, {})
        sums = self._topology.post(effects.postings, rows, FactsRecord(b"", 0, self._offset, START + self._offset))
        for publish in sums.published:
            _check_published(publish)
        self._store.apply({0: sums.rows}, {})
        self.published += [*published, *sums.published]

    def _check_counts(self, effects: Effects) -> None:
        """Labels come from the configuration and fixed words, never from a record: all their sets are known at the start."""
        for metric, *labels in set(effects.counts):
            assert tuple(labels) in self._label_sets[metric], (metric, labels)


class _Ends(NamedTuple):
    """What became of a record."""

    facts: Sequence[Publish]
    letters: Sequence[Publish]


def _check_accounting(record: SourceRecord, effects: Effects) -> None:
    """Invariant 7: a record ends as facts, as counted drops or as one dead letter, and never as nothing."""
    counted = Counter(metric for metric, *_ in effects.counts)
    ends = _Ends(*([one for one in effects.published if one.topic == topic] for topic in ("facts", "dead_letters")))
    assert (len(ends.facts), len(ends.letters)) == (counted["facts"], counted["dead_letters"])
    assert len(ends.facts) + len(ends.letters) == len(effects.published)
    assert counted["facts"] + counted["dropped"] + counted["dead_letters"] > 0
    assert len(ends.letters) <= 1
    for letter in ends.letters:
        _check_letter(record, letter)
    size = len(record.value or b"")
    assert sum(map(_size, ends.facts)) <= 8 * size + 4096, "facts carry more than the record said"


def _check_letter(record: SourceRecord, letter: Publish) -> None:
    kept, added = letter.headers[: len(record.headers)], letter.headers[len(record.headers) :]
    said = {name: (value or b"").decode() for name, value in added}
    place = said["dead-letter-source"], said["dead-letter-topic"], said["dead-letter-partition"], said["dead-letter-offset"]
    assert place == (record.source, record.topic, str(record.partition), str(record.offset))
    assert said["dead-letter-reason"] in REASONS
    assert said["dead-letter-sentence"].endswith(".")
    assert said["dead-letter-time"]
    if said["dead-letter-reason"] == "too_large":
        whole = record.value or b""
        assert letter.value == whole[:KEPT_OF_OVERSIZED]
        assert (said["dead-letter-size"], said["dead-letter-sha256"]) == (str(len(whole)), sha256(whole).hexdigest())
    else:
        assert letter.value == record.value
    assert (letter.key, kept) == (record.key, list(record.headers))
    assert sum(len(name) + len(value or b"") for name, value in added) <= HEADERS_OF_A_LETTER


def _checked_fact(publish: Publish) -> bytes:
    """The fact's bytes; they say the same when they are read and written again."""
    value = publish.value or b""
    fact = msgspec.msgpack.decode(value, type=Fact)
    assert msgspec.msgpack.encode(fact) == value
    assert publish.key == fact.entity.encode()
    assert publish.event_time == fact.occurred_at
    assert FIRST <= fact.occurred_at <= LAST
    return value


def _check_published(publish: Publish) -> None:
    """A body is what its model says, and its instants can be written."""
    if publish.topic == "dead_letters":
        assert msgspec.json.decode(publish.value or b"")["fingerprint"]
        return
    if publish.value is None:
        assert publish.topic in ("leads", "metrics")
        return
    parsed = published_models()[MODELS[publish.topic]].model_validate_json(publish.value)
    assert parsed.model_dump(by_alias=True)
    for name, header in publish.headers:
        assert name
        assert header is not None
        header.decode()
    assert format_instant(FIRST) <= dict(publish.headers)["ce_time"].decode()  # type: ignore[union-attr]


def _size(publish: Publish) -> int:
    headers = sum(len(name) + len(value or b"") for name, value in publish.headers)
    return len(publish.key or b"") + len(publish.value or b"") + headers
