"""Rows: what the store holds behind a facts partition, and under which keys.

Every key is a letter and digests of fixed length, so an identifier of any length or content makes a key of one size
and all rows of an entity lie together. The same keys and bytes are mirrored in the changelog.

| key | row |
|---|---|
| `e` entity | `EntityRow`: who it is and how much it has published |
| `f` entity fact | `FactRow`: one accepted fact and what it caused to be published |
| `h` entity funnel | `HeadRow`: the open page of one funnel's history, the state before and after the last instant |
| `p` entity funnel time | `Page`: an older stretch of that history, the newest first |
| `t` time entity funnel | the entity's identifier: a timer of this subject may be due then |
| `m` day cell | `SumRow`: a partial sum of the published numbers |
| `w` | `Watermarks` of the partition |

A row's array may grow at its end: roles and claims of the identity protocol have their place there.
"""

from hashlib import blake2b
from typing import NamedTuple

import msgspec

from processors.metrics.cells import Cell, Sum
from processors.stages.diff import Publication
from processors.stages.state import FunnelState, Glance
from schemas.facts import Fact
from schemas.instants import FIRST

FORMAT = 4
"""Of the rows; part of the digest that they are written under, so that no release reads what another wrote differently."""


class EntityRow(msgspec.Struct, array_like=True, gc=False):
    """An entity: its identifier, and the sequence number of the last transition it published over all funnels."""

    id: str
    sequence: int = 0


class FactRow(msgspec.Struct, array_like=True, gc=False):
    """One accepted fact, the publications that it caused, and the fingerprints of records that lost against it."""

    fact: Fact
    publications: list[Publication] = []
    rejected: list[bytes] = []


class Step(msgspec.Struct, array_like=True, gc=False):
    """One instant of a history, in microseconds, and the keys of its facts."""

    instant: int
    members: tuple[bytes, ...]


class Page(msgspec.Struct, array_like=True, gc=False):
    """A stretch of the history of one funnel, see `topology.history`.

    Attributes:
        start: No fact before this instant belongs to it, in microseconds.
        opening: Encoded `FunnelState` that it begins with.
        steps: Its instants, in order.
    """

    start: int
    opening: bytes
    steps: list[Step]


class HeadRow(msgspec.Struct, array_like=True, gc=False):
    """Where the fold of one funnel stands: enough to take the next fact in order without reading history (invariant 8).

    Attributes:
        page: The open page; its last instant is the last one with a fact.
        before: Encoded `FunnelState` before that instant, and before the timers that were due by it.
        after: Encoded `FunnelState` after it. Timers that fired since are not in it: a fact may come that is older than they are.
        as_of: Until when timers after the last instant have fired, in microseconds; 0 where none is ever armed.
        due: Instant under which the subject stands among the timers; 0 for none. Never later than its next timer.
    """

    page: Page
    before: bytes
    after: bytes
    as_of: int = 0
    due: int = 0

    @property
    def last(self) -> Step:
        """The last instant with a fact."""
        return self.page.steps[-1]


class Watermarks(msgspec.Struct, array_like=True, gc=False):
    """How far every source partition has been read, as far as this facts partition was told (identity, Time).

    Attributes:
        of: Source topic and partition to the largest watermark, in microseconds; only of those that the last watermark lists.
        as_of: Until when timers may fire here; 0 until every source partition has written one.
        fired: Until when all have: no timer is due earlier, since what is due when it is armed fires at once.
    """

    of: dict[str, int] = {}
    as_of: int = 0
    fired: int = FIRST


class SumRow(msgspec.Struct, array_like=True, gc=False):
    """A partial sum, and what it is of (invariant 4)."""

    cell: Cell
    sum: Sum


encode = msgspec.msgpack.Encoder().encode
encode_sum = msgspec.json.Encoder(order="deterministic").encode
"""Of a `SumRow`: in whatever order its parts came together, equal sums are equal bytes. JSON, whose integers have no end."""
decode_entity = msgspec.msgpack.Decoder(EntityRow).decode
decode_fact = msgspec.msgpack.Decoder(FactRow).decode
decode_head = msgspec.msgpack.Decoder(HeadRow).decode
decode_page = msgspec.msgpack.Decoder(Page).decode
decode_watermarks = msgspec.msgpack.Decoder(Watermarks).decode
decode_sum = msgspec.json.Decoder(SumRow).decode
decode_state = msgspec.msgpack.Decoder(FunnelState).decode
decode_glance = msgspec.msgpack.Decoder(Glance).decode


def entity_row_key(entity: bytes) -> bytes:
    """Key of the entity's own row; `entity` is `schemas.facts.entity_key`."""
    return b"e" + entity


def fact_row_key(entity: bytes, fact: bytes) -> bytes:
    """Key of a fact's row; `fact` is `schemas.facts.fact_key`."""
    return b"f" + entity + fact


def facts_prefix(entity: bytes) -> bytes:
    """Prefix of the rows of all facts of an entity."""
    return b"f" + entity


def funnel_key(funnel: str) -> bytes:
    """The 8 bytes that name a funnel in keys."""
    return blake2b(funnel.encode(), digest_size=8).digest()


def head_row_key(entity: bytes, funnel: bytes) -> bytes:
    """Key of a funnel's head row; `funnel` is `funnel_key`."""
    return b"h" + entity + funnel


def pages_prefix(entity: bytes, funnel: bytes) -> bytes:
    """Prefix of a funnel's full pages."""
    return b"p" + entity + funnel


def page_key(prefix: bytes, start: int) -> bytes:
    """Key of a page by its first instant in microseconds: a later one sorts before an earlier one."""
    return prefix + (_LAST - start).to_bytes(8, "big")


def sum_key(cell: Cell) -> bytes:
    """Key of a sum: by the day it is about, the earliest first, and behind them what is about no day; last who stands where."""
    day = (cell.day + _OFFSET if cell.day is not None else 2 * _OFFSET - 1).to_bytes(8, "big")
    digest = blake2b(msgspec.msgpack.encode(cell), digest_size=16).digest()
    return (STANDING_PREFIX if cell.kind == "standing" else DAYS_PREFIX) + day + digest


WATERMARKS_KEY = b"w"
DAYS_PREFIX = b"md"
STANDING_PREFIX = b"ms"
TIMERS_PREFIX = b"t"
_TIME, _ENTITY = slice(1, 9), slice(9, 25)


def timers_from(due: int) -> bytes:
    """Where the timers of an instant in microseconds, and of later ones, begin."""
    return TIMERS_PREFIX + (due + _OFFSET).to_bytes(8, "big")


def timer_key(due: int, entity: bytes, funnel: bytes) -> bytes:
    """Key of a timer's row: by its instant in microseconds, so that those due lie first."""
    return timers_from(due) + entity + funnel


class TimerKey(NamedTuple):
    """What the key of a timer's row says."""

    due: int
    entity: bytes
    funnel: bytes


def read_timer_key(key: bytes) -> TimerKey:
    """Instant, entity and funnel of a timer's row."""
    return TimerKey(int.from_bytes(key[_TIME], "big") - _OFFSET, key[_ENTITY], key[25:])


_OFFSET = 1 << 63
"""Makes instants before 1970 sort before later ones."""
_LAST = 2**63 - 1
