"""What becomes of one source record, and why: the decoder that reads it, its facts, and what each definition makes of them."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from processors.cli.judged import Judge, Judged
from processors.cli.loading import Loaded
from processors.sources import decoder_for
from processors.sources.statement import SourceRecord, Statement, Undecodable
from processors.topology.effects import Effects
from processors.topology.ingest import scalar_at
from processors.topology.topology import Topology
from schemas.application import Source
from schemas.definitions import Funnel
from schemas.facts import Fact, Value
from schemas.instants import FIRST, LAST
from schemas.mistakes import suggestion

DROPS = {
    "unmatched": "no definition can use an event of this name with these values",
    "unused": "no definition reads any of the properties that it sets",
    "visitor_unused": "it is about a visitor, and no funnel counts visitors",
    "deal_unused": "it is about a deal, and no funnel reads deals",
    "account_unused": "it is about an account, and no funnel reads accounts",
    "self_link": "it says that an identifier is itself",
    "unsupported_type": "it is of a kind that says nothing about a lead",
    "unmapped_object": "it is about a kind of object that the source's identifiers do not name",
    "identity_unused": "it links identifiers, which has no effect yet",
}
"""Why a statement is dropped, by the reason that is counted."""
OF_MAPPINGS = {"unmapped_object": "it fits no `where` of the source's mapping"}
"""The same of a source of the format `mapping`, where that is another."""


class Letter(msgspec.Struct, frozen=True):
    """A dead letter: why the record, or a part of it, cannot be used."""

    reason: str
    sentence: str


class Said(msgspec.Struct, frozen=True):
    """One statement of the record that a definition may see.

    Attributes:
        what: Its kind, and the name of an event or what a change sets.
        judged: What the rules make of it that name the event or read a field.
        others: How many funnels have no such rule.
        hint: The name of an event that may have been meant, where no funnel has such a rule.
    """

    what: str
    judged: Sequence[Judged]
    others: int
    hint: str


class Explained(msgspec.Struct, frozen=True):
    """What becomes of the record. `format` names the decoder that read it; `dropped` holds reasons, see `DROPS`."""

    source: str
    format: str
    facts: Sequence[Fact]
    dropped: Sequence[str]
    letters: Sequence[Letter]
    said: Sequence[Said]


class Explainer:
    """Explains records of one application."""

    def __init__(self, loaded: Loaded, now: int) -> None:
        """Prepare.

        Args:
            loaded: The application.
            now: Stands for the Kafka time of a record that names no time, in microseconds.
        """
        self._loaded = loaded
        self._now = now
        self._topology = Topology(loaded.program)
        self._types = loaded.application.field_types

    def refusals(self, value: bytes) -> dict[str, str]:
        """Of each source why its decoder finds no statement in a record; empty where it does."""
        refused = {}
        for name in self._loaded.application.sources:
            try:
                refused[name] = "" if self._decode(name, value) else "it says nothing about a lead"
            except Undecodable as why:
                refused[name] = why.sentence
        return refused

    def explain(self, source: str, value: bytes) -> Explained:
        """Explain one record of a source."""
        statements = self._statements(source, value)
        times = [said.occurred_at for said in statements if said.occurred_at is not None and FIRST <= said.occurred_at <= LAST]
        record = self._record(source, value, max(times, default=self._now))
        effects = self._topology.ingest(record)
        facts = [msgspec.msgpack.decode(each.value or b"", type=Fact) for each in effects.published if each.topic == "facts"]
        return Explained(
            source=source,
            format=self._source(source).format,
            facts=facts,
            dropped=[count[-1] for count in effects.counts if count[0] == "dropped"],
            letters=[_letter(dict(each.headers)) for each in effects.published if each.topic == "dead_letters"],
            said=[self._said(each, facts, record.timestamp) for each in statements if not self._refused(record, each)],
        )

    def _refused(self, record: SourceRecord, statement: Statement) -> bool:
        """Whether a dead letter is all that becomes of a statement: then no definition sees it."""
        try:
            self._topology.ingest.facts(Effects(), self._loaded.program.sources[record.source], record, statement)
        except Undecodable:
            return True
        return False

    def _source(self, name: str) -> Source:
        return self._loaded.application.sources[name]

    def _record(self, source: str, value: bytes, timestamp: int) -> SourceRecord:
        return SourceRecord(source, self._source(source).topics[0], 0, 0, timestamp, None, value)

    def _statements(self, source: str, value: bytes) -> Sequence[Statement]:
        try:
            return self._decode(source, value)
        except Undecodable:  # ingest says why
            return ()

    def _decode(self, source: str, value: bytes) -> Sequence[Statement]:
        """All that the source's decoder finds in a record, also what no definition uses."""
        given = self._source(source)
        nesting = self._loaded.application.limits.nesting
        decoder = decoder_for(
            given.format,
            used_events=None,
            identifiers=tuple(given.identifiers),
            session=given.session,
            nesting=nesting,
            mapping=given.mapping,
        )
        return decoder.decode(self._record(source, value, self._now)).statements

    def _said(self, statement: Statement, facts: Sequence[Fact], broker_time: int) -> Said:
        at = broker_time if statement.occurred_at is None else statement.occurred_at
        judges = [Judge(funnel, self._types.get, at) for funnel in in_force(self._loaded.funnels, at)]
        if statement.kind == "event":
            values = self._event_values(statement)
            judged = [judge.event(statement.name, values) for judge in judges]
            hint = suggestion(statement.name, self._loaded.program.events)
            what = f"event {statement.name}"
        else:
            changed = [fact.values for fact in facts if (fact.kind, fact.fingerprint) == (statement.kind, statement.fingerprint)]
            judged = [judge.change(changed[0]) if changed else [] for judge in judges]
            hint = ""
            what = " ".join([statement.kind, *([f"of {', '.join(statement.properties)}"] if statement.properties else [])])
        looked = [each for of_funnel in judged for each in of_funnel]
        return Said(what, looked, sum(not of_funnel for of_funnel in judged), "" if looked else hint)

    def _event_values(self, statement: Statement) -> dict[str, Value]:
        use = self._loaded.program.events.get(statement.name)
        found = {path: scalar_at(statement.event, keys) for path, keys in use.paths} if use is not None else {}
        return {path: value for path, value in found.items() if value is not None}


def _letter(headers: Mapping[str, bytes | None]) -> Letter:
    reason, sentence = ((headers[f"dead-letter-{part}"] or b"").decode() for part in ("reason", "sentence"))
    return Letter(reason, sentence)


def in_force(funnels: Iterable[Funnel], instant: int) -> list[Funnel]:
    """Of each funnel the version whose rules apply at an instant; before the first of them that one."""
    chosen: dict[str, Funnel] = {}
    for funnel in funnels:  # by name and version
        if funnel.funnel not in chosen or (funnel.effective_from is not None and funnel.effective_from <= instant):
            chosen[funnel.funnel] = funnel
    return list(chosen.values())
