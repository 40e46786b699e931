"""Cases: given/expect cases run through the fold and through the topology, in the order in which their records arrive.

No application is needed: one is made up that gives every field the funnels read. The fold says what the history is; the topology,
which is what a worker drives, must publish what nets to the same.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any, NamedTuple

import msgspec

from processors.classification.counting import SESSION
from processors.classification.signals import conditions_in
from processors.stages.timeline import Match, Move
from processors.state.memory import MemoryStore
from processors.state.overlay import Overlay
from processors.topology.compiler import fields_read, signals_of
from processors.topology.effects import FactsRecord
from processors.topology.program import Program
from processors.topology.topology import Topology
from schemas.application import Application
from schemas.cases import Case, Given, given_value
from schemas.conditions import FieldTest
from schemas.definitions import Funnel
from schemas.facts import Coordinates, Fact, Message, Value, Watermark
from schemas.fields import FieldType, field_type
from schemas.instants import parse_instant

LEAD = "lead:1"
_SOURCE = "given"
_PARTITION = ("given", 0)
"""The source partition that the records of a case lie in."""


class Seen(NamedTuple):
    """A move of a timeline or an operation on a transition, as a case speaks of it; `op` is empty for a move."""

    at: int
    kind: str
    from_: str | None
    to: str | None
    entry: int | None
    skipped: tuple[str, ...]
    flags: tuple[str, ...]
    op: str = ""

    def of(self, key: str) -> Any:
        """What it says under a key of a case."""
        return self.from_ if key == "from" else getattr(self, key)


class Ran(NamedTuple):
    """What came of a case.

    Attributes:
        path: The moves of the fold.
        published: The operations of the topology, in order.
        conversions: Matches of the fold, by conversion and `counted` or `repeat`.
        disagreement: What of fold and topology is not in the other; that is a bug of ours.
    """

    path: Sequence[Seen]
    published: Sequence[Seen]
    conversions: Counter[tuple[str, str]]
    disagreement: Sequence[str]


def field_types(funnels: Iterable[Funnel]) -> dict[str, FieldType]:
    """The state fields that funnels read, each with the type that its name or the tests of it give it."""
    types: dict[str, FieldType] = {}
    for funnel in funnels:
        types |= {field: field_type(field) for field in fields_read(funnel) if field not in types}
        conditions = [condition for place in funnel.places for condition in place.while_]
        conditions += [signal.condition for signal in signals_of(funnel) if signal.condition is not None]
        tests = [leaf for condition in conditions for leaf in conditions_in(condition) if isinstance(leaf, FieldTest)]
        types |= {test.field: kind for test in tests if types[test.field] == "text" and (kind := _tested(test)) is not None}
        types |= {place.at: "time" for place in funnel.places if place.at is not None}
        amounts = [funnel.value, *(conversion.value for conversion in funnel.all_conversions)]
        types |= {money.amount: "decimal" for money in amounts if money is not None and not money.amount.startswith("event.")}
    return types


def _tested(test: FieldTest) -> FieldType | None:
    """The type that a test takes a value for."""
    operands = test.operand if isinstance(test.operand, tuple) else (test.operand,)
    if test.operator in ("passed", "before", "after"):
        return "time"
    if test.operator in ("equals", "in") and all(isinstance(operand, bool) for operand in operands):
        return "bool"
    numbers = all(isinstance(operand, int | float) and not isinstance(operand, bool) for operand in operands)
    return "number" if numbers and test.ordering is None and test.operator not in ("exists", "matches") else None


def application_of(types: Mapping[str, FieldType]) -> Application:
    """An application whose one source gives these fields."""
    namespaces = [{"name": kind, "kind": kind} for kind in ("lead", "deal", "visitor")]
    fields = {field: {"from": field, "type": kind} for field, kind in types.items()}
    source = {"topics": [_SOURCE], "format": "segment", "identifiers": {"userId": "lead"}, "fields": fields}
    written = {"application": "cases", "definitions": ".", "identity": {"namespaces": namespaces}, "sources": {_SOURCE: source}}
    return Application.model_validate(written)


class CaseRunner:
    """Runs cases over the definitions of one folder.

    Attributes:
        funnels: The definitions.
        types: The fields that they read, with their types.
        program: The definitions compiled.
    """

    def __init__(self, funnels: Sequence[Funnel]) -> None:
        self.funnels = funnels
        self.types = field_types(funnels)
        self.program = Program(funnels, application_of(self.types))
        self._lineages = {lineage.name: lineage for lineage in self.program.funnels}

    def run(self, funnel: str, start: int, case: Case, as_of: int | None = None) -> Ran:
        """Run one case.

        Args:
            funnel: Its funnel.
            start: The instant of d0, in microseconds.
            case: The case.
            as_of: In the place of the case's own; records that arrive later are not there yet.
        """
        facts = [fact for fact in self.facts(case, start) if as_of is None or fact.broker_time <= as_of]
        arrived = max((fact.broker_time for fact in facts), default=start)
        until = as_of if as_of is not None else case.as_of.on(start) if case.as_of is not None else arrived
        deal = f"deal:{case.subject.deal}" if case.subject is not None else ""
        timeline = self.program.timeline(self._lineages[funnel], facts, until)
        moves = [move for move in timeline.moves if move.deal == deal]
        transitions, conversions = self.published(funnel, facts, until)
        operations = [_operation(body) for body in transitions if (body["deal"] or "") == deal]
        net = [_operation(body)._replace(op="") for body in _net(transitions, "transition_id") if (body["deal"] or "") == deal]
        matched = [
            (body["name"], body["count"], parse_instant(body["effective_at"])) for body in _net(conversions, "conversion_id")
        ]
        counts = [_matched(match) for match in timeline.matches]
        path = list(map(_moved, moves))
        return Ran(
            path=path,
            published=operations,
            conversions=Counter((name, count) for name, count, _ in counts),
            disagreement=[*_disagreement(path, net), *_disagreement(counts, matched)],
        )

    def facts(self, case: Case, start: int) -> list[Fact]:
        """The records of a case as facts, in the order in which they arrive."""
        facts = [self._fact(number, given, start) for number, given in enumerate(case.given)]
        return sorted(facts, key=lambda fact: fact.broker_time)

    def _fact(self, number: int, given: Given, start: int) -> Fact:
        values: dict[str, Value] = dict(given.props)
        if given.session is not None:
            values[SESSION] = given.session
        values |= {field: given_value(value, self.types[field], start) for field, value in given.set.items()}
        return Fact(
            kind="event" if given.event else "change" if given.set else "delete" if given.delete else "restore",
            entity=LEAD,
            deal=f"deal:{given.deal}" if given.deal is not None else "",
            occurred_at=given.at.on(start),
            source=_SOURCE,
            id=given.id if given.id is not None else str(number),
            fingerprint=b"%d" % number,
            name=given.event or "",
            values=values,
            broker_time=given.reached().on(start),
            coordinates=Coordinates(*_PARTITION, number),
        )

    def published(self, funnel: str, facts: Sequence[Fact], until: int) -> tuple[list[Any], list[Any]]:
        """The transitions and conversions of a funnel that the topology publishes, in order.

        Args:
            funnel: Its name.
            facts: In the order in which they arrive.
            until: How far time passes after the last of them, in microseconds.
        """
        store, topology = MemoryStore(), Topology(self.program)
        bodies: dict[str, list[Any]] = {"transitions": [], "conversions": []}
        messages = list(_messages(facts, until))
        for offset, (at, message) in enumerate(messages):
            record = FactsRecord(msgspec.msgpack.encode(message), 0, offset, at)
            effects = topology.advance(record, Overlay(store, 0))
            store.apply({0: effects.rows}, {})
            for publish in effects.published:
                if publish.topic == "facts":  # the partition goes on where more timers were due than one record may fire
                    messages.append((at, msgspec.msgpack.decode(publish.value or b"", type=Message)))
                elif publish.topic in bodies:
                    bodies[publish.topic].append(msgspec.json.decode(publish.value or b""))
        ours = [[body for body in published if body["funnel"] == funnel] for published in bodies.values()]
        return ours[0], ours[1]


def _messages(facts: Sequence[Fact], until: int) -> Iterator[tuple[int, Message]]:
    """Facts as they arrive, and before each arrival and at the end a watermark: time has passed until then."""
    for at, together in groupby(facts, key=lambda fact: fact.broker_time):
        yield at, _watermark(at)
        for fact in together:
            yield at, fact
    yield until, _watermark(until)


def _watermark(at: int) -> Watermark:
    return Watermark(source=_PARTITION, at=at, sources=(_PARTITION,))


def _net(bodies: Iterable[Any], identity: str) -> list[Any]:
    """What stands of what was published: the last operation of each id, unless it takes the id back."""
    last = {body[identity]: body for body in bodies}
    return [body for body in last.values() if body["op"] != "retract"]


def _moved(move: Move) -> Seen:
    target, source = move.target, move.source
    return Seen(
        at=move.effective_at,
        kind=move.kind,
        from_=source.name if source is not None else None,
        to=target.name if target is not None else None,
        entry=target.entry if target is not None else None,
        skipped=move.skipped,
        flags=move.flags,
    )


def _operation(body: Mapping[str, Any]) -> Seen:
    return Seen(
        at=parse_instant(body["effective_at"]),
        kind=body["kind"],
        from_=_name(body["from"]),
        to=_name(body["to"]),
        entry=body["to"]["entry"] if body["to"] is not None else None,
        skipped=tuple(body["skipped"]),
        flags=tuple(body["flags"]),
        op=body["op"],
    )


def _name(point: Mapping[str, Any] | None) -> str | None:
    return None if point is None else next(str(point[place]) for place in ("stage", "outcome", "detour") if place in point)


def _matched(match: Match) -> tuple[str, str, int]:
    return match.name, "counted" if match.counted else "repeat", match.effective_at


def _converted(body: Mapping[str, Any]) -> tuple[str, str, int]:
    return body["name"], body["count"], parse_instant(body["effective_at"])


def _disagreement(folded: Sequence[tuple[Any, ...]], published: Sequence[tuple[Any, ...]]) -> list[str]:
    only_folded, only_published = Counter(folded) - Counter(published), Counter(published) - Counter(folded)
    return [
        *(f"the fold has {each}, and the topology does not" for each in only_folded.elements()),
        *(f"the topology published {each}, and the fold does not have it" for each in only_published.elements()),
    ]
