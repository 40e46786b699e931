"""Conditions that can never be true: values that exclude each other, bounds with nothing between, conversions that never match.

What is not plain passes: a condition is refused only for a reason that can be told in one sentence.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from schemas.conditions import AllOf, AnyOf, Condition, FieldTest, Happened, Not, Signal
from schemas.instants import parse_instant
from schemas.mistakes import shown

_LOWEST = ("at_least", "above", "after")
_HIGHEST = ("at_most", "below", "before")
_OPEN = ("above", "below", "before")


class Known(NamedTuple):
    """What conditions are judged by.

    Attributes:
        able: The conversions that can match.
        orderings: The orderings of the file, by name.
    """

    able: Collection[str]
    orderings: Mapping[str, Sequence[str]]


def signal_contradiction(signal: Signal, known: Known) -> str | None:
    """Why a signal can never fire; None where that is not plain."""
    if signal.conversions and not any(name in known.able for name in signal.conversions):
        return _never_match(signal.conversions)
    return next((reason for part in (signal.where, signal.condition) if part and (reason := contradiction(part, known))), None)


def contradiction(condition: Condition, known: Known) -> str | None:
    """Why a condition can never be true; None where that is not plain."""
    match condition:
        case FieldTest():
            return _empty_test(condition) or _clash_of(condition.field, [condition], known.orderings)
        case Happened(conversions=names):
            return None if any(name in known.able for name in names) else _never_match(names)
        case AnyOf(parts=parts):
            reasons = [contradiction(part, known) for part in parts]
            return reasons[0] if all(reasons) else None
        case AllOf(parts=parts):
            inner = next((reason for part in parts if (reason := contradiction(part, known))), None)
            return inner or _clash([*_flat(condition)], known.orderings)
        case Not():
            return None


def _never_match(names: Sequence[str]) -> str:
    which = f"conversion {names[0]}" if len(names) == 1 else f"none of the conversions {', '.join(names)}"
    return f"{which} can {'never' if len(names) == 1 else 'ever'} match; mend that first, or name another"


def _empty_test(test: FieldTest) -> str | None:
    if test.operand == ():
        return f"the list for {test.field} is empty; write the values that count"
    if test.operator == "equals" and test.operand == "":
        return f"an empty {test.field} is missing, and no test of a missing value is true; write {test.field}: {{exists: false}}"
    return None


def _flat(condition: AllOf) -> Iterator[Condition]:
    for part in condition.parts:
        if isinstance(part, AllOf):
            yield from _flat(part)
        else:
            yield part


def _clash(parts: Sequence[Condition], orderings: Mapping[str, Sequence[str]]) -> str | None:
    wanted = {*parts}
    denied = next((part.part for part in parts if isinstance(part, Not) and part.part in wanted), None)
    if denied is not None:
        what = denied.field if isinstance(denied, FieldTest) else "a condition"
        return f"the same test of {what} would have to be true and false at once; leave one of the two out"
    by_field: dict[str, list[FieldTest]] = {}
    for part in parts:
        if isinstance(part, FieldTest):
            by_field.setdefault(part.field, []).append(part)
    return next((reason for field, found in by_field.items() if (reason := _clash_of(field, found, orderings))), None)


def _clash_of(field: str, tests: list[FieldTest], orderings: Mapping[str, Sequence[str]]) -> str | None:
    absent = [test.operator == "exists" and test.operand is False for test in tests]
    if any(absent) and not all(absent):
        return f"{field} would have to be missing and have a value at once; leave one of the two tests out"
    listed = [_values(test) for test in tests if test.operator in ("equals", "in")]
    if listed and not set.intersection(*listed):
        wanted = " and ".join(sorted({shown(value) for values in listed for value in values}))
        return f"{field} would have to be {wanted} at once; write a list, {field}: [a, b], if either will do"
    ordered: dict[str | None, list[FieldTest]] = {}
    for test in tests:
        ordered.setdefault(test.ordering, []).append(test)
    empty = any(_empty_range(found, name, orderings) for name, found in ordered.items())
    return f"no {field} is within these bounds; swap them" if empty else None


def _values(test: FieldTest) -> set[str]:
    operands = test.operand if isinstance(test.operand, tuple) else (test.operand,)
    return {str(operand).lower() if isinstance(operand, bool) else str(operand) for operand in operands}


def _empty_range(tests: Sequence[FieldTest], ordering: str | None, orderings: Mapping[str, Sequence[str]]) -> bool:
    """Whether nothing lies between the bounds: of numbers and instants, or of places in an ordering, which are whole."""
    if ordering is not None and ordering not in orderings:  # which is reported where it is named
        return False
    values = None if ordering is None else orderings[ordering]
    bounds = [(test.operator, _place(test.operand, values)) for test in tests]
    lowest = [(low, operator in _OPEN) for operator, low in bounds if operator in _LOWEST and low is not None]
    highest = [(high, operator in _OPEN) for operator, high in bounds if operator in _HIGHEST and high is not None]
    if values is not None and (lowest or highest):
        lowest += [(0, False)]
        highest += [(len(values) - 1, False)]
        lowest = [(low + 1, False) if is_open else (low, False) for low, is_open in lowest]
        highest = [(high - 1, False) if is_open else (high, False) for high, is_open in highest]
    return any(low > high or (low == high and (open_low or open_high)) for low, open_low in lowest for high, open_high in highest)


def _place(operand: Any, values: Sequence[str] | None) -> float | None:
    """A bound as a number; None for a value outside its ordering, which is reported where it stands."""
    if values is not None:
        return values.index(str(operand)) if str(operand) in values else None
    if isinstance(operand, bool | tuple):
        return None
    try:
        return parse_instant(operand) if isinstance(operand, str) else operand
    except ValueError:
        return None
