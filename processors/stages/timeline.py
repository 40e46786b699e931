"""The timeline of one subject in one funnel: its moves and its conversions.

They are msgspec structs written as arrays, and kept with what was published. They hold nothing that depends on arrival: no broker
time, no coordinates, no sequence.
"""

from typing import Literal

import msgspec

from schemas.facts import Value

Place = Literal["stage", "outcome", "detour"]
MoveKind = Literal["advance", "regress", "expire", "outcome", "reopen", "detour", "return", "withdraw", "notice"]
Money = tuple[str, str]
"""An amount as a decimal's text, and its ISO 4217 code (rule 28)."""

OWN = ""
"""In the place of a deal's identifier: the subject itself."""


class Point(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A position: where, since when (microseconds), and the how-manieth entry it is (1, 2, ...; rule 8).

    `known` is False where a whole record told of it and not when: such an entry begins no length (rule 21).
    """

    place: Place
    name: str
    entered_at: int
    entry: int
    known: bool = True


class Stay(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A stay in a place that a move ended.

    Attributes:
        place: Of what kind.
        name: Of the place.
        length: In microseconds, without detours; None where the entry's time is not known.
        segments: Segment values at its entry (rule 26).
        missed: The stage whose service level it missed (rule 29): its name then, and empty for none.
    """

    place: Place
    name: str
    length: int | None
    segments: dict[str, str]
    missed: str = ""


class Move(msgspec.Struct, array_like=True, frozen=True, gc=False, kw_only=True):
    """One change of a timeline: the content of a transition.

    Attributes:
        kind: See design, section 9. A notice moves nothing.
        source: Position before, None for none.
        target: Position after, None for none.
        effective_at: When it became true, in microseconds.
        rule: The rule that decided it, `stages.sql`.
        read: What the rule read, by field.
        cause: Key of the lowest-ordered fact of its instant that the rule read; of a timer the fact that armed it. One is named,
            so that further signals of an instant refresh nothing (rule 4) and an instant of many facts stays small.
        instant: When it was judged, in microseconds: the time of the facts or of the timer.
        version: Number of the definition's version that was applied (rule 23).
        skipped: Non-optional stages passed without being entered.
        flags: policy_violation:skip, policy_violation:backward, criteria_lapsed, sla_missed, customer.
        deal: The deal whose position it is; empty for the subject's own.
        timer: Whether time alone caused it.
        segments: Segment to the value it had then (rule 26).
        value: Amount and currency at that moment, where the funnel captures them.
        stays: That it ended: one, or two where a detour is left for good.
    """

    kind: MoveKind
    source: Point | None
    target: Point | None
    effective_at: int
    rule: str
    read: dict[str, Value]
    cause: bytes
    instant: int
    version: int
    skipped: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    deal: str = OWN
    timer: bool = False
    segments: dict[str, str] = {}
    value: Money | None = None
    stays: tuple[Stay, ...] = ()


class Match(msgspec.Struct, array_like=True, frozen=True, gc=False, kw_only=True):
    """One recognised conversion: the content of a conversion record.

    Attributes:
        name: Of the conversion.
        fact: Key of the event's fact.
        effective_at: Event time, in microseconds.
        version: Number of the definition's version that was applied.
        counted: False for a repeat that the counting method does not count (rule 3).
        advanced: Whether this event moved the subject through a rule that reads this conversion (rule 1).
        read: What of the event was read, by path.
        segments: Segment to the value it had then (rule 26).
        value: Amount and currency of the event, where the conversion captures them.
    """

    name: str
    fact: bytes
    effective_at: int
    version: int
    counted: bool
    advanced: bool
    read: dict[str, Value]
    segments: dict[str, str] = {}
    value: Money | None = None

    @property
    def instant(self) -> int:
        """When it was judged: at its own time."""
        return self.effective_at
