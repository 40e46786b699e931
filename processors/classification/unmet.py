"""Unmet: which parts of a condition are false, and on which values, so that a person can be told why a rule does not hold."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from processors.classification.signals import fields_in
from schemas.conditions import AllOf, AnyOf, Condition
from schemas.facts import Value

Judge = Callable[[Condition], bool]
"""Whether a condition is true now."""


class Unmet(NamedTuple):
    """A false part of a condition that must become true: a test, `happened`, `not`, or an `any` none of whose parts holds."""

    part: Condition
    found: Mapping[str, Value]
    """The values it reads, by field; a field that was never set is not there."""


def unmet(condition: Condition, holds: Judge, values: Mapping[str, Value]) -> list[Unmet]:
    """The parts that keep a condition from being true, in the order they are written; none where it is true.

    Args:
        condition: Of a rule.
        holds: Judges a part of it, on the same values.
        values: What it reads.
    """
    if holds(condition):
        return []
    match condition:
        case AllOf(parts=parts) | AnyOf(parts=parts) if isinstance(condition, AllOf) or len(parts) == 1:
            return [each for part in parts for each in unmet(part, holds, values)]
        case _:
            return [Unmet(condition, {field: values[field] for field in fields_in(condition) if field in values})]
