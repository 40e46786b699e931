"""The program: definitions and configuration, compiled into what `ingest` and `advance` look things up in.

It is built once at start and never changes.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from processors.classification.predicates import Orderings
from processors.classification.signals import EventUse
from processors.identity.identifiers import Identifiers, Ranked
from processors.sources import decoder_for
from processors.sources.statement import Decoder
from processors.stages.fold import Timeline, accept, fold_accepted
from processors.stages.rules import Version
from processors.topology.compiler import compile_funnel, fields_read, signals_of
from processors.topology.definition_digests import definitions_of
from schemas.application import Application, Source
from schemas.conditions import Signal
from schemas.definitions import Funnel
from schemas.facts import Fact
from schemas.fields import FieldSource, FieldType, fields_of

KINDS_OF_SUBJECT: Mapping[str, frozenset[str]] = {"lead": frozenset({"lead"}), "visitor": frozenset({"visitor", "lead"})}
"""Entity kinds that a funnel of a grain folds: a visitor is a person, known or not."""


class SourcePlan(NamedTuple):
    """How records of one source become facts."""

    name: str
    decoder: Decoder
    identifiers: Ranked
    """Those that count, strongest first."""
    fields: Mapping[tuple[str, str], Sequence[tuple[str, FieldSource]]]
    """(What the record is about, its name of a property) to the canonical fields it sets."""


class Program:
    """Everything that does not change while a worker runs.

    Attributes:
        application: Name of the application.
        funnels: The compiled funnels, in the order of their names.
        definitions: Digests of what the definitions do.
        sources: Plans by source name.
        events: What is wanted of each event name.
        identifiers: Chooses the entity of a record.
        future: Microseconds that an event time may lie after its record's Kafka time.
        past: Earliest instant an event may have.
        record_bytes: Longest record that is decoded, in bytes.
    """

    def __init__(self, funnels: Iterable[Funnel], application: Application) -> None:
        self.application = application.application
        self.future = application.limits.future
        self.past = application.limits.past
        self.record_bytes = application.limits.record_bytes
        definitions = sorted(funnels, key=lambda funnel: funnel.funnel)
        types = _field_types(application)
        self.funnels = tuple(compile_funnel(funnel, types.get, application.authority) for funnel in definitions)
        read = {field for funnel in definitions for field in fields_read(funnel)}
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
        self._readers = {
            kind: _Readers(definitions, self.funnels, kind) for kind in ("", *self._kinds.values())
        }  # "": its namespace has left the configuration

    def funnels_folding(self, fact: Fact) -> Sequence[Version]:
        """The funnels that count entities of this fact's kind and on which it can have an effect, in the order of their names."""
        return self._readers[self.kind_of(fact.entity)].of(fact)

    def timeline(self, version: Version, facts: Iterable[Fact]) -> Timeline:
        """The timeline of one subject in one funnel, from all facts of the subject: what any run must net to."""
        accepted = accept(facts).items()
        return fold_accepted([keyed for keyed in accepted if version in self.funnels_folding(keyed[1])], (version,))

    def kind_of(self, entity: str) -> str:
        """The entity kind of an identifier."""
        return self._kinds.get(entity.partition(":")[0], "")


class _Readers:
    """Which funnels read what of an entity of one kind."""

    def __init__(self, definitions: Sequence[Funnel], versions: Sequence[Version], kind: str) -> None:
        counting = [pair for pair in zip(definitions, versions, strict=True) if kind in KINDS_OF_SUBJECT[pair[1].subject]]
        by_event: dict[str, dict[str, Version]] = {}
        by_field: dict[str, dict[str, Version]] = {}
        for funnel, version in counting:
            for signal in signals_of(funnel):
                for event in signal.events:
                    by_event.setdefault(event, {})[version.funnel] = version
            for field in fields_read(funnel):
                by_field.setdefault(field, {})[version.funnel] = version
        self._all = tuple(version for _, version in counting)
        self._by_event = {event: tuple(readers.values()) for event, readers in by_event.items()}
        self._by_field = {field: tuple(readers.values()) for field, readers in by_field.items()}

    def of(self, fact: Fact) -> Sequence[Version]:
        """The funnels on which this fact can have an effect."""
        if fact.kind == "event":
            return self._by_event.get(fact.name, ())
        if fact.kind != "change":
            return self._all
        if len(fact.values) == 1:
            return self._by_field.get(next(iter(fact.values)), ())
        reading = {version.funnel for field in fact.values for version in self._by_field.get(field, ())}
        return [version for version in self._all if version.funnel in reading]


def _event_uses(funnels: Sequence[Funnel]) -> dict[str, EventUse]:
    wanted: dict[str, list[tuple[Signal, Orderings]]] = {}
    for funnel in funnels:
        for signal in signals_of(funnel):
            for event in signal.events:
                wanted.setdefault(event, []).append((signal, funnel.orderings))
    return {event: EventUse([signal for signal, _ in uses], [known for _, known in uses]) for event, uses in wanted.items()}


def _field_types(application: Application) -> dict[str, FieldType]:
    return {field: given.type for source in application.sources.values() for field, given in fields_of(source).items()}


def _plan(
    name: str, source: Source, used_events: frozenset[str], used_fields: set[str], nesting: int, identifiers: Identifiers
) -> SourcePlan:
    fields: dict[tuple[str, str], list[tuple[str, FieldSource]]] = {}
    for field, given in fields_of(source).items():
        if field in used_fields:
            about = field.split(".", 1)[0]
            fields.setdefault((about, given.from_), []).append((field, given))
    decoder = decoder_for(
        source.format, used_events=used_events, identifiers=tuple(source.identifiers), session=source.session, nesting=nesting
    )
    return SourcePlan(name, decoder, identifiers.ranked(name, source.identifiers), fields)
