"""The program: definitions and configuration, compiled into what `ingest` and `advance` look things up in.

It is built once at start and never changes.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

import msgspec

from processors.classification.predicates import Orderings, TypeOf
from processors.classification.signals import EventUse
from processors.identity.identifiers import Identifiers, Ranked
from processors.sources import decoder_for
from processors.sources.statement import Decoder
from processors.stages.fold import Timeline, accept, fold_accepted
from processors.stages.lineage import Lineage
from processors.topology import rows as row
from processors.topology.compiler import compile_funnel, paths_kept, signals_of
from processors.topology.definition_digests import definitions_of
from schemas.application import Application, Source
from schemas.conditions import Signal
from schemas.definitions import Funnel
from schemas.facts import Fact
from schemas.fields import FieldSource, FieldType, fields_of
from schemas.instants import DAY

KINDS_OF_SUBJECT: Mapping[str, frozenset[str]] = {
    "lead": frozenset({"lead"}),
    "visitor": frozenset({"visitor", "lead"}),
    "deal": frozenset({"lead", "deal"}),
}
"""Entity kinds that a funnel of a grain folds: a visitor is a person, known or not; a deal is folded with its lead, or alone."""


class SourcePlan(msgspec.Struct, frozen=True):
    """How records of one source become facts."""

    name: str
    decoder: Decoder
    identifiers: Ranked
    """Those that count, strongest first; those of deals come last, since a record that names anybody else belongs to them."""
    people: Ranked
    """Those of leads and visitors: whom a deal may belong to."""
    deals: Ranked
    fields: Mapping[tuple[str, str], Sequence[tuple[str, FieldSource]]]
    """(What the record is about, its name of a property) to the canonical fields it sets."""
    paths: Mapping[str, Sequence[str]]
    """Of a mapping: where records have the identifiers of a namespace, for sentences. Other formats name them by their place."""


class Program:
    """Everything that does not change while a worker runs.

    Attributes:
        application: Name of the application.
        funnels: The compiled funnels with all their versions, in the order of their names.
        definitions: Digests of what the definitions do.
        sources: Plans by source name.
        events: What is wanted of each event name.
        identifiers: Chooses the entity of a record.
        future: Microseconds that an event time may lie after its record's Kafka time.
        past: Earliest instant an event may have.
        record_bytes: Longest record that is decoded, in bytes.
        keep_metrics: Days that sums are kept by the day; None: all.
    """

    def __init__(self, funnels: Iterable[Funnel], application: Application) -> None:
        self.application = application.application
        self.future = application.limits.future
        self.past = application.limits.past
        self.record_bytes = application.limits.record_bytes
        kept = application.topics.keep_metrics
        self.keep_metrics = kept // DAY if kept is not None else None
        definitions = sorted(funnels, key=lambda funnel: (funnel.funnel, funnel.effective_from or 0, funnel.version))
        types = _field_types(application)
        self.funnels = _lineages(definitions, types.get, application.authority)
        read = {field for lineage in self.funnels for field in lineage.latest.keeps}
        self.definitions = definitions_of(definitions, types, application.authority)
        self.events = _event_uses(definitions)
        hash_key = application.identity.hash_key
        self.identifiers = Identifiers(
            application.identity.namespaces,
            application.identity.ignore,
            hash_key.get_secret_value().encode() if hash_key is not None else b"",
        )
        self.sources = {
            name: _plan(name, source, frozenset(self.events), read, application.limits.nesting, self.identifiers)
            for name, source in application.sources.items()
        }
        self._kinds = {namespace.name: namespace.kind for namespace in application.identity.namespaces}
        given = {name: {field for found in plan.fields.values() for field, _ in found} for name, plan in self.sources.items()}
        self._readers = {
            kind: _Readers(definitions, self.funnels, kind, given) for kind in ("", *self._kinds.values())
        }  # "": its namespace has left the configuration

    @property
    def timed(self) -> bool:
        """Whether any definition arms a timer: only then are watermarks needed."""
        return any(lineage.timed for lineage in self.funnels)

    def funnels_folding(self, fact: Fact) -> Sequence[Lineage]:
        """The funnels that count entities of this fact's kind and on which it can have an effect, in the order of their names."""
        return self._readers[self.kind_of(fact.entity)].of(fact)

    def funnel_of(self, entity: str, key: bytes) -> Lineage | None:
        """The funnel of this key as it folds this entity; None where it does not, or is no longer among the definitions."""
        return self._readers[self.kind_of(entity)].by_key.get(key)

    def timeline(self, lineage: Lineage, facts: Iterable[Fact], as_of: int | None = None) -> Timeline:
        """The timeline of one subject in one funnel, from all facts of the subject: what any run must net to.

        Args:
            lineage: One of `funnels`.
            facts: All of one entity; those that the funnel does not read are passed over.
            as_of: Until when timers fire where no later fact does, in microseconds.
        """
        accepted = accept(facts)
        read = [keyed for keyed in accepted.items() if any(each.key == lineage.key for each in self.funnels_folding(keyed[1]))]
        folding = self.funnel_of(read[0][1].entity, lineage.key) if read else None
        return fold_accepted(read, folding or lineage, as_of)

    @property
    def kinds_folded(self) -> frozenset[str]:
        """The entity kinds that any funnel folds."""
        return frozenset(kind for kind, readers in self._readers.items() if kind and readers.by_key)

    def kind_of(self, entity: str) -> str:
        """The entity kind of an identifier."""
        return self._kinds.get(entity.partition(":")[0], "")


def _lineages(definitions: Sequence[Funnel], type_of: TypeOf, authority: Mapping[str, tuple[str, ...]]) -> tuple[Lineage, ...]:
    """Compile every funnel with all its versions; `definitions` are sorted by funnel and start."""
    return tuple(
        Lineage(
            name=name,
            key=row.funnel_key(name),
            versions=tuple(compile_funnel(funnel, type_of, authority) for funnel in versions),
        )
        for name, versions in groupby(definitions, key=lambda funnel: funnel.funnel)
    )


class _Readers:
    """Which funnels read what of an entity of one kind.

    Attributes:
        by_key: The funnels that fold such an entity, by the key that names them in rows.
    """

    def __init__(
        self, definitions: Sequence[Funnel], lineages: Sequence[Lineage], kind: str, given: Mapping[str, set[str]]
    ) -> None:
        """Sort the readers of one kind.

        Args:
            definitions: Every version of every funnel.
            lineages: The same, compiled.
            kind: Of entity.
            given: The state fields that each source gives.
        """
        folding = {lineage.name: folded for lineage in lineages if (folded := _folding(lineage, kind)) is not None}
        by_event: dict[str, dict[str, Lineage]] = {}
        by_field: dict[str, dict[str, Lineage]] = {}
        for funnel in definitions:
            if funnel.funnel not in folding:
                continue
            for signal in signals_of(funnel):
                for event in signal.events:
                    by_event.setdefault(event, {})[funnel.funnel] = folding[funnel.funnel]
        for lineage in folding.values():
            for field in lineage.latest.keeps:
                by_field.setdefault(field, {})[lineage.name] = lineage
        self.by_key = {lineage.key: lineage for lineage in folding.values()}
        self._all = tuple(folding.values())
        self._by_event = {event: tuple(readers.values()) for event, readers in by_event.items()}
        self._by_field = {field: tuple(readers.values()) for field, readers in by_field.items()}
        self._by_source = {
            source: tuple({each.name: each for field in sorted(fields) for each in self._by_field.get(field, ())}.values())
            for source, fields in given.items()
        }

    def of(self, fact: Fact) -> Sequence[Lineage]:
        """The funnels on which this fact can have an effect."""
        if fact.kind == "event":
            return self._by_event.get(fact.name, ())
        if fact.kind == "gap":  # what it has lost is a change of one of the fields that its source gives
            return self._by_source.get(fact.source, ())
        if fact.kind != "change":
            return self._all
        if len(fact.values) == 1:
            return self._by_field.get(next(iter(fact.values)), ())
        reading = {lineage.name for field in fact.values for lineage in self._by_field.get(field, ())}
        return [lineage for lineage in self._all if lineage.name in reading]


def _folding(lineage: Lineage, kind: str) -> Lineage | None:
    """How a funnel folds an entity of a kind; None where it does not."""
    if kind == "deal" and lineage.also:
        return lineage.of_deals_alone()
    return lineage if kind in KINDS_OF_SUBJECT[lineage.subject] else None


def _event_uses(funnels: Sequence[Funnel]) -> dict[str, EventUse]:
    wanted: dict[str, list[tuple[Signal, Orderings]]] = {}
    kept: dict[str, dict[str, None]] = {}
    for funnel in funnels:
        for event, paths in paths_kept(funnel).items():
            kept.setdefault(event, {}).update(paths)
        for signal in signals_of(funnel):
            for event in signal.events:
                wanted.setdefault(event, []).append((signal, funnel.orderings))
    return {
        event: EventUse([signal for signal, _ in uses], [known for _, known in uses], kept[event])
        for event, uses in wanted.items()
    }


def _field_types(application: Application) -> dict[str, FieldType]:
    return {field: given.type for source in application.sources.values() for field, given in fields_of(source).items()}


def _plan(
    name: str, source: Source, used_events: frozenset[str], used_fields: set[str], nesting: int, identifiers: Identifiers
) -> SourcePlan:
    fields: dict[tuple[str, str], list[tuple[str, FieldSource]]] = {}
    for field, given in fields_of(source).items():
        if field in used_fields:
            grain = field.split(".", 1)[0]
            for about in _said_by(grain):
                fields.setdefault((about, given.from_), []).append((field, given))
    named = source.identifiers if source.mapping is None else {namespace: namespace for namespace in source.mapping.namespaces}
    decoder = decoder_for(
        source.format,
        used_events=used_events,
        identifiers=tuple(named),
        session=source.session,
        nesting=nesting,
        mapping=source.mapping,
    )
    paths = source.mapping.paths if source.mapping is not None else {}
    return SourcePlan(name, decoder, *_by_kind(identifiers.ranked(name, named)), fields, paths)


def _said_by(grain: str) -> tuple[str, ...]:
    """Whose records set fields of a grain: its own, and of an account those of its members too (definitions, Event fields)."""
    return ("account", "lead") if grain == "account" else (grain,)


def _by_kind(ranked: Ranked) -> tuple[Ranked, Ranked, Ranked]:
    """The identifiers of a source's plan: all of them, those of people, those of deals."""
    deals = [each for each in ranked if each[1].kind == "deal"]
    others = [each for each in ranked if each[1].kind != "deal"]
    return [*others, *deals], [each for each in others if each[1].kind in ("lead", "visitor")], deals
