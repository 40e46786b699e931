"""The operators of a field test as they are written: which there are, and what each may be given."""

from typing import Any, get_args

from schemas.conditions import Operator
from schemas.instants import parse_instant
from schemas.mistakes import one_of, shown, suggestion

COMPARISONS: tuple[Operator, ...] = ("at_least", "at_most", "above", "below")
WRITTEN: dict[str, Operator] = {name: name for name in get_args(Operator) if name not in ("equals", "in")}
"""Equality and membership have no word of their own: a plain value, a list."""


def unknown_operator(field: str, operator: Any) -> str:
    """The sentence for a key that is no operator."""
    if operator in ("in", "any", "one_of"):
        return f"{operator} is no operator: write the list itself, {field}: [a, b]"
    if operator in ("equals", "eq", "is"):
        return f"{operator} is no operator: write the value itself, {field}: value"
    return f"{operator} is no operator{suggestion(operator, WRITTEN)} (there are {one_of(WRITTEN)})"


def operand_complaint(operator: Operator, operand: Any, *, ordered: bool) -> str | None:
    """What is wrong with the operand, as a sentence; None when nothing is.

    Args:
        operator: One of `WRITTEN`.
        operand: As written.
        ordered: Whether the test compares by an ordering (`of`).
    """
    if operator == "exists":
        return None if isinstance(operand, bool) else f"exists is true or false, not {shown(operand)}"
    if operator == "passed":
        return None if operand is True else "passed takes only true: for the opposite write not: {FIELD: {passed: true}}"
    if operator in ("before", "after"):
        return _instant_complaint(operator, operand)
    if operator == "matches":
        return None if isinstance(operand, str) else f"matches takes a pattern as text, not {shown(operand)}"
    if ordered:
        fits = isinstance(operand, str | int | float)
        return None if fits else f"{operator} takes one value of the ordering, not {shown(operand)}"
    if isinstance(operand, bool) or not isinstance(operand, int | float):
        return f"{operator} compares numbers, not {shown(operand)}: write a number, or name the ordering with of: ORDERING"
    return None


def _instant_complaint(operator: str, operand: Any) -> str | None:
    try:
        parse_instant(operand)
    except (TypeError, ValueError, OverflowError):
        return f"{operator} takes a point in time, not {shown(operand)}: write it in ISO 8601, such as 2026-01-01T00:00:00Z"
    return None
