"""The verdict on a run: every promise that a consumer, or a restart, relies on, held against what was committed.

The order of the checks is the order of the data path, so that the first promise that is broken lies nearest to the mistake.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from processors.metrics.cells import Posting, known_now
from processors.simulation.oracle import Body, Expected, differences, lasting, said, snapshot
from processors.simulation.partitions import Logged
from processors.simulation.recounted import unlike
from processors.simulation.schedule import FACTS, Case, Lane
from processors.simulation.worker import CHANGELOG, MARK, Worker, source_record
from processors.state.memory import MemoryStore
from processors.state.overlay import Overlay
from processors.topology.effects import Count, FactsRecord
from processors.topology.program import Program
from processors.topology.topology import Topology
from schemas.facts import Fact, Message

_read_json = msgspec.json.Decoder().decode
_decode_message = msgspec.msgpack.Decoder(Message).decode
_IDENTITIES = {"transitions": "transition_id", "conversions": "conversion_id"}


class Broken(NamedTuple):
    """A promise that was not kept; `promise` stays the same for one mistake, `sentence` says what was found."""

    promise: str
    sentence: str


class Verdict:
    """What a finished run committed, and whether it is what it must be."""

    def __init__(self, case: Case, program: Program, worker: Worker) -> None:
        self._case = case
        self._program = program
        self._worker = worker
        self.logs = {topic: self._read(topic) for topic in ("transitions", "conversions", "leads", "metrics", "dead_letters")}
        self.bodies: dict[str, list[Body]] = {
            topic: [_read_json(record.value or b"") for record in self.logs[topic]] for topic in _IDENTITIES
        }
        messages = [_decode_message(record.value or b"") for record in self._facts_records()]
        self.facts = [message for message in messages if isinstance(message, Fact)]

    def broken(self) -> Iterator[Broken]:
        """Every promise that was not kept."""
        yield from self._ingested()
        yield from self._restored()
        expected = Expected(self._program, self.facts, self._case.as_of)
        yield from (Broken("ids", f"one id for two publications: {sentence}") for sentence in expected.doubled)
        yield from self._in_order()
        yield from self._net(expected)
        yield from self._snapshots(expected)
        yield from self._sums(expected)
        yield from (Broken("recount", sentence) for sentence in unlike(self._case, self.logs))
        yield from self._conflicts(expected)
        yield from self._counted()
        yield from self._again()

    def _read(self, topic: str, partition: int = 0) -> list[Logged]:
        return self._worker.partitions.read(Lane(topic, partition), 0)

    def _facts_records(self) -> list[Logged]:
        return [record for partition in range(self._case.partitions) for record in self._read(FACTS, partition)]

    # --- nothing lost, nothing doubled -----------------------------------------------------------------------------

    def _ingested(self) -> Iterator[Broken]:
        """Invariants 6 and 7: each source record ended, once, as facts, counted drops or a dead letter."""
        topology = Topology(self._program)
        wanted: dict[str, Counter[Any]] = defaultdict(Counter)
        for lane in self._case.source_lanes():
            for record in self._worker.partitions.read(lane, 0):
                effects = topology.ingest(source_record(lane, record))
                ends = [count for count in effects.counts if count[0] in ("facts", "dropped", "dead_letters")]
                if not ends:
                    yield Broken("nothing disappears", f"{lane} offset {record.offset} ends as nothing: {record.value!r}")
                for publish in effects.published:
                    wanted[publish.topic][publish.key, publish.value] += 1
                counted = Counter(count[0] for count in ends)
                made = Counter[str](publish.topic for publish in effects.published)
                if (counted["facts"], counted["dead_letters"]) != (made[FACTS], made["dead_letters"]):
                    yield Broken("nothing disappears", f"{lane} offset {record.offset} counts {counted} and makes {made}")
        from_sources = [record for record in self._facts_records() if record.origin.topic != FACTS]
        found: dict[str, Counter[Any]] = {
            FACTS: Counter((record.key, record.value) for record in from_sources if record.key is not None),  # no watermarks
            "dead_letters": Counter((record.key, record.value) for record in self._letters(of_facts=False)),
        }
        for topic, records in found.items():
            for one in wanted[topic].keys() | records.keys():
                if wanted[topic][one] != records[one]:
                    sentence = f"{topic} has {records[one]} times what must be there {wanted[topic][one]} times: {one}"
                    yield Broken("exactly once", sentence)

    def _letters(self, *, of_facts: bool) -> list[Logged]:
        return [record for record in self.logs["dead_letters"] if (record.origin.topic == FACTS) is of_facts]

    def _restored(self) -> Iterator[Broken]:
        """Invariant 6: what a restore brings is what the store holds."""
        for partition in range(self._case.partitions):
            wanted: dict[bytes, bytes] = {}
            for record in self._read(CHANGELOG, partition):
                if record.value is None:
                    wanted.pop(record.key or b"", None)
                else:
                    wanted[record.key or b""] = record.value
            found = dict(self._worker.store.scan(partition, b""))
            if wanted != found:
                rows = sorted(key for key in wanted.keys() | found.keys() if wanted.get(key) != found.get(key))
                yield Broken("the store is its changelog", f"partition {partition} differs in rows {rows}")

    # --- the streams -----------------------------------------------------------------------------------------------

    def _in_order(self) -> Iterator[Broken]:
        """Invariant 3: sequences without gaps, revisions that rise by one, operations that fit what stood, no id twice."""
        sequences: Counter[str] = Counter()
        for body in self.bodies["transitions"]:
            entity = body["subject"]["id"]
            sequences[entity] += 1
            if body["sequence"] != sequences[entity]:
                yield Broken("sequence", f"{entity} has sequence {body['sequence']} where {sequences[entity]} is next")
        for topic, identity in _IDENTITIES.items():
            standing: dict[tuple[str, str], tuple[int, bool]] = {}
            content: dict[tuple[str, str], Body] = {}
            for body in self.bodies[topic]:
                key = (body[identity], body["subject"]["id"])
                revision, stood = standing.get(key, (0, False))
                if body["op"] == "amend" and content.get(key) == said(body):
                    yield Broken("amendments", f"{topic} {key} is amended and says what it said before: {body}")
                content[key] = said(body)
                if body["revision"] != revision + 1:
                    yield Broken("revisions", f"{topic} {key} has revision {body['revision']} after {revision}")
                if stood is (body["op"] == "announce"):
                    yield Broken("operations", f"{topic} {key}: {body['op']} where it {'stands' if stood else 'does not stand'}")
                standing[key] = body["revision"], body["op"] != "retract"
            ids = Counter((dict(record.headers).get("ce_id"), record.key) for record in self.logs[topic])
            if doubled := [each for each, times in ids.items() if times > 1 or each[0] is None]:
                yield Broken("ce_id", f"{topic} has these ids more than once: {doubled}")
            for record, body in zip(self.logs[topic], self.bodies[topic], strict=True):
                if record.key != body["subject"]["id"].encode():
                    yield Broken("keys", f"{topic} has key {record.key!r} for {body['subject']}")

    def _net(self, expected: Expected) -> Iterator[Broken]:
        """Invariants 1 and 2: what stands in the end is what `fold` gives."""
        for topic, wanted in (("transitions", expected.transitions), ("conversions", expected.conversions)):
            last = {(body[_IDENTITIES[topic]], body["subject"]["id"]): body for body in self.bodies[topic]}
            found = {key: lasting(body) for key, body in last.items() if body["op"] != "retract"}
            yield from (Broken(f"net {topic}", sentence) for sentence in differences(wanted, found))

    def _snapshots(self, expected: Expected) -> Iterator[Broken]:
        """The last snapshot of a lead is where the fold ends, and names a sequence that includes its last transition."""
        last = {(record.key or b"").decode(): record.value for record in self.logs["leads"]}
        found = {key: snapshot(value) for key, value in last.items() if value is not None or key in expected.snapshots}
        wanted = {key: body for key, body in expected.snapshots.items() if body is not None or key in found}
        yield from (Broken("snapshots", sentence) for sentence in differences(wanted, found))
        newest: dict[str, int] = {}
        of_subject: Counter[str] = Counter()
        for body in self.bodies["transitions"]:
            newest[f"{body['subject']['kind']}/{body['deal'] or body['subject']['id']}/{body['funnel']}"] = body["sequence"]
            of_subject[body["subject"]["id"]] += 1
        for key, value in last.items():
            if value is not None:
                body = _read_json(value)
                if not newest.get(key, 0) <= body["sequence"] <= of_subject[body["subject"]["id"]]:
                    yield Broken("snapshots", f"{key} names sequence {body['sequence']}, its last is {newest.get(key, 0)}")

    def _sums(self, expected: Expected) -> Iterator[Broken]:
        """Invariant 4: the published sums are what a recount of all timelines gives."""
        found = known_now((record.key, record.value) for record in self.logs["metrics"])
        yield from (Broken("sums", sentence) for sentence in differences(expected.sums, found))

    # --- what is set aside and counted -----------------------------------------------------------------------------

    def _conflicts(self, expected: Expected) -> Iterator[Broken]:
        """Rule 20: every fact that lost is kept once; what was said already is counted as a duplicate."""
        letters = [_read_json(record.value or b"") for record in self._letters(of_facts=True)]
        found = Counter((letter["entity"], letter["source"], letter["id"], letter["fingerprint"]) for letter in letters)
        if found != Counter(dict.fromkeys(expected.letters, 1)):
            yield Broken("conflicts", f"set aside: {dict(found)}, must be once each: {expected.letters}")
        copies = Counter((fact.entity, fact.source, fact.id, fact.fingerprint) for fact in self.facts)
        again = Counter[str]()
        for (_, source, _, _), times in copies.items():
            again[source] += times - 1
        counted = Counter({count[1]: times for count, times in self._worker.counts.items() if count[0] == "duplicates"})
        if +again != +counted:
            yield Broken("counts", f"duplicates are counted as {counted} and there are {+again}")

    def _counted(self) -> Iterator[Broken]:
        """What is counted is what was committed."""
        wanted: Counter[Count] = Counter()
        for body in self.bodies["transitions"]:
            wanted["transitions", body["funnel"], body["op"], body["kind"]] += 1
            if body["op"] == "announce" and body["to"] is not None and body["kind"] not in ("notice", "return"):
                place = next(name for kind, name in body["to"].items() if kind in ("stage", "outcome", "detour"))
                wanted["entries", body["funnel"], place] += 1
        for body in self.bodies["conversions"]:
            wanted["conversions", body["funnel"], body["name"], body["count"], body["op"]] += 1
        for record in self.logs["dead_letters"]:
            headers = dict(record.headers)
            source, reason = headers["dead-letter-source"] or b"", headers["dead-letter-reason"] or b""
            wanted["dead_letters", source.decode(), reason.decode()] += 1
        metrics = {"transitions", "entries", "conversions", "dead_letters"}
        found = Counter({count: times for count, times in self._worker.counts.items() if count[0] in metrics})
        if wanted != found:
            yield Broken("counts", f"counted {dict(found - wanted)} too often, {dict(wanted - found)} too seldom")

    # --- again -----------------------------------------------------------------------------------------------------

    def _again(self) -> Iterator[Broken]:
        """Invariant 5: reading a facts partition again, a record at a time, gives the same bytes; and the same rows."""
        topology, store = Topology(self._program), MemoryStore()
        for partition in range(self._case.partitions):
            published: defaultdict[str, list[tuple[bytes | None, bytes | None, Any]]] = defaultdict(list)
            postings: list[Posting] = []
            for record in self._read(FACTS, partition):
                rows = Overlay(store, partition)
                effects = topology.advance(FactsRecord(record.value or b"", partition, record.offset, record.at), rows)
                store.apply({partition: effects.rows}, {})
                postings += effects.postings
                for publish in effects.published:
                    published[publish.topic].append((publish.key, publish.value, publish.headers))
            for topic in ("transitions", "conversions", "dead_letters"):
                log = [record for record in self.logs[topic] if record.origin == Lane(FACTS, partition)]
                if [(record.key, record.value, record.headers) for record in log] != published[topic]:
                    yield Broken("the same bytes", f"{topic} of facts partition {partition} differ when it is read again")
            store.apply(
                {partition: topology.post(postings, Overlay(store, partition), FactsRecord(b"", partition, 0, 0)).rows}, {}
            )
            found = dict(self._worker.store.scan(partition, b""))
            found.pop(MARK, None)
            if found != dict(store.scan(partition, b"")):
                yield Broken("the same bytes", f"the rows of facts partition {partition} differ when it is read again")
