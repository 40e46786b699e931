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


class _Node(Shape):
    """A part of a condition. Pydantic may serialise one member of a union by another's rule, so all share this one."""

    @model_serializer
    def _serialised(self) -> dict[str, Any]:
        return self.written()

    def written(self) -> dict[str, Any]:
        """The node in a form that tells it from every other node."""
        raise NotImplementedError

    @property
    def asks_for(self) -> tuple[str, ...]:
        """The conversions that it names, in the order of the file."""
        return ()


class FieldTest(_Node):
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

    def written(self) -> dict[str, Any]:
        """Field, operator, operand and ordering."""
        ordering = {} if self.ordering is None else {"of": self.ordering}
        return {"field": self.field, "operator": self.operator, "operand": self.operand, **ordering}


class Happened(_Node):
    """True from the instant at which one of the conversions was matched."""

    conversions: tuple[str, ...]

    def written(self) -> dict[str, Any]:
        """The conversions."""
        return {"happened": self.conversions}

    @property
    def asks_for(self) -> tuple[str, ...]:
        """The conversions."""
        return self.conversions


class AllOf(_Node):
    """True while every part is; the parts in file order."""

    parts: tuple["Condition", ...]

    def written(self) -> dict[str, Any]:
        """The parts, under `all`."""
        return {"all": self.parts}

    @property
    def asks_for(self) -> tuple[str, ...]:
        """Those that its parts name."""
        return tuple(name for part in self.parts for name in part.asks_for)


class AnyOf(_Node):
    """True while at least one part is."""

    parts: tuple["Condition", ...]

    def written(self) -> dict[str, Any]:
        """The parts, under `any`."""
        return {"any": self.parts}

    @property
    def asks_for(self) -> tuple[str, ...]:
        """Those that its parts name."""
        return tuple(name for part in self.parts for name in part.asks_for)


class Not(_Node):
    """True while the part is false (two-valued: a test of a missing value is false, so its negation is true)."""

    part: "Condition"

    def written(self) -> dict[str, Any]:
        """The part, under `not`."""
        return {"not": self.part}

    @property
    def asks_for(self) -> tuple[str, ...]:
        """Those that its part names."""
        return self.part.asks_for


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

    @property
    def asks_for(self) -> tuple[str, ...]:
        """The conversions that it names, itself or in its condition."""
        return self.conversions + (() if self.condition is None else self.condition.asks_for)
