"""Conditions and signals: what a rule of a definition tests, as a tree.

A condition is about state (something is true now), a signal about an event (something happened). These are the nodes that
`schemas.grammar` reads from a file and that classification compiles; they know nothing of how they were written.
"""

from typing import Any, Literal

from pydantic import StrictBool, StrictFloat, StrictInt, StrictStr, model_serializer

from schemas.shape import Shape

Scalar = str | bool | int | float
_Scalar = StrictStr | StrictBool | StrictInt | StrictFloat
Operator = Literal["equals", "in", "exists", "at_least", "at_most", "above", "below", "before", "after", "passed", "matches"]


class FieldTest(Shape):
    """One test of one field.

    Attributes:
        field: `lead.*`, `deal.*` or `account.*` in a state, `event.*` in a signal.
        operator: See definitions, Operators.
        operand: A list for `in`, true or false for `exists`, true for `passed`; an instant for before and after stays text
            (ISO 8601, checked).
        ordering: Name of the ordering that at_least, at_most, above and below compare by; None where they compare numbers.
    """

    field: str
    operator: Operator
    operand: _Scalar | tuple[_Scalar, ...]
    ordering: str | None = None


class Happened(Shape):
    """True from the instant at which one of the conversions was matched."""

    conversions: tuple[str, ...]

    @model_serializer
    def _written(self) -> dict[str, Any]:
        return {"happened": self.conversions}


class AllOf(Shape):
    """True while every part is; the parts in file order."""

    parts: tuple["Condition", ...]

    @model_serializer
    def _written(self) -> dict[str, Any]:
        return {"all": self.parts}


class AnyOf(Shape):
    """True while at least one part is."""

    parts: tuple["Condition", ...]

    @model_serializer
    def _written(self) -> dict[str, Any]:
        return {"any": self.parts}


class Not(Shape):
    """True while the part is false (two-valued: a test of a missing value is false, so its negation is true)."""

    part: "Condition"

    @model_serializer
    def _written(self) -> dict[str, Any]:
        return {"not": self.part}


Condition = AllOf | AnyOf | Not | FieldTest | Happened


class Signal(Shape):
    """Something that happened: an event of one of these names, or one of these conversions; never both.

    Attributes:
        events: Event names.
        conversions: Names of conversions.
        where: Tests on `event.*` paths of the event.
        condition: State that must hold at that instant (`if` in the file).
    """

    events: tuple[str, ...] = ()
    conversions: tuple[str, ...] = ()
    where: Condition | None = None
    condition: Condition | None = None
