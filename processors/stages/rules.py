"""What the fold knows of a definition: one funnel version, compiled, without text, files or positions.

`topology.program` builds these from the validated definition and the predicates of `classification`; the fold only
calls them.
"""

from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Literal

import msgspec

from processors.stages.timeline import Place
from schemas.facts import Fact, Value

Values = Mapping[str, Value]
Memory = MutableMapping[str, int]
"""Conversion name to the instant of its last counted match: all that counting and `happened` need to remember."""

Predicate = Callable[[Values, Memory], bool]
"""A condition on the subject's state: its values, and what happened."""

Fires = Callable[[Fact, Values, Memory], bool]
"""Does this event fire the signal, given the state at its instant?"""

Classify = Callable[[Fact, Values, Memory], Sequence[tuple[str, bool]]]
"""The conversions an event is (name, counted rather than repeat), remembered in the memory that is passed."""


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
        conversions: Conversions it reads, by `when` or `happened`.
        paths: Event paths it reads, for evidence.
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
    conversions: frozenset[str] = frozenset()
    paths: tuple[str, ...] = ()


class StageRule(Rule, frozen=True, kw_only=True):
    """An ordered stage.

    Attributes:
        optional: Passing it is no skip.
        keep: It stays when its `while` lapses.
        resets: It recycles later stages.
    """

    optional: bool = False
    keep: bool = False
    resets: bool = False


class OutcomeRule(Rule, frozen=True, kw_only=True):
    """An outcome; only a won one infers the stages that were passed (rule 11)."""

    won: bool = False


class ConversionRule(msgspec.Struct, frozen=True, kw_only=True):
    """A conversion's owner, and what it reads (evidence): event paths, and the state fields of its `if`."""

    owner: str
    paths: tuple[str, ...] = ()
    fields: tuple[str, ...] = ()


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """One version of one funnel.

    Attributes:
        funnel: Its name.
        key: The bytes that name the funnel in the store.
        number: Its version.
        digest: `sha256:` of the definition.
        subject: The grain it counts.
        effective_from: Instant from which its rules apply; before it only property values are kept.
        lateness: Microseconds; a fact whose record reached the broker later than this after its event time is not used (rule 19).
        backward: What a move backwards does: allow, flag, ignore.
        flag_skips: Whether skipped stages flag the transition.
        reenter: Whether an own signal after an outcome starts a new path.
        times: State fields that hold instants.
        authority: Field to sources, first with a value wins; only of fields that several sources write.
        classify: The funnel's conversions.
        conversions: Conversion name to who answers for it and what it reads.
        rules: Stages, detours and outcomes by name; derived.
        fired_by: Rules by the name of an event that can fire them; derived.
        latched_by: Names of rules by the name of a conversion that latches them; derived.
        resetting: Stages that recycle later ones; derived.
    """

    funnel: str
    key: bytes
    number: int
    digest: str
    subject: str
    effective_from: int
    lateness: int
    backward: Literal["allow", "flag", "ignore"]
    flag_skips: bool
    reenter: bool
    times: frozenset[str]
    authority: Mapping[str, tuple[str, ...]]
    classify: Classify
    conversions: Mapping[str, ConversionRule]
    stages: tuple[StageRule, ...]
    detours: tuple[Rule, ...]
    outcomes: tuple[OutcomeRule, ...]
    rules: Mapping[str, Rule] = {}
    fired_by: Mapping[str, Sequence[Rule]] = {}
    latched_by: Mapping[str, Sequence[str]] = {}
    resetting: tuple[StageRule, ...] = ()

    def __post_init__(self) -> None:
        """Derive what is looked up often."""
        rules: tuple[Rule, ...] = (*self.stages, *self.detours, *self.outcomes)
        fired_by: dict[str, list[Rule]] = {}
        latched_by: dict[str, list[str]] = {}
        for rule in rules:
            for event in rule.fires:
                fired_by.setdefault(event, []).append(rule)
            for conversion in rule.latched_by:
                latched_by.setdefault(conversion, []).append(rule.name)
        derived = {
            "rules": {rule.name: rule for rule in rules},
            "fired_by": fired_by,
            "latched_by": latched_by,
            "resetting": tuple(stage for stage in self.stages if stage.resets),
        }
        for name, value in derived.items():
            msgspec.structs.force_setattr(self, name, value)
