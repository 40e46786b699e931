"""Predicates: the conditions of the definitions language, compiled once to closures.

Logic is two-valued: every test of a missing value is false except `exists: false`, so unknown is never true.
"""

from collections.abc import Callable, Mapping, MutableMapping
from decimal import Decimal
from operator import ge, gt, le, lt
from typing import Any

import re2

from schemas.definitions import AllOf, AnyOf, Condition, FieldTest, Happened, Not
from schemas.facts import Value, is_missing
from schemas.fields import typed
from schemas.instants import parse_instant

Values = Mapping[str, Value]
Memory = MutableMapping[str, int]
Predicate = Callable[[Values, Memory, int], bool]
"""Takes the values, what happened, and the present instant in microseconds."""
Test = Callable[[Any], bool]
Orderings = Mapping[str, tuple[str, ...]]
TypeOf = Callable[[str], str | None]
"""The type of a state field: text, bool, number, decimal, time; None for an event path, which has none."""

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "at_least": ge,
    "at_most": le,
    "above": gt,
    "below": lt,
    "before": lt,
    "after": ge,
}


def always(values: Values, memory: Memory, now: int) -> bool:
    """The condition that is not there."""
    return True


def compile_condition(condition: Condition | None, orderings: Orderings, type_of: TypeOf) -> Predicate:
    """Compile a condition over state fields, or over the event paths of one event."""
    match condition:
        case None:
            return always
        case FieldTest():
            return _field(condition, orderings, type_of(condition.field))
        case Happened(conversions=names):
            return lambda values, memory, now: any(name in memory for name in names)
        case Not(part=part):
            inner = compile_condition(part, orderings, type_of)
            return lambda values, memory, now: not inner(values, memory, now)
        case AllOf(parts=parts):
            needed = [compile_condition(part, orderings, type_of) for part in parts]
            return lambda values, memory, now: all(part(values, memory, now) for part in needed)
        case AnyOf(parts=parts):
            options = [compile_condition(part, orderings, type_of) for part in parts]
            return lambda values, memory, now: any(part(values, memory, now) for part in options)


def _field(test: FieldTest, orderings: Orderings, kind: str | None) -> Predicate:
    field = test.field
    if test.operator == "passed":
        return lambda values, memory, now: _has_passed(values.get(field), now)
    passes = compile_test(test, orderings, kind)
    return lambda values, memory, now: passes(values.get(field))


def _has_passed(value: Value, now: int) -> bool:
    """A time that is not later than now (definitions, Operators)."""
    return isinstance(value, int) and not isinstance(value, bool) and value <= now


def compile_test(test: FieldTest, orderings: Orderings, kind: str | None) -> Test:
    """Compile the test of one value of type `kind` (None: as an event sent it)."""
    operator, operand = test.operator, test.operand
    if operator == "exists":
        return is_missing if operand is False else lambda value: not is_missing(value)
    if operator in ("equals", "in"):
        options = operand if isinstance(operand, tuple) else (operand,)
        return _any_equal([_equals(option, kind) for option in options])
    if operator == "matches":
        pattern = re2.compile(str(operand))
        return _guarded(lambda value: pattern.search(typed(value, "text")) is not None)
    if test.ordering is not None:
        return _ranked(operator, orderings[test.ordering], str(operand))
    compare = _COMPARE[operator]
    if operator in ("before", "after"):
        bound = parse_instant(str(operand))
        return _guarded(lambda value: compare(value if kind == "time" and type(value) is int else typed(value, "time"), bound))
    limit = Decimal(str(operand))
    return _guarded(lambda value: compare(_decimal(value), limit))


def _decimal(value: Any) -> Decimal:
    return Decimal(str(typed(value, "decimal")))


def _guarded(test: Test) -> Test:
    """False for a missing value, and for one that cannot be read as the test needs it."""

    def passes(value: Any) -> bool:
        if is_missing(value):
            return False
        try:
            return test(value)
        except ValueError:
            return False

    return passes


def _any_equal(tests: list[Test]) -> Test:
    return tests[0] if len(tests) == 1 else lambda value: any(test(value) for test in tests)


def _equals(literal: Any, kind: str | None) -> Test:
    """Equality as the field's type has it; for an event path the literal says how to read the value."""
    if kind == "time":
        instant = typed(literal, "time")
        return lambda value: value == instant
    if kind == "bool" or (kind is None and isinstance(literal, bool)):
        truth = typed(literal, "bool")
        return _guarded(lambda value: typed(value, "bool") is truth)
    if kind in ("number", "decimal") or (kind is None and isinstance(literal, int | float)):
        number = _decimal(literal)
        return _guarded(lambda value: _decimal(value) == number)
    text = typed(literal, "text")
    return _guarded(lambda value: value == text if isinstance(value, str) else typed(value, "text") == text)


def _ranked(operator: str, ordering: tuple[str, ...], operand: str) -> Test:
    """A comparison within a named ordering; a value outside it is never true, so outcomes are not 'further along' (rule 11)."""
    rank = {name: index for index, name in enumerate(ordering)}
    compare, limit = _COMPARE[operator], rank[operand]
    return _guarded(lambda value: (index := rank.get(str(typed(value, "text")))) is not None and compare(index, limit))
