"""Source records for tests of decoders, and the decoders as most tests configure them."""

import json
from collections.abc import Callable
from typing import Any

from processors.sources import decoder_for
from processors.sources.statement import Decoded, Decoder, SourceRecord, Undecodable
from schemas.mapping import RecordMapping

IDENTIFIERS = {
    "segment": ("anonymousId", "userId"),
    "hubspot": ("contact.objectId", "deal.objectId", "company.objectId"),
    "mapping": ("user", "quote"),
}
SHOP: dict[str, Any] = {
    "id": "entry",
    "time": {"path": "at"},
    "records": [
        {"where": {"kind": "paid"}, "event": "Order Paid", "identifiers": {"customer": "user"}, "properties": {"revenue": "sum"}},
        {
            "where": {"kind": ["quote", "offer"]},
            "change": "deal",
            "identifiers": {"number": "quote"},
            "attach": {"customer": "user"},
            "set": {"deal.stage": "step"},
        },
        {"where": {"kind": "void"}, "delete": "deal", "identifiers": {"number": "quote"}, "attach": {"customer": "user"}},
    ],
}
"""A shop whose records are orders and quotes."""
MAPPINGS = {"mapping": RecordMapping.model_validate(SHOP)}


def record(value: bytes | None, *, topic: str = "source.topic", partition: int = 0, offset: int = 0) -> SourceRecord:
    return SourceRecord("source", topic, partition, offset, timestamp=offset, key=None, value=value)


def decoder(name: str, *, used_events: frozenset[str] | None = None, nesting: int = 64) -> Decoder:
    return decoder_for(
        name,
        used_events=used_events,
        identifiers=IDENTIFIERS[name],
        session=None,
        nesting=nesting,
        mapping=MAPPINGS.get(name),
    )


def decode(name: str, body: object) -> Decoded:
    return decoder(name).decode(record(json.dumps(body).encode()))


def outcome(decode_one: Callable[[SourceRecord], Decoded], value: bytes | None) -> Any:
    """What a record becomes, comparable: its statements and faults, or the reason it cannot be decoded."""
    try:
        decoded = decode_one(record(value))
    except Undecodable as fault:
        return fault.reason
    return list(decoded.statements), [(index, fault.reason) for index, fault in decoded.faults], decoded.unused
