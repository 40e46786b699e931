"""Source records for the tests of ingest, and what it makes of them.

The funnel reads a few paths and fields; two sources share their leads.
"""

import json
from typing import Any

import msgspec

from processors.sources.statement import SourceRecord
from processors.topology.effects import Effects
from processors.topology.ingest import Ingest
from processors.topology.program import Program
from schemas.facts import Fact
from schemas.instants import MILLISECOND
from tests.unit.stages.notation import definition
from tests.worlds import START, program

FUNNEL = """
conversions:
  - name: signup
    description: Signed up.
    when: {event: Signup, event.properties.plan: [pro, team], event.context.device.type: {exists: true}}
stages:
  - {name: a, when: [{conversion: signup}, {event: Demo}]}
  - {name: b, while: {lead.plan: pro, lead.need: true, lead.score: {above: 3}, lead.status: [open, hot]}}
"""
IDENTITY: dict[str, Any] = {
    "namespaces": [
        {"name": "contact", "kind": "lead", "from": ["crm"]},
        {"name": "user", "kind": "lead"},
        {"name": "email", "kind": "lead", "normalise": "email"},
        {"name": "anonymous", "kind": "visitor"},
        {"name": "deal", "kind": "deal"},
    ],
    "ignore": ["staff"],
    "hash_key": "0123456789abcdef",
}
SOURCES: dict[str, Any] = {
    "web": {
        "topics": ["web.events"],
        "format": "segment",
        "identifiers": {"userId": "user", "traits.email": "email", "anonymousId": "anonymous", "traits.crm": "contact"},
        "fields": {
            "lead.plan": {"from": "traits.plan"},
            "lead.score": {"from": "traits.score", "type": "number"},
            "lead.unread": {"from": "traits.unread"},
        },
    },
    "crm": {
        "topics": ["crm.changes"],
        "format": "hubspot",
        "identifiers": {"contact.objectId": "contact", "deal.objectId": "deal"},
        "fields": {
            "lead.need": {"from": "need", "type": "bool"},
            "lead.status": {"from": "status", "values": {"1": "open", "2": "hot", "true": "cold"}, "unlisted": "dead_letter"},
            "lead.score": {"from": "score", "type": "number"},
        },
    },
}
AUTHORITY = {"lead.score": ["crm", "web"]}


def build(text: str = FUNNEL, **changes: Any) -> Program:
    return program(definition(text), **{"identity": IDENTITY, "sources": SOURCES, "authority": AUTHORITY, **changes})


LEADS = build()
PEOPLE = program(definition(FUNNEL, subject="visitor"), identity=IDENTITY, sources=SOURCES, authority=AUTHORITY)


def ingest(body: Any, *, source: str = "web", world: Program = LEADS, at: int = START, headers: Any = ()) -> Effects:
    value = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    return Ingest(world)(SourceRecord(source, f"{source}.topic", 3, 42, at, b"key", value, headers))


def facts(effects: Effects) -> list[Fact]:
    return [msgspec.msgpack.decode(record.value or b"", type=Fact) for record in effects.published if record.topic == "facts"]


def fact(body: Any, **options: Any) -> Fact:
    (found,) = facts(ingest(body, **options))
    return found


def counted(effects: Effects) -> list[tuple[str, ...]]:
    return list(effects.counts)


def letter(effects: Effects) -> tuple[bytes | None, dict[str, str]]:
    """The one dead letter: its value and its headers."""
    (record,) = [record for record in effects.published if record.topic == "dead_letters"]
    return record.value, {name: (value or b"").decode() for name, value in record.headers}


def call(kind: str = "track", **changes: Any) -> dict[str, Any]:
    said = {"type": kind, "userId": "7", "messageId": "m1", "timestamp": "2026-01-01T00:00:00Z", **changes}
    return {key: value for key, value in said.items() if value is not None}


def demo(**changes: Any) -> dict[str, Any]:
    return call(event="Demo", **changes)


def identify(**traits: Any) -> dict[str, Any]:
    return call("identify", traits=traits)


def webhook(subscription: str, **changes: Any) -> dict[str, Any]:
    return {"subscriptionType": subscription, "objectId": 151, "occurredAt": START // MILLISECOND, "portalId": 1, **changes}


def change(name: str, value: Any, **changes: Any) -> dict[str, Any]:
    return webhook("contact.propertyChange", **{"propertyName": name, "propertyValue": value, **changes})
