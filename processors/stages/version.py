"""One version of a funnel, compiled (`lineage` has all of them); what is looked up often it derives from its rules."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec

from processors.stages.rules import Amount, Classify, ConversionRule, OutcomeRule, RateRule, Rule, SegmentRule, StageRule


class Version(msgspec.Struct, frozen=True, kw_only=True, eq=False):
    """One version of one funnel.

    Attributes:
        funnel: Its name.
        number: Its version.
        digest: `sha256:` of the definition.
        subject: The grain it counts.
        walks_deals: Whether every deal has a published position of its own (`also: [deal]`, or `subject: deal`).
        effective_from: Instant from which its rules apply; before the first one's only property values are kept.
        keeps: State fields of which values are kept: those that any version of the funnel reads.
        lateness: Microseconds; a fact whose record reached the broker later than this after its event time is not used (rule 19).
        backward: What a move backwards does: allow, flag, ignore.
        flag_skips: Whether skipped stages flag the transition.
        reenter: Whether an own signal after an outcome starts a new path.
        times: State fields that hold instants.
        authority: Field to sources, first with a value wins; only of fields that several sources write.
        classify: The funnel's conversions.
        conversions: Conversion name to who answers for it and what it reads.
        segments: Values that every publication carries.
        value: What is captured at every entry.
        rates: Its rates; of a version in a lineage those of the versions before it, too, since their cohorts go on counting.
        retired: Stage of an earlier version to the one that takes over, None where it is removed (rule 23).
        rules: Stages, detours and outcomes by name; derived.
        fired_by: Rules by the name of an event that can fire them; derived.
        latched_by: Rules by the name of a conversion that latches them; derived.
        fired_on_own: Names of rules on the subject's own record, by the name of an event that fires them in any way; derived.
        touched_by: Names of segments of the first or last touch, by the name of an event that can be their touch; derived.
        resetting: Stages that recycle later ones; derived.
        expiring: Stages whose latches end by themselves; derived.
        passing: Fields that some rule waits for to pass; derived.
        own_stages, own_outcomes, deal_stages, deal_outcomes: By what they are judged on; derived.
        touching: Segments of the first or last touch; derived.
        timed: Whether anything in it arms a timer; derived.
        recalls: Whether what is true now can depend on which conversions happened; derived.
        steady: Whether a position shows something else only after a move, a touch, or a fact about a record: no stage has a
            service level, and none that is kept while its criteria lapse waits for a time or a conversion; derived.
        renewable: Whether an event that latches nothing new changes nothing that holds or is shown (`stages.renewal`); derived.
        plain: Whether a position never shows more than itself: no deals, no flags, no segments; derived.
    """

    funnel: str
    number: int
    digest: str
    subject: str
    walks_deals: bool
    effective_from: int
    lateness: int
    backward: Literal["allow", "flag", "ignore"]
    flag_skips: bool
    reenter: bool
    times: frozenset[str]
    authority: Mapping[str, tuple[str, ...]]
    classify: Classify
    conversions: Mapping[str, ConversionRule]
    keeps: frozenset[str]
    stages: tuple[StageRule, ...]
    detours: tuple[Rule, ...]
    outcomes: tuple[OutcomeRule, ...]
    segments: tuple[SegmentRule, ...] = ()
    value: Amount | None = None
    rates: tuple[RateRule, ...] = ()
    retired: Mapping[str, str | None] = {}
    rules: Mapping[str, Rule] = {}
    fired_by: Mapping[str, Sequence[Rule]] = {}
    latched_by: Mapping[str, Sequence[Rule]] = {}
    fired_on_own: Mapping[str, Sequence[str]] = {}
    touched_by: Mapping[str, Sequence[str]] = {}
    resetting: tuple[StageRule, ...] = ()
    expiring: tuple[StageRule, ...] = ()
    passing: tuple[str, ...] = ()
    own_stages: tuple[StageRule, ...] = ()
    own_outcomes: tuple[OutcomeRule, ...] = ()
    deal_stages: tuple[StageRule, ...] = ()
    deal_outcomes: tuple[OutcomeRule, ...] = ()
    touching: tuple[SegmentRule, ...] = ()
    timed: bool = False
    recalls: bool = False
    steady: bool = False
    plain: bool = False
    renewable: bool = False

    def __post_init__(self) -> None:
        """Derive what is looked up often."""
        rules: tuple[Rule, ...] = (*self.stages, *self.detours, *self.outcomes)
        fired_by: dict[str, list[Rule]] = {}
        latched_by: dict[str, list[Rule]] = {}
        for rule in rules:
            for event in rule.fires:
                fired_by.setdefault(event, []).append(rule)
            for conversion in rule.latched_by:
                latched_by.setdefault(conversion, []).append(rule)
        touching = tuple(segment for segment in self.segments if segment.rule in ("first_touch", "last_touch"))
        steady = not any(stage.sla is not None or (stage.keep and (stage.passing or stage.conversions)) for stage in self.stages)
        expiring = tuple(stage for stage in self.stages if stage.expires is not None)
        passing = tuple(dict.fromkeys(field for rule in rules for field in rule.passing))  # never in the order of a set
        resetting = tuple(stage for stage in self.stages if stage.resets)
        timed = bool(expiring or passing or any(stage.sla is not None for stage in self.stages))
        recalls = any(rule.holds is not None and rule.conversions for rule in rules)
        derived = {
            "rules": {rule.name: rule for rule in rules},
            "fired_by": fired_by,
            "latched_by": latched_by,
            "resetting": resetting,
            "expiring": expiring,
            "passing": passing,
            "own_stages": tuple(stage for stage in self.stages if not stage.of_deals),
            "own_outcomes": tuple(outcome for outcome in self.outcomes if not outcome.of_deals),
            "deal_stages": tuple(stage for stage in self.stages if stage.of_deals),
            "deal_outcomes": tuple(outcome for outcome in self.outcomes if outcome.of_deals),
            "touching": touching,
            "touched_by": self._touched_by(touching, rules),
            "timed": timed,
            "recalls": recalls,
            "fired_on_own": self._fired_on_own(rules),
            "renewable": not (timed or recalls or resetting or self.reenter)  # steady as well: what waits is timed, or recalls
            and not any(segment.rule == "last_touch" for segment in touching),
            "steady": steady,
            "plain": not self.segments
            and not any(rule.of_deals for rule in rules)
            and not any(stage.keep or stage.sla is not None for stage in self.stages),
        }
        for name, value in derived.items():
            msgspec.structs.force_setattr(self, name, value)

    def _fired_on_own(self, rules: Iterable[Rule]) -> dict[str, list[str]]:
        fired: dict[str, list[str]] = {}
        for rule in rules:
            for event in self._events(rule.fires, rule.latched_by) if not rule.of_deals else ():
                fired.setdefault(event, []).append(rule.name)
        return fired

    def _touched_by(self, touching: Iterable[SegmentRule], rules: Iterable[Rule]) -> dict[str, list[str]]:
        matched = self._events((event for rule in rules for event in rule.fires), self.conversions)
        touched: dict[str, list[str]] = {}
        for segment in touching:
            for event in matched if segment.touches is None else self._events(segment.touches, segment.conversions):
                touched.setdefault(event, []).append(segment.name)
        return touched

    def _events(self, named: Iterable[str], conversions: Iterable[str]) -> dict[str, None]:
        """Events that are named, and those that can be one of the conversions; each once, in order."""
        return dict.fromkeys((*named, *(event for name in conversions for event in self.conversions[name].events)))
