"""What the fold knows of a definition: the rules of one version of a funnel, compiled, without text, files or positions.

`topology.program` builds these from the validated definition and the predicates of `classification`; the fold only
calls them.
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Literal

import msgspec

from processors.stages.timeline import Place
from schemas.facts import Fact, Value
from schemas.instants import FIRST

Values = Mapping[str, Value]
Memory = MutableMapping[str, int]
"""What counting and `happened` need to remember: conversion name to the instant of its last counted match; with more behind a
zero byte, the instant of one deal's or one session's match (`classification.counting`)."""

Predicate = Callable[[Values, Memory, int], bool]
"""A condition on the subject's state: its values, what happened, and the present instant in microseconds."""

Fires = Callable[[Fact, Values, Memory], bool]
"""Does this event fire the signal, given the state at its instant?"""

Classify = Callable[[Fact, str, Values, Memory], Sequence[tuple[str, bool]]]
"""The conversions an event is (name, counted rather than repeat), remembered in the memory that is passed.

Takes the event, the deal that it belongs to (empty for none), and the values of subject and deal."""


class Expiry(msgspec.Struct, frozen=True):
    """A latch ends `after` microseconds after its first or last signal (rule 10)."""

    after: int
    sliding: bool


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """A stage, detour or outcome: when it fires, while it holds, and what it reads.

    Attributes:
        place: Whether it is a stage, a detour or an outcome.
        name: As the definition names it; unique within the version.
        label: How evidence names the rule: `stages.mql`, `outcomes.won`.
        index: Position within its list: the order of a funnel's stages, the precedence of outcomes and detours.
        fires: Events that latch it (`when: {event: ...}`), by name: any of the tests must pass, and None is one that always does.
        latched_by: Conversions that latch it (`when: {conversion: ...}`).
        holds: Its `while`; None without one.
        at: Field that gives the entry time (an instant).
        fields: State fields it reads, for evidence.
        passing: Fields of its `while` that it waits for to pass: each arms a timer.
        conversions: Conversions it reads, by `when` or `happened`.
        paths: Event paths it reads, for evidence.
        of_deals: Whether it reads `deal.*`: it is judged once per deal (rule 13).
    """

    place: Place
    name: str
    label: str
    index: int
    fires: Mapping[str, tuple[Fires | None, ...]] = {}
    latched_by: frozenset[str] = frozenset()
    holds: Predicate | None = None
    at: str | None = None
    fields: tuple[str, ...] = ()
    passing: tuple[str, ...] = ()
    conversions: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()
    of_deals: bool = False


class StageRule(Rule, frozen=True, kw_only=True):
    """An ordered stage.

    Attributes:
        optional: Passing it is no skip.
        keep: It stays when its `while` lapses.
        resets: It recycles later stages.
        expires: When its latch ends by itself.
        sla: Microseconds a stay may last before it misses its service level (rule 29).
    """

    optional: bool = False
    keep: bool = False
    resets: bool = False
    expires: Expiry | None = None
    sla: int | None = None


class OutcomeRule(Rule, frozen=True, kw_only=True):
    """An outcome; only a won one infers the stages that were passed (rule 11)."""

    won: bool = False


class Amount(msgspec.Struct, frozen=True):
    """The fields that carry an amount and its currency (rule 28)."""

    amount: str
    currency: str


class ConversionRule(msgspec.Struct, frozen=True, kw_only=True):
    """A conversion's owner, what it reads (evidence): event paths, and the state fields of its `if`; and the events it can be."""

    owner: str
    paths: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()
    value: Amount | None = None
    events: tuple[str, ...] = ()


class SegmentRule(msgspec.Struct, frozen=True, kw_only=True):
    """A value by which the numbers are split, snapshotted by its rule (rule 26).

    Attributes:
        name: Of the segment.
        rule: Whose value counts: of the first or last touch, at an entry, or the current one.
        sources: Fields and event paths of which the first with a value counts.
        touches: Events that count as a touch, by name, with their tests; None: every event that this funnel matches.
        conversions: Conversions that count as a touch.
    """

    name: str
    rule: Literal["first_touch", "last_touch", "at_entry", "current"]
    sources: tuple[str, ...]
    touches: Mapping[str, Fires | None] | None = None
    conversions: frozenset[str] = frozenset()


class RateRule(msgspec.Struct, frozen=True, kw_only=True):
    """A cohort rate (rule 24).

    Attributes:
        name: What metrics call it.
        start: Stage or outcome that the units have entered.
        end: That they get to.
        within: Microseconds between the two at most; None: unbounded.
        touched: Whether passing a place does not count.
        of_deals: Whether deals are the units, and not the funnel's subjects.
        to_outcome: Whether the end is an outcome.
        won: Whether it is one that is won.
        since: Instant in microseconds before which no cohort begins: the start of the version that was the first to have it. Who
            had entered before counts in none, since not all of them would ever be looked at again (rule 23).
    """

    name: str
    start: str
    end: str
    within: int | None
    touched: bool
    of_deals: bool
    to_outcome: bool
    won: bool
    since: int = FIRST - 1
