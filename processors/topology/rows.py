"""Rows: what the store holds behind a facts partition, and under which keys.

Every key is a letter and digests of fixed length, so an identifier of any length or content makes a key of one size
and all rows of an entity lie together. The same keys and bytes are mirrored in the changelog.

| key | row |
|---|---|
| `e` entity | `EntityRow`: who it is and how much it has published |
| `f` entity fact | `FactRow`: one accepted fact and what it caused to be published |
| `h` entity funnel | `HeadRow`: the state of one funnel before and after the last instant |

A row's array may grow at its end: roles and claims of the identity protocol have their place there.
"""

from hashlib import blake2b

import msgspec

from processors.stages.diff import Publication
from processors.stages.timeline import FunnelState
from schemas.facts import Fact


class EntityRow(msgspec.Struct, array_like=True, gc=False):
    """An entity: its identifier, and the sequence number of the last transition it published over all funnels."""

    id: str
    sequence: int = 0


class FactRow(msgspec.Struct, array_like=True, gc=False):
    """One accepted fact, the publications that it caused, and the fingerprints of records that lost against it."""

    fact: Fact
    publications: list[Publication] = []
    rejected: list[bytes] = []


class HeadRow(msgspec.Struct, array_like=True, gc=False):
    """Where the fold of one funnel stands: enough to take the next fact in order without reading history (invariant 8).

    Attributes:
        instant: The last instant with a fact, in microseconds.
        members: Keys of the facts of that instant.
        before: Encoded `FunnelState` before that instant.
        after: Encoded `FunnelState` after it.
    """

    instant: int
    members: tuple[bytes, ...]
    before: bytes
    after: bytes


encode = msgspec.msgpack.Encoder().encode
decode_entity = msgspec.msgpack.Decoder(EntityRow).decode
decode_fact = msgspec.msgpack.Decoder(FactRow).decode
decode_head = msgspec.msgpack.Decoder(HeadRow).decode
decode_state = msgspec.msgpack.Decoder(FunnelState).decode


def entity_row_key(entity: bytes) -> bytes:
    """Key of the entity's own row; `entity` is `schemas.facts.entity_key`."""
    return b"e" + entity


def fact_row_key(entity: bytes, fact: bytes) -> bytes:
    """Key of a fact's row; `fact` is `schemas.facts.fact_key`."""
    return b"f" + entity + fact


def facts_prefix(entity: bytes) -> bytes:
    """Prefix of the rows of all facts of an entity."""
    return b"f" + entity


def head_row_key(entity: bytes, funnel: str) -> bytes:
    """Key of a funnel's head row."""
    return b"h" + entity + blake2b(funnel.encode(), digest_size=8).digest()
