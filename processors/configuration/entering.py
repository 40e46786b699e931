"""Stages, detours and outcomes: keys that fit together, and rules that somebody could ever satisfy."""

from collections.abc import Iterator
from typing import Any

from processors.configuration.outline import POSITIONS, Outline, Rule
from schemas.conditions import AllOf, AnyOf, Condition, FieldTest, Signal
from schemas.instants import parse_instant
from schemas.mistakes import Mistake, shown


def check_entering(outline: Outline) -> Iterator[Mistake]:
    """What makes a rule unsatisfiable, or a key of it pointless."""
    for rule in outline.of(*POSITIONS):
        yield from _keys_that_need_others(rule)
    for rule in outline.rules:
        yield from _never(rule)
    yield from _validity(outline)
    yield from _grains(outline)
    for path, segment in outline.named("segments"):
        if isinstance(segment, dict) and "touch" in segment and segment.get("rule") in ("at_entry", "current"):
            yield Mistake((*path, "touch"), f"touch has no meaning for {segment['rule']}: leave it out", of_key=True)


def _keys_that_need_others(rule: Rule) -> Iterator[Mistake]:
    keys = rule.keys
    if "when" not in keys and "while" not in keys:
        sentence = f"{rule.word} {rule.name} has neither when nor while: nobody could ever enter it; write one of them"
        yield Mistake(rule.path, sentence)
    if "lapse" in keys and "while" not in keys:
        yield Mistake((*rule.path, "lapse"), "lapse without while: only a state can lapse; leave lapse out", of_key=True)
    if "expires" in keys and "when" not in keys:
        sentence = "expires on a state: only what `when` latched expires; leave it out, or write `when`"
        yield Mistake((*rule.path, "expires"), sentence, of_key=True)
    if keys.get("resets") is True and "when" not in keys:
        yield Mistake(
            (*rule.path, "resets"),
            "resets without when: it is an event that resets; write `when`, or leave resets out",
            of_key=True,
        )


def _never(rule: Rule) -> Iterator[Mistake]:
    for path, signal in rule.signals:
        if reason := _signal_contradiction(signal):
            yield Mistake(path, f"{rule.word} {rule.name} can never be reached by this signal: {reason}")
    for path, condition in rule.conditions:
        if reason := contradiction(condition):
            yield Mistake(path, f"{rule.word} {rule.name} can never be entered by this state: {reason}")


def _signal_contradiction(signal: Signal) -> str | None:
    return next((reason for part in (signal.where, signal.condition) if part and (reason := contradiction(part))), None)


def contradiction(condition: Condition) -> str | None:
    """Why a condition can never be true, as far as that is plain to see; None where it is not."""
    if isinstance(condition, FieldTest):
        return _empty_test(condition)
    if isinstance(condition, AnyOf):
        reasons = [contradiction(part) for part in condition.parts]
        return reasons[0] if all(reasons) else None
    if isinstance(condition, AllOf):
        inner = next((reason for part in condition.parts if (reason := contradiction(part))), None)
        return inner or _clash(list(_tests(condition)))
    return None


def _empty_test(test: FieldTest) -> str | None:
    if test.operand == ():
        return f"the list for {test.field} is empty; write the values that count"
    if test.operator == "equals" and test.operand == "":
        return f"an empty {test.field} is missing, and no test of a missing value is true; write {test.field}: {{exists: false}}"
    return None


def _tests(condition: AllOf) -> Iterator[FieldTest]:
    for part in condition.parts:
        if isinstance(part, AllOf):
            yield from _tests(part)
        elif isinstance(part, FieldTest):
            yield part


def _clash(tests: list[FieldTest]) -> str | None:
    by_field: dict[str, list[FieldTest]] = {}
    for test in tests:
        by_field.setdefault(test.field, []).append(test)
    return next((reason for field, found in by_field.items() if (reason := _clash_of(field, found))), None)


def _clash_of(field: str, tests: list[FieldTest]) -> str | None:
    absent = [test.operator == "exists" and test.operand is False for test in tests]
    if any(absent) and not all(absent):
        return f"{field} would have to be missing and have a value at once; leave one of the two tests out"
    listed = [_values(test) for test in tests if test.operator in ("equals", "in")]
    if listed and not set.intersection(*listed):
        wanted = " and ".join(sorted({shown(value) for values in listed for value in values}))
        return f"{field} would have to be {wanted} at once; write a list, {field}: [a, b], if either will do"
    return f"no {field} is within these bounds; swap them" if _empty_range(tests) else None


def _values(test: FieldTest) -> set[str]:
    operands = test.operand if isinstance(test.operand, tuple) else (test.operand,)
    return {str(operand).lower() if isinstance(operand, bool) else str(operand) for operand in operands}


def _empty_range(tests: list[FieldTest]) -> bool:
    unordered = [test for test in tests if test.ordering is None]
    lowest = [
        (_number(test.operand), test.operator == "above") for test in unordered if test.operator in ("at_least", "above", "after")
    ]
    highest = [
        (_number(test.operand), test.operator in ("below", "before"))
        for test in unordered
        if test.operator in ("at_most", "below", "before")
    ]
    return any(low > high or (low == high and (open_low or open_high)) for low, open_low in lowest for high, open_high in highest)


def _number(operand: Any) -> float:
    return parse_instant(operand) if isinstance(operand, str) else operand


def _validity(outline: Outline) -> Iterator[Mistake]:
    if outline.is_library:
        return
    starts, shadow = "effective_from" in outline.keys, outline.keys.get("shadow") is True
    if starts and shadow:
        yield Mistake(("shadow",), "a shadow has no effective_from: leave one of the two out", of_key=True)
    if not starts and not shadow:
        mend = "write effective_from: 2026-01-01, or shadow: true to try it out"
        yield Mistake(("effective_from",), f"effective_from missing: nothing says from when its rules apply; {mend}")


def _grains(outline: Outline) -> Iterator[Mistake]:
    subject, also = outline.keys.get("subject"), outline.keys.get("also")
    reads_deals = any(rule.reads("deal") for rule in outline.of(*POSITIONS))
    if subject == "deal" and not reads_deals:
        yield Mistake(
            ("subject",), "subject deal, but no stage or outcome reads deal.*: write a rule that does, or subject: lead"
        )
    listed = also if isinstance(also, list) else []
    for index, grain in enumerate(listed):
        if grain == subject or grain in listed[:index]:
            yield Mistake(("also", index), f"{grain} is counted already: `also` lists further grains; leave it out")
        elif grain == "deal" and not reads_deals:
            yield Mistake(
                ("also", index), "also deal, but no stage or outcome reads deal.*: write a rule that does, or leave it out"
            )
