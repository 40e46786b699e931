"""Ingest: one record of a source topic becomes facts, counted drops, or a dead letter.

Nothing else can happen to a record (invariant 7). Stateless. What no definition can use is dropped here, before it
costs a hop; what is sent on carries only the values that definitions read, typed, under the strongest identifier of
the record. What is said of a deal goes to its lead where the record names one (rule 13), else to the deal itself.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from processors.identity.identifiers import Identifier
from processors.sources.statement import MOST_FAULTS, SourceRecord, Statement, Undecodable
from processors.topology.deadletters import dead_letter, oversized
from processors.topology.effects import Effects, Publish
from processors.topology.program import Program, SourcePlan
from schemas.facts import LONGEST_TEXT, Coordinates, Fact, Value, is_missing
from schemas.fields import FieldSource, typed
from schemas.instants import FIRST, LAST, format_instant
from schemas.mistakes import one_of

encode_fact = msgspec.msgpack.Encoder().encode

NOT_BUILT = {
    "link": "identity_unused",
    "attach": "attach_unused",
}
"""Kinds of statement that no rule can use before identities are linked; counted drops."""

SHOWN = 20
"""Bad elements of an array that a dead letter explains in a sentence; of the others it names the reason."""

DROPPED = (
    "unmatched",
    "unused",
    "visitor_unused",
    "deal_unused",
    "account_unused",
    "self_link",
    "unsupported_type",
    "unmapped_object",
    *NOT_BUILT.values(),
)
"""Every reason a statement is dropped for, so that their counters exist at zero."""


class Ingest:
    """Turns source records into effects; see the module."""

    def __init__(self, program: Program) -> None:
        self._sources = program.sources
        self._record_bytes = program.record_bytes
        self._future = program.future
        self._past = program.past
        self._events = program.events
        self._strongest = program.identifiers.strongest
        self._accepted_kinds = program.kinds_folded
        self._drops = _Drops()

    def __call__(self, record: SourceRecord) -> Effects:
        """The effects of one record of a source topic."""
        plan, value = self._sources[record.source], record.value
        if not FIRST <= record.timestamp <= LAST:
            sentence = "Its Kafka time lies outside the years 1 to 9999: the producer writes another unit than milliseconds."
            return _set_aside(record, Undecodable("kafka_time", sentence))
        if value is not None and len(value) > self._record_bytes:
            effects = Effects()
            oversized(effects, record, self._record_bytes)
            return effects
        try:
            decoded = plan.decoder.decode(record)
        except Undecodable as error:
            return _set_aside(record, error)
        if decoded.unused is not None:
            return self._drops[plan.name, decoded.unused]
        effects = Effects()
        faults = list(decoded.faults)
        for statement in decoded.statements:
            try:
                self.facts(effects, plan, record, statement)
            except Undecodable as error:
                faults.append((statement.element, error.with_traceback(None)))
        if faults:
            _keep_once(effects, record, faults, decoded.more_faults)
        return effects

    def facts(self, effects: Effects, plan: SourcePlan, record: SourceRecord, statement: Statement) -> None:
        """The facts of one statement: mostly one; an identify that carries a deal and its values is another about the deal.

        Raises:
            Undecodable: The statement cannot be used: the record is a dead letter, or this element of it.
        """
        self._fact(effects, plan, record, statement)
        if plan.deals and statement.kind == "change" and statement.about != "deal" and self._reads_deal(plan, statement):
            identity = (
                f"{statement.id or statement.fingerprint.hex()}/deal"  # of one id with two contents one would be lost (rule 20)
            )
            self._fact(effects, plan, record, msgspec.structs.replace(statement, about="deal", id=identity))

    def _reads_deal(self, plan: SourcePlan, statement: Statement) -> bool:
        """Whether what a record says beside its lead concerns a deal that it names."""
        deal = self._strongest(statement.identifiers, plan.deals)
        return deal is not None and any(("deal", name) in plan.fields for name in statement.properties)

    def _fact(self, effects: Effects, plan: SourcePlan, record: SourceRecord, statement: Statement) -> None:
        if statement.kind in NOT_BUILT:
            effects.count("dropped", plan.name, NOT_BUILT[statement.kind])
            return
        if statement.kind == "erase":
            raise Undecodable(
                "erasure_not_built",
                "It asks for the erasure of a person, which this version cannot do; kept, so that it can be replayed.",
            )
        values = self._values(effects, plan, statement)
        if values is None:
            return
        entity, deal = self._addressed(plan, statement)
        if entity.kind not in self._accepted_kinds:
            effects.count("dropped", plan.name, f"{entity.kind}_unused")
            return
        occurred_at = record.timestamp if statement.occurred_at is None else statement.occurred_at
        if not self._past <= occurred_at <= record.timestamp + self._future:
            raise self._out_of_time(occurred_at, record)
        fact = Fact(
            kind=statement.kind,
            entity=entity.text,
            occurred_at=occurred_at,
            source_order=statement.source_order,
            source=plan.name,
            id=statement.id or statement.fingerprint.hex(),
            fingerprint=statement.fingerprint,
            name=statement.name,
            values=values,
            broker_time=record.timestamp,
            coordinates=Coordinates(record.topic, record.partition, record.offset),
            change_source=statement.change_source,
            provenance=statement.provenance,
            deal=deal,
        )
        effects.published.append(Publish("facts", entity.text.encode(), encode_fact(fact), [], occurred_at))
        effects.count("facts", plan.name, statement.kind)

    def _addressed(self, plan: SourcePlan, statement: Statement) -> tuple[Identifier, str]:
        """Whom a fact is addressed to, and the deal that it is about (rule 13).

        An event that names a deal happened to both. Everything else is about one of them: a contact's deletion is not its deal's.
        """
        strongest, said = self._strongest, statement.identifiers
        about_deal = statement.about == "deal"
        deal = strongest(said, plan.deals) if about_deal or (plan.deals and statement.kind == "event") else None
        entity = deal if about_deal else strongest(said, plan.identifiers)
        if entity is None:
            raise Undecodable("no_identifier", _nobody(plan, said, about_deal=about_deal))
        if deal is None:
            return entity, ""
        person = strongest(said, plan.people)
        if person is None or person.kind not in self._accepted_kinds:
            return deal, deal.text
        return person, deal.text

    def _values(self, effects: Effects, plan: SourcePlan, statement: Statement) -> dict[str, Value] | None:
        """The values that definitions read; None where the statement is dropped because none does."""
        if statement.kind == "event":
            values = self._event_values(effects, plan, statement)
            if values is None:
                effects.count("dropped", plan.name, "unmatched")
            return values
        if statement.kind != "change":
            return {}
        changes = self._changes(effects, plan, statement)
        if not changes:
            effects.count("dropped", plan.name, "unused")
            return None
        return changes

    def _event_values(self, effects: Effects, plan: SourcePlan, statement: Statement) -> dict[str, Value] | None:
        """What definitions read of an event; None where no signal of its name can pass on it."""
        use = self._events.get(statement.name)
        if use is None:
            return None
        values: dict[str, Value] = {}
        for path, keys in use.paths:
            value = self._storable(effects, plan, scalar_at(statement.event, keys))
            if value is not None:
                values[path] = value
        return values if use.wants(values) else None

    def _changes(self, effects: Effects, plan: SourcePlan, statement: Statement) -> dict[str, Value]:
        changes: dict[str, Value] = {}
        for name, sent in statement.properties.items():
            for field, given in plan.fields.get((statement.about, name), ()):
                value = _listed(given, field, name, sent)
                try:
                    changes[field] = self._storable(effects, plan, typed(value, given.type))
                except ValueError:
                    changes[field] = None
                    effects.count("unconvertible", plan.name, field)
        return changes

    def _storable(self, effects: Effects, plan: SourcePlan, value: Value) -> Value:
        """A value as a fact carries it: a whole number beyond 64 bits, where MessagePack ends, as its digits; a long text cut."""
        if not isinstance(value, str):
            return str(value) if isinstance(value, int) and not -(2**63) <= value < 2**64 else value
        if len(value) <= LONGEST_TEXT:
            return value
        effects.count("cut", plan.name)
        return value[:LONGEST_TEXT]

    def _out_of_time(self, occurred_at: int, record: SourceRecord) -> Undecodable:
        """Far-future times are quarantined: one wrong clock must not move a lead's history ahead of everybody's (rule 18)."""
        its_time = f"Its time {format_instant(occurred_at)} lies"
        if occurred_at > record.timestamp + self._future:
            sentence = f"{its_time} further after its Kafka time {format_instant(record.timestamp)} than limits.future allows."
            return Undecodable("future_time", sentence)
        return Undecodable("past_time", f"{its_time} before limits.past ({format_instant(self._past)}).")


class _Drops(dict[tuple[str, str], Effects]):
    """Counted drops by source and reason. Most records are: all of one reason share their effects, which nobody changes."""

    def __missing__(self, dropped: tuple[str, str]) -> Effects:
        effects = self[dropped] = Effects()
        effects.count("dropped", *dropped)
        return effects


def _nobody(plan: SourcePlan, said: Iterable[str], *, about_deal: bool) -> str:
    """Why a record that has identifiers is about nobody; of a mapping with the paths where one should have been."""
    whom, wanted = ("a deal", plan.deals) if about_deal else ("somebody", plan.identifiers)
    sentence = f"None of its identifiers ({', '.join(said) or 'none given'}) names {whom} that source {plan.name} may assert"
    paths = list(dict.fromkeys(path for name, _ in wanted for path in plan.paths.get(name, ())))
    return f"{sentence}: there is no usable value at {one_of(paths)}." if paths else f"{sentence}."


def _set_aside(record: SourceRecord, why: Undecodable) -> Effects:
    effects = Effects()
    dead_letter(effects, record, why.reason, why.sentence)
    return effects


def _listed(given: FieldSource, field: str, name: str, sent: Any) -> Any:
    """The value that the field's `values` give for what was sent; what was sent where there are none."""
    if given.values is None or is_missing(sent):
        return sent
    mapped = given.values.get(str(sent).lower() if isinstance(sent, bool) else str(sent))  # JSON's true is listed as "true"
    if mapped is not None:
        return mapped
    if given.unlisted == "dead_letter":
        raise Undecodable("unlisted_value", f"{name} is {str(sent)[:100]!r}, which the values of field {field} do not list.")
    return sent if given.unlisted == "keep" else None


def scalar_at(event: Mapping[str, Any], keys: Sequence[str]) -> Value:
    """The value at a path; None where there is none or it is an object or a list."""
    found = _at(event, keys)
    return found if isinstance(found, str | int | float | bool) else None


def _at(found: Any, keys: Sequence[str]) -> Any:
    """What lies at a path, also behind a key that has dots in it: `{"a": {"b.c": 1}}` has something at a.b.c."""
    if not keys:
        return found
    if not isinstance(found, Mapping):
        return None
    below = _at(found[keys[0]], keys[1:]) if keys[0] in found else None
    return below if below is not None else found.get(".".join(keys))


def _keep_once(effects: Effects, record: SourceRecord, faults: list[tuple[int, Undecodable]], more: int) -> None:
    """Keep the whole record once, with what was wrong with which element; its good elements are facts already."""
    faults.sort(key=lambda fault: fault[0])
    reason, sentence = faults[0][1].reason, faults[0][1].sentence
    if len(faults) > 1 or effects.published:
        shown = [f"element {index}: {error.sentence}" for index, error in faults[:SHOWN]]
        rest = [f"element {index}: {error.reason}" for index, error in faults[SHOWN:MOST_FAULTS]]
        uncounted = more + max(0, len(faults) - MOST_FAULTS)
        sentence = "; ".join([*shown, *rest, *([f"{uncounted} more elements."] if uncounted else [])])
    dead_letter(effects, record, reason, sentence)
