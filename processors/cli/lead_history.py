"""A lead's history as it is explained: plain values, for `telling` and for programs. Times are ISO 8601 in UTC."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec


class Source(msgspec.Struct, frozen=True):
    """The source record that a fact came from."""

    source: str
    id: str
    topic: str
    partition: int
    offset: int
    change_source: str | None


class Told(msgspec.Struct, frozen=True):
    """One operation that was published: what it said then, and when it was recorded."""

    op: str
    recorded_at: str
    kind: str
    from_: str | None
    to: str | None
    effective_at: str
    skipped: Sequence[str]
    flags: Sequence[str]


class Moved(msgspec.Struct, frozen=True):
    """One move, and what decided it. `said` is the rule in words, `told` what was published of it, the last being the present."""

    at: str
    kind: str
    from_: str | None
    to: str | None
    entry: int | None
    skipped: Sequence[str]
    flags: Sequence[str]
    rule: str
    said: str
    read: Mapping[str, Any]
    timer: bool
    fact: Source
    told: Sequence[Told]


class Way(msgspec.Struct, frozen=True):
    """One way to a place: all that it needs and that is not true now. `deal` is the deal that it is judged on."""

    deal: str
    needs: Sequence[str]


class Missing(msgspec.Struct, frozen=True):
    """What is missing for a place: any of the ways suffices."""

    place: str
    ways: Sequence[Way]


class Converted(msgspec.Struct, frozen=True):
    """One recognised conversion."""

    name: str
    at: str
    counted: bool
    advanced: bool


class OnFunnel(msgspec.Struct, frozen=True):
    """Where the lead, or one of its deals, stands in a funnel, and how it got there.

    Attributes:
        funnel: Name of the funnel.
        version: That judges it now.
        grain: Of the position.
        deal: Whose position it is; empty for the lead's own.
        place: Where it stands; None for nowhere.
        since: Of the entry.
        entry: How many times it has entered there.
        path: Every move, in order.
        conversions: In order; empty for a deal.
        taken_back: What was published and is not so: the operations of each.
        missing: For the next stage; after the last one for every outcome.
        unpublished: Moves that were not published as they are here: the worker is behind, or runs with other definitions.
    """

    funnel: str
    version: int
    grain: str
    deal: str
    place: str | None
    since: str | None
    entry: int | None
    path: Sequence[Moved]
    conversions: Sequence[Converted]
    taken_back: Sequence[Sequence[Told]]
    missing: Sequence[Missing]
    unpublished: int
