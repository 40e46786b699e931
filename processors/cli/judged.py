"""What the rules of a definition make of one event or one change, judged on it alone.

Logic is three-valued here: what the record does not say is unknown, and a rule that needs it `depends`. The fold itself knows the
lead's whole state, where nothing is unknown.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal

import msgspec

from processors.classification.predicates import TypeOf, compile_condition
from processors.classification.signals import fields_in
from processors.classification.unmet import Unmet, unmet
from processors.shown.wording import Rule, condition_words, unmet_words
from schemas.conditions import AllOf, AnyOf, Condition, FieldTest, Happened, Not, Signal
from schemas.definitions import Detour, Funnel, Outcome, Stage
from schemas.facts import Value

Verdict = Literal["matches", "depends", "does not match"]
Values = Mapping[str, Value]


class Judged(msgspec.Struct, frozen=True):
    """What one rule of one definition makes of it.

    Attributes:
        funnel: Name of the funnel.
        version: Of the definition.
        rule: As evidence names it, `stages.mql`.
        verdict: Whether it matches, or depends on what the lead was before.
        because: By what it matches, on what it depends, or every test that failed with the value found.
    """

    funnel: str
    version: int
    rule: str
    verdict: Verdict
    because: Sequence[str] = ()


class Judge:
    """Judges by one version of a funnel, at one instant (microseconds)."""

    def __init__(self, funnel: Funnel, type_of: TypeOf, instant: int) -> None:
        self._funnel = funnel
        self._type_of = type_of
        self._instant = instant

    def event(self, name: str, values: Values) -> list[Judged]:
        """The rules that name an event, conversions first.

        Args:
            name: Of the event.
            values: What of the event definitions read, by path; a path that is not there is missing.
        """
        found = []
        recognised: dict[str, Verdict] = {}
        taken: dict[str, str] = {}
        for conversion in self._funnel.all_conversions:
            judged = self._signals(f"conversions.{conversion.name}", conversion.when, name, values)
            if judged is not None and conversion.exclusive in taken and judged.verdict == "matches":
                because = f"{taken[conversion.exclusive]} comes first in the exclusive group {conversion.exclusive}"
                judged = msgspec.structs.replace(judged, verdict="does not match", because=[because])
            if judged is not None:
                found.append(judged)
                recognised[conversion.name] = judged.verdict
                if conversion.exclusive is not None and judged.verdict == "matches":
                    taken[conversion.exclusive] = conversion.name
        return [*found, *self._latched(name, values, recognised)]

    def _latched(self, event: str, values: Values, recognised: Mapping[str, Verdict]) -> Iterator[Judged]:
        for rule in self._funnel.places:
            by = [
                each
                for signal in rule.when
                for each in signal.conversions
                if recognised.get(each, "no") in ("matches", "depends")
            ]
            if by:
                verdict: Verdict = "matches" if any(recognised[each] == "matches" for each in by) else "depends"
                yield self._judged(_label(rule), verdict, [f"by conversion {name}" for name in by])
            elif (judged := self._signals(_label(rule), rule.when, event, values)) is not None:
                yield judged

    def _signals(self, label: str, signals: Iterable[Signal], name: str, values: Values) -> Judged | None:
        """What signals of which any suffices make of an event; None where none of them names it."""
        failed: list[str] = []
        conditional: list[str] = []
        for signal in signals:
            if name not in signal.events:
                continue
            missing = self._unmet(signal.where, values)
            if not missing and signal.condition is None:
                return self._judged(label, "matches")
            if not missing and signal.condition is not None:
                conditional.append(f"if at that moment {condition_words(signal.condition)}")
            failed += map(unmet_words, missing)
        if conditional:
            return self._judged(label, "depends", conditional)
        return self._judged(label, "does not match", failed) if failed else None

    def _unmet(self, where: Condition | None, values: Values) -> list[Unmet]:
        if where is None:
            return []
        return unmet(where, lambda part: self._holds(part, values, lambda _: None), values)

    def _holds(self, condition: Condition, values: Values, type_of: TypeOf) -> bool:
        return compile_condition(condition, self._funnel.orderings, type_of)(values, {}, self._instant)

    def change(self, values: Values) -> list[Judged]:
        """The stages, detours and outcomes that read a field of a change.

        Args:
            values: What it sets, by canonical field.
        """
        judged = []
        for rule in self._funnel.places:
            read = {field for condition in rule.while_ for field in fields_in(condition)}
            if read & set(values):
                judged.append(self._states(rule, values))
            elif rule.at in values:
                judged.append(self._judged(_label(rule), "depends", [f"{rule.at} gives the time of its entry"]))
        return judged

    def _states(self, rule: Rule, values: Values) -> Judged:
        truths = [(condition, self._truth(condition, values)) for condition in rule.while_]
        if any(truth is True for _, truth in truths):
            return self._judged(_label(rule), "matches")
        unknown = [part for condition, truth in truths if truth is None for part in self._parts(condition, values, None)]
        if unknown:
            return self._judged(
                _label(rule), "depends", [f"if {condition_words(part)}, of which it says nothing" for part in unknown]
            )
        false = [part for condition, _ in truths for part in self._parts(condition, values, False)]
        found = [Unmet(part, {field: values[field] for field in fields_in(part) if field in values}) for part in false]
        times = {field for field in values if self._type_of(field) == "time"}
        return self._judged(_label(rule), "does not match", [unmet_words(each, times) for each in found])

    def _truth(self, condition: Condition, values: Values) -> bool | None:
        """Whether a condition is true on these values alone; None where that depends on others."""
        match condition:
            case FieldTest(field=field):
                return self._holds(condition, values, self._type_of) if field in values else None
            case Happened():
                return None
            case Not(part=part):
                inner = self._truth(part, values)
                return None if inner is None else not inner
            case AllOf(parts=parts):
                truths = [self._truth(part, values) for part in parts]
                return False if False in truths else None if None in truths else True
            case AnyOf(parts=parts):
                truths = [self._truth(part, values) for part in parts]
                return True if True in truths else None if None in truths else False

    def _parts(self, condition: Condition, values: Values, truth: bool | None) -> list[Condition]:
        """The needed parts of a condition whose truth is this."""
        if isinstance(condition, AllOf):
            return [found for part in condition.parts for found in self._parts(part, values, truth)]
        return [condition] if self._truth(condition, values) is truth else []

    def _judged(self, label: str, verdict: Verdict, because: Sequence[str] = ()) -> Judged:
        return Judged(self._funnel.funnel, self._funnel.version, label, verdict, because)


def _label(rule: Rule) -> str:
    section = {Stage: "stages", Detour: "detours", Outcome: "outcomes"}[type(rule)]
    return f"{section}.{rule.name}"
