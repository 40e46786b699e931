"""The timeline of one subject in one funnel: its moves, its conversions, and the state that the next instant continues from.

All are msgspec structs written as arrays: the state is the head row of the store, moves and matches are kept with what was
published. They hold nothing that depends on arrival: no broker time, no coordinates, no sequence.
"""

from typing import Literal

import msgspec

from schemas.facts import Value

Place = Literal["stage", "outcome", "detour"]
MoveKind = Literal["advance", "regress", "outcome", "reopen", "detour", "return", "withdraw", "notice"]


class Point(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A position: where, since when (microseconds), and the how-manieth entry it is (1, 2, ...; rule 8)."""

    place: Place
    name: str
    entered_at: int
    entry: int


class Move(msgspec.Struct, array_like=True, frozen=True, gc=False, kw_only=True):
    """One change of a timeline: the content of a transition.

    Attributes:
        kind: See design, section 9. A notice moves nothing.
        source: Position before, None for none.
        target: Position after, None for none.
        effective_at: When it became true, in microseconds.
        rule: The rule that decided it, `stages.sql`.
        read: What the rule read, by field.
        cause: Key of the lowest-ordered fact of its instant that the rule read. One is named, so that further signals of an
            instant refresh nothing (rule 4) and an instant of many facts stays small.
        skipped: Non-optional stages passed without being entered.
        flags: policy_violation:skip, policy_violation:backward, criteria_lapsed.
    """

    kind: MoveKind
    source: Point | None
    target: Point | None
    effective_at: int
    rule: str
    read: dict[str, Value]
    cause: bytes
    skipped: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()


class Match(msgspec.Struct, array_like=True, frozen=True, gc=False, kw_only=True):
    """One recognised conversion: the content of a conversion record.

    Attributes:
        name: Of the conversion.
        fact: Key of the event's fact.
        effective_at: Event time, in microseconds.
        counted: False for a repeat that the counting method does not count (rule 3).
        advanced: Whether this event moved the subject through a rule that reads this conversion (rule 1).
        read: What of the event was read, by path.
    """

    name: str
    fact: bytes
    effective_at: int
    counted: bool
    advanced: bool
    read: dict[str, Value]


class Visits(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How often a place was entered, first and last when (microseconds)."""

    count: int
    first_at: int
    last_at: int


class FunnelState(msgspec.Struct, array_like=True, gc=False):
    """All that the fold must remember of one subject in one funnel after an instant; bounded by the definition.

    Attributes:
        values: Property values, last writer in event time. A field under authority is also kept per source, as `field@source`.
        deleted: Whether the subject's own record is deleted (rule 16).
        memory: See `rules.Memory`.
        latches: Stage or outcome whose `when` fired: first and last time, in microseconds.
        kept: Stages with `lapse: keep` that were true once: whether their `while` holds now.
        outcome: The outcome whose rule is true and since when.
        position: Where the subject stands.
        moved_at: Effective time of the last move: no entry lies before it.
        left: The stage that was left for a detour.
        furthest: Index of the furthest stage ever entered; -1 for none. Outcomes do not count (rule 11).
        visits: Entries by place name.
    """

    values: dict[str, Value] = {}
    deleted: bool = False
    memory: dict[str, int] = {}
    latches: dict[str, tuple[int, int]] = {}
    kept: dict[str, bool] = {}
    outcome: tuple[str, int] | None = None
    position: Point | None = None
    moved_at: int | None = None
    left: Point | None = None
    furthest: int = -1
    visits: dict[str, Visits] = {}
