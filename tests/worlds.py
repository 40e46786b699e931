"""Small worlds for the tests of the core: a program, facts addressed to one subject, and what a run over them
published.

`History` drives `advance` over rows in memory, record by record, and keeps what consumers would see, so that a test
can hold the net result of any arrival order against `fold`.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any
from zlib import crc32

import msgspec

from processors.metrics.cells import Cell, Sum, known_now
from processors.stages.diff import identity_of, publication_id
from processors.stages.lineage import Lineage
from processors.stages.timeline import Match, Move
from processors.state.memory import MemoryStore
from processors.state.overlay import Overlay
from processors.topology.effects import Effects, FactsRecord, Publish
from processors.topology.program import Program
from processors.topology.topology import Topology
from schemas.application import Application
from schemas.definitions import Funnel
from schemas.facts import Coordinates, Fact, Message, Value, Watermark
from schemas.instants import HOUR, parse_instant
from tests.oracle import lasting

START = parse_instant("2026-01-01")
SOURCE_PARTITION = ("web.events", 0)

APPLICATION = {
    "application": "test",
    "definitions": "funnels",
    "identity": {
        "namespaces": [
            {"name": "contact", "kind": "lead", "from": ["crm"]},
            {"name": "user", "kind": "lead"},
            {"name": "anonymous", "kind": "visitor"},
        ]
    },
    "sources": {
        "web": {
            "topics": ["web.events"],
            "format": "segment",
            "identifiers": {"userId": "user", "anonymousId": "anonymous"},
            "fields": {
                "lead.plan": {"from": "traits.plan"},
                "lead.step": {"from": "traits.step"},
                "lead.score": {"from": "traits.score", "type": "number"},
            },
        },
        "crm": {
            "topics": ["crm.changes"],
            "format": "hubspot",
            "identifiers": {"contact.objectId": "contact"},
            "fields": {"lead.need": {"from": "need", "type": "bool"}, "deal.stage": {"from": "dealstage"}},
        },
    },
}


def application(**changes: Any) -> Application:
    """The test application, with top-level keys replaced."""
    return Application.model_validate({**APPLICATION, **changes})


def program(*funnels: dict[str, Any], **changes: Any) -> Program:
    """The program of these funnels, each written as in a file."""
    return Program([Funnel.model_validate(funnel) for funnel in funnels], application(**changes))


def fact(  # noqa: PLR0913 - what a test says of a fact, by name
    at: float,
    what: str = "",
    *,
    id: str = "",
    order: int = 0,
    content: str = "",
    source: str = "web",
    late_by: float = 0,
    deal: str = "",
    **values: Value,
) -> Fact:
    """A fact about `user:1`: an event of this name, a record (delete, restore, gap), or a change of values without a name.

    Args:
        at: Hours after START; `late_by` hours more is the broker's time.
        what: Event name, `delete` or `restore`; empty for a change of the values.
        id: By default what is said, so that two equal statements are one record.
        order: Source order.
        content: Makes another fingerprint for the same id.
        source: Name of the source.
        late_by: Hours after `at` at which the record reached the broker.
        deal: The deal that it is about; a change then sets `deal.*` values.
        values: `plan="pro"` is `lead.plan` in a change and `event.properties.plan` in an event.
    """
    kind = what if what in ("delete", "restore", "gap") else "event" if what else "change"
    prefix = "event.properties." if kind == "event" else "deal." if deal else "lead."
    named = {prefix + name: value for name, value in values.items()}
    said = id or json.dumps([at, what, order, named, *([deal] if deal else [])])
    return Fact(
        kind=kind,  # type: ignore[arg-type]  # decided above
        entity="user:1",
        occurred_at=START + round(at * HOUR),
        source_order=order,
        source=source,
        id=said,
        fingerprint=json.dumps([said, at, what, named, content, deal]).encode(),
        name=what if kind == "event" else "",
        values=named,
        broker_time=START + round((at + late_by) * HOUR),
        coordinates=Coordinates("web.events", 0, crc32(f"{said}{content}{late_by}".encode()) % 1000),
        deal=f"deal:{deal}" if deal else "",
    )


class History:
    """A run of `advance` over one partition."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.store = MemoryStore()
        self.published: list[Publish] = []
        self.effects: list[Effects] = []
        self.now = START
        """Log-append time of the next fact but for a microsecond each, in microseconds."""
        self._topology = Topology(program)

    def take(self, facts: Iterable[Fact]) -> "History":
        """Advance over facts in this order, one transaction each; returns itself."""
        for arrived in facts:
            self._advance_over(arrived)
        return self

    def pass_time(self, as_of: int) -> "History":
        """Advance over a watermark of the only source partition, in microseconds; returns itself."""
        self._advance_over(Watermark(source=SOURCE_PARTITION, at=as_of, sources=(SOURCE_PARTITION,)))
        return self

    def _advance_over(self, message: Message) -> None:
        offset = len(self.effects)
        rows = Overlay(self.store, 0)
        effects = self._topology.advance(FactsRecord(msgspec.msgpack.encode(message), 0, offset, self.now + offset), rows)
        self.store.apply({0: effects.rows}, {})
        sums = self._topology.post(effects.postings, rows, FactsRecord(b"", 0, offset, self.now + offset))
        self.store.apply({0: sums.rows}, {})
        to_itself = [record for record in effects.published if record.topic == "facts"]
        effects.published = [record for record in effects.published if record.topic != "facts"]
        self.published += [*effects.published, *effects.snapshots.values(), *sums.published]
        self.effects.append(effects)
        for record in to_itself:
            self._advance_over(msgspec.msgpack.decode(record.value or b"", type=Message))

    def bodies(self, topic: str) -> list[dict[str, Any]]:
        """The JSON bodies published to a topic, in order."""
        return [json.loads(record.value) for record in self.published if record.topic == topic and record.value is not None]

    def net(self, topic: str) -> dict[str, dict[str, Any]]:
        """The last operation of each id, without what depends on arrival; retracted ids are gone."""
        identity = "transition_id" if topic == "transitions" else "conversion_id"
        last = {body[identity]: body for body in self.bodies(topic)}
        return {key: lasting(body) for key, body in last.items() if body["op"] != "retract"}

    def numbers(self) -> dict[Cell, Sum]:
        """The published sums, as they are known now."""
        return known_now((record.key, record.value) for record in self.published if record.topic == "metrics")

    def dead_letters(self) -> set[tuple[str, str]]:
        """Id and fingerprint of the facts that lost; which copy of one was at hand depends on arrival."""
        lost = [json.loads(record.value or b"{}") for record in self.published if record.topic == "dead_letters"]
        return {(fact["id"], fact["fingerprint"]) for fact in lost}


def expected_ids(moves: Sequence[Move], matches: Sequence[Match], lineage: Lineage) -> set[str]:
    """The ids that a timeline publishes."""
    contents: list[Move | Match] = [*moves, *matches]
    return {publication_id(identity_of(content, lineage.name), lineage.subject) for content in contents}
