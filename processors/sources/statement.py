"""What a decoder makes of one record: statements, before identities are mapped and unused values are dropped.

A decoder knows one outside format and nothing of funnels; `topology.ingest` turns its statements into facts. Every decoder
keeps the contract of `Decoder` (one contract test runs over all of them).
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import msgspec

from schemas.facts import FactKind, Provenance


class SourceRecord(msgspec.Struct, frozen=True, gc=False):
    """One record of a source topic, as read."""

    source: str
    topic: str
    partition: int
    offset: int
    timestamp: int
    """Kafka time of the record, in microseconds."""
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]] = ()


class Statement(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One normalised statement of a record.

    Attributes:
        kind: See `schemas.facts.Fact`.
        identifiers: The record's identifiers as the format names them (`userId`, `traits.email`, `contact.objectId`), as text;
            the source's `identifiers` map these names to namespaces. A missing one is left out.
        occurred_at: Event time in microseconds; None where the record names none (the broker's time stands in).
        source_order: Order within one instant, from the payload; else 0.
        id: The record's own id; None where it has none (the fingerprint stands in).
        fingerprint: 16-byte digest of the normalised content, without transport fields such as sentAt, receivedAt, attemptNumber.
        name: Event name; empty for other kinds.
        event: For events: what `event.*` paths are read from, by first segment (properties, context, campaign, page, session_id).
        properties: For changes: property values by the name the source gives them (`lifecyclestage`, `traits.plan`), as sent.
        about: Entity kind that the properties describe: lead, deal or account. (A record of a CRM's contact is about a lead.)
        change_source: Who made the change in the source system, where the record says so.
        provenance: snapshot where the record is a whole object rather than a change; backfill where it was imported.
        element: Index within the record's array; 0 where the record is none.
        target: For link and attach: the identifiers of the other side, named like `identifiers`.
    """

    kind: FactKind
    identifiers: Mapping[str, str]
    occurred_at: int | None
    source_order: int = 0
    id: str | None
    fingerprint: bytes
    name: str = ""
    event: Mapping[str, Any] = {}
    properties: Mapping[str, Any] = {}
    about: str = "lead"
    change_source: str | None = None
    provenance: Provenance = "live"
    target: Mapping[str, str] = {}
    element: int = 0


class Undecodable(Exception):
    """The record, or one element of it, cannot be used: it becomes a dead letter.

    Attributes:
        reason: A short fixed word for grouping and metrics: `not_json`, `not_utf8`, `wrong_shape`, `empty`, `no_identifier`, ...
        sentence: What is wrong and where, for the person who reads the dead letter.
    """

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason
        self.sentence = sentence


MOST_FAULTS = 200
"""Bad elements of one array that are told one by one, of further ones only the number: HubSpot sends 100 events at most."""


class Decoded(msgspec.Struct, frozen=True, gc=False):
    """The statements of one record, and the elements of it that could not be used (index within the array, why)."""

    statements: Sequence[Statement]
    faults: Sequence[tuple[int, Undecodable]] = ()
    """The first `MOST_FAULTS`: a record of a megabyte can have half a million."""
    more_faults: int = 0
    unused: str | None = None
    """Why a record was not decoded further: the event's name is one that no definition uses (a counted drop)."""


class Decoder(Protocol):
    """Turns one record of a format into statements.

    `decode` never blocks, keeps nothing between calls, and gives equal statements for equal records, whatever their
    transport fields, partition or arrival. It raises `Undecodable` and nothing else, whatever the bytes.
    """

    def decode(self, record: SourceRecord) -> Decoded:
        """Decode one record; raises `Undecodable` when nothing in it can be used."""
        ...
