"""Published transitions, conversions and lead snapshots as a recount reads them: what it needs of `schemas.records`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Literal

import msgspec

from processors.metrics.outlines import PlaceKind
from schemas.instants import instant_of


class Subject(msgspec.Struct, frozen=True):
    """Whom a record is about."""

    kind: str
    id: str


class Position(msgspec.Struct, frozen=True):
    """A place; exactly one of stage, outcome and detour is there."""

    entered_at: datetime
    entry: int
    stage: str | None = None
    outcome: str | None = None
    detour: str | None = None

    @property
    def place(self) -> tuple[PlaceKind, str]:
        """Of what kind it is, and its name."""
        if self.stage is not None:
            return "stage", self.stage
        return ("outcome", self.outcome) if self.outcome is not None else ("detour", str(self.detour))


class Value(msgspec.Struct, frozen=True):
    """An amount of money."""

    amount: Decimal
    currency: str


class Stay(msgspec.Struct, frozen=True):
    """A stay that a move ended."""

    place: PlaceKind
    name: str
    seconds: float | None
    segments: Mapping[str, str]
    sla_missed: str | None


class Cause(msgspec.Struct, frozen=True):
    """Why it was published: fact, timer, or one of those to come."""

    kind: str


class Transition(msgspec.Struct, frozen=True, rename={"source": "from", "target": "to"}):
    """A move of a position, or a notice that moves nothing."""

    transition_id: str
    revision: int
    op: Literal["announce", "amend", "retract"]
    sequence: int
    funnel: str
    version: int
    subject: Subject
    deal: str | None
    kind: str
    source: Position | None
    target: Position | None
    skipped: Sequence[str]
    flags: Sequence[str]
    effective_at: datetime
    cause: Cause
    provenance: str
    segments: Mapping[str, str]
    value: Value | None
    stays: Sequence[Stay]

    @property
    def at(self) -> int:
        """When it became true, in microseconds."""
        return instant_of(self.effective_at)


class Conversion(msgspec.Struct, frozen=True):
    """An event that was recognised as a conversion."""

    conversion_id: str
    revision: int
    op: Literal["announce", "amend", "retract"]
    funnel: str
    subject: Subject
    deal: str | None
    name: str
    count: Literal["counted", "repeat"]
    advanced: bool
    effective_at: datetime
    segments: Mapping[str, str]
    value: Value | None

    @property
    def at(self) -> int:
        """When it happened, in microseconds."""
        return instant_of(self.effective_at)


class Lead(msgspec.Struct, frozen=True):
    """Where a subject, or one of its deals, stands now."""

    funnel: str
    version: int
    subject: Subject
    deal: str | None
    position: Position | None
    furthest: str | None
    flags: Sequence[str]
    segments: Mapping[str, str]
    value: Value | None
