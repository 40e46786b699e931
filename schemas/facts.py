"""Facts: the normalised record, and the messages that carry it on the `facts` topic and in the store.

A fact says: at this time, this source says this about this entity. These shapes are internal (msgspec, MessagePack,
written as arrays); what other systems read is in `records.py`. An array may grow at its end: a reader of an older
version ignores what it does not know, a newer one fills in the default. The first element of a message on the facts
topic is its tag, so the messages of the identity protocol and watermarks can join without touching the records that
are there.
"""

from functools import lru_cache
from hashlib import blake2b
from typing import Literal

import msgspec

FactKind = Literal["event", "change", "link", "attach", "delete", "restore", "erase", "gap"]
Provenance = Literal["live", "snapshot", "backfill"]

Value = str | int | float | bool | None
"""A property value as facts carry it: text, number, bool, an instant for fields of type time, decimals as their text;
None, like a text of no characters, is *missing* (definitions, Operators)."""


LONGEST_TEXT = 2_048
"""Characters of a text that a fact carries of a value; what is longer is cut there. A value is stored and published several times
over, and a record that Kafka refuses would stop the worker for ever."""


class Coordinates(msgspec.Struct, array_like=True, frozen=True, gc=False, order=True):
    """Where a source record lies: topic, partition, offset. Evidence only; never part of an identity."""

    topic: str
    partition: int
    offset: int


class Fact(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="fact", kw_only=True):
    """One normalised statement about one entity.

    Attributes:
        kind: What the record says: event (something happened), change (property values), delete, restore; link (two
            identifiers are one entity), attach (this deal belongs to that lead), erase and gap are decoded already and used
            by later
            parts of the protocol.
        entity: The identifier it is addressed to, `namespace:value`; also the key on the facts topic.
        occurred_at: Event time, in microseconds.
        source_order: Orders facts of one instant where the payload knows an order (sequence number, LSN); else 0.
        source: Name of the configured source.
        id: The source's own id of the record, else a fingerprint of its content. Unique per source.
        fingerprint: Digest of the normalised content: tells a duplicate from a conflict (semantics, rule 20).
        name: Event name; empty for other kinds.
        values: Event paths (`event.properties.plan`) or canonical fields (`lead.status`) that definitions use, typed.
        broker_time: Kafka time of the source record, in microseconds: decides once and for all whether it came too late
            (rule 19).
        coordinates: Of the source record.
        change_source: Who changed it in the source system (user, import, integration), where it says so.
        provenance: live, or snapshot/backfill where the source marks it so.
        deal: The deal's own identifier, where a fact about a deal is addressed to the lead that the deal belongs to; else empty.
    """

    kind: FactKind
    entity: str
    occurred_at: int
    source_order: int = 0
    source: str
    id: str
    fingerprint: bytes
    name: str = ""
    values: dict[str, Value] = {}
    broker_time: int
    coordinates: Coordinates
    change_source: str | None = None
    provenance: Provenance = "live"
    deal: str = ""


class Watermark(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="watermark", kw_only=True):
    """How far one source partition has been read, written to every facts partition by the owner of the source partition.

    A facts partition fires timers up to the smallest watermark of all source partitions, once each of them has written one.

    Attributes:
        source: Topic and partition that it speaks for.
        at: Instant in microseconds: the clock's while the partition is caught up, else the largest event or broker time read.
        sources: Every source partition of the application there was then; the facts partition waits for each of them.
    """

    source: tuple[str, int]
    at: int
    sources: tuple[tuple[str, int], ...]


class Continue(msgspec.Struct, array_like=True, frozen=True, gc=False, tag="continue"):
    """Written by a facts partition to itself where more timers are due than one record may fire: the next ones follow."""


Message = Fact | Watermark | Continue
"""What travels on the facts topic."""


def is_missing(value: object) -> bool:
    """Never set, null and the empty text are one thing (definitions, Operators)."""
    return value is None or value == ""


def fact_key(source: str, identity: str) -> bytes:
    """The 16 bytes that name a fact in the store and in the ids of what it caused: a digest of its source and its id."""
    return blake2b(f"{source}\0{identity}".encode(), digest_size=16).digest()


@lru_cache(maxsize=1 << 14)  # who is active has several facts
def entity_key(entity: str) -> bytes:
    """The 16 bytes that name an entity in the store: a digest of its identifier, so that every key has one length."""
    return blake2b(entity.encode(), digest_size=16).digest()


def accepted_order(fact: Fact) -> tuple[bytes, int, Coordinates]:
    """Of several records with one source and id the smallest by this order is accepted, whatever arrived first (rule 20).

    Another fingerprint is a conflict. Among equal ones the earliest broker time wins: an on-time copy beats a late one (rule 19).
    """
    return fact.fingerprint, fact.broker_time, fact.coordinates
