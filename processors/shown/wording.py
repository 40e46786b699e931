"""Wording: rules of a definition as a person would say them, for `graph`, `docs` and `explain`.

Definitions are written for a machine to judge; here each node of a condition and each signal becomes a phrase that a marketer
reads without the language at hand: `deal.stage is validated`, `the event Demo Requested`.
"""

from collections.abc import Callable, Container, Iterable, Mapping
from typing import Any

from processors.classification.signals import fields_in
from processors.classification.unmet import Unmet
from schemas.conditions import AllOf, AnyOf, Condition, FieldTest, Happened, Not, Scalar, Signal
from schemas.definitions import Count, Detour, Expiry, Outcome, Stage
from schemas.facts import Value, is_missing
from schemas.instants import format_instant
from schemas.mistakes import all_of, one_of
from schemas.quantities import format_duration

Rule = Stage | Detour | Outcome

_COMPARED = {
    "at_least": "is at least",
    "at_most": "is at most",
    "above": "is above",
    "below": "is below",
    "before": "is before",
    "after": "is on or after",
}
_COUNTED = {
    "every": "every match counts",
    "once_per_lead": "once per lead",
    "once_per_deal": "once per deal",
    "once_per_session": "once per session",
}


def condition_words(condition: Condition) -> str:
    """A condition as a phrase, with parts in parentheses where the phrase would else be read in two ways."""
    match condition:
        case FieldTest():
            return test_words(condition)
        case Happened(conversions=names):
            return f"{one_of(names)} has happened"
        case Not(part=part):
            return f"not ({condition_words(part)})"
        case AllOf(parts=parts):
            return " and ".join(_grouped(part, AnyOf) for part in parts)
        case AnyOf(parts=parts):
            return " or ".join(_grouped(part, AllOf) for part in parts)


def _grouped(part: Condition, other: type[AllOf] | type[AnyOf]) -> str:
    words = condition_words(part)
    return f"({words})" if isinstance(part, other) and len(part.parts) > 1 else words


def test_words(test: FieldTest) -> str:
    """One test of one field as a phrase."""
    operand = test.operand if isinstance(test.operand, tuple) else (test.operand,)
    if test.operator == "exists":
        return f"{test.field} has {'a' if test.operand is True else 'no'} value"
    if test.operator == "passed":
        return f"{test.field} has passed"
    if test.operator == "matches":
        return f"{test.field} matches {test.operand}"
    if test.operator in ("equals", "in"):
        return f"{test.field} is {one_of(map(_scalar, operand))}"
    order = f" in {test.ordering}" if test.ordering is not None else ""
    return f"{test.field} {_COMPARED[test.operator]} {_scalar(operand[0])}{order}"


def _scalar(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def value_words(value: Value, *, time: bool = False) -> str:
    """A value that was found, as a person would say it; an instant of a time field as ISO 8601."""
    if is_missing(value):
        return "missing"
    if time and isinstance(value, int) and not isinstance(value, bool):
        return format_instant(value)
    return _scalar(value) if value is not None else ""


def signal_words(signal: Signal) -> str:
    """A signal as a phrase."""
    if signal.conversions:
        return f"conversion {one_of(signal.conversions)}"
    words = f"event {one_of(signal.events)}"
    if signal.where is not None:
        words += f" where {condition_words(signal.where)}"
    return words if signal.condition is None else f"{words}, while {condition_words(signal.condition)}"


def signals_words(signals: Iterable[Signal]) -> str:
    """Signals of which any suffices, as a phrase."""
    return _either(signals, signal_words)


def conditions_words(conditions: Iterable[Condition]) -> str:
    """Conditions of which any suffices, as a phrase."""
    return _either(conditions, condition_words)


def _either(parts: Iterable[Signal] | Iterable[Condition], words: Callable[..., str]) -> str:
    return ", or ".join(words(part) for part in parts)


def rule_words(rule: Rule) -> str:
    """What enters a stage, detour or outcome: the signals that latch it, the state in which it holds."""
    ways = []
    if rule.when:
        ways.append(f"when: {signals_words(rule.when)}")
    if rule.while_:
        ways.append(f"while: {conditions_words(rule.while_)}")
    return "; or ".join(ways)


def traits_words(stage: Stage) -> list[str]:
    """What else the definition says of a stage, a phrase each."""
    traits = []
    if stage.optional:
        traits.append("optional: passing it is no skip")
    if stage.lapse == "keep":
        traits.append("kept when its criteria lapse")
    if stage.expires is not None:
        traits.append(expiry_words(stage.expires))
    if stage.resets:
        traits.append("starts the later stages anew")
    if stage.sla is not None:
        traits.append(f"expected to be left within {format_duration(stage.sla)}")
    return traits


def expiry_words(expiry: Expiry) -> str:
    """When a stage ends by itself."""
    return f"ends {format_duration(expiry.after)} after its {expiry.anchor} signal"


def count_words(count: Count) -> str:
    """How matches of a conversion are counted."""
    if count.window is not None:
        return f"once per {format_duration(count.window)} from the last counted match"
    return _COUNTED[count.method]


def list_words(names: Iterable[str]) -> str:
    """Names added up, or a dash for none."""
    found = list(names)
    return all_of(found) if found else "-"


def unmet_words(part: Unmet, times: Container[str] = ()) -> str:
    """What is false, and the values that make it so: `deal.stage is won (it is lead_in)`.

    Args:
        part: A part of a condition that is false.
        times: Fields that hold instants.
    """
    fields = fields_in(part.part)
    values = [value_words(part.found.get(field), time=field in times) for field in fields]
    if isinstance(part.part, FieldTest):
        return f"{condition_words(part.part)} (it is {values[0]})"
    now = all_of(f"{field} is {value}" for field, value in zip(fields, values, strict=True)) if fields else ""
    return f"{condition_words(part.part)} ({now or 'it has not'})"


_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


def date_words(instant: int) -> str:
    """An instant as a person says it, in UTC: `5 January 2026, 10:00`; seconds only where there are some."""
    date, _, time = format_instant(instant).removesuffix("Z").partition("T")
    year, month, day = date.split("-")
    clock = time[:5] if time[5:] == ":00" else time[:8]
    return f"{int(day)} {_MONTHS[int(month) - 1]} {int(year)}, {clock}"


def place_name(position: Mapping[str, Any] | None, nowhere: str) -> str:
    """The stage, outcome or detour that a published position names; `nowhere` where there is none."""
    named = ((position or {}).get(kind) for kind in ("stage", "outcome", "detour"))
    return str(next(filter(None, named), nowhere))
