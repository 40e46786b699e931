"""Given/expect cases: what is written in a `NAME.test.yml`, as models.

A case gives records of one lead and says what its history must be. Times are days after a start (`d3`, `d0.5`), so that a reader
sees durations and no dates. What a case leaves out is not compared.
"""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BeforeValidator, Field, PlainValidator, StrictInt, StrictStr, WithJsonSchema, model_validator

from schemas.conditions import Scalar
from schemas.definitions import Name, Text
from schemas.facts import Value
from schemas.fields import FieldType, typed
from schemas.instants import DAY, format_instant, parse_instant
from schemas.mistakes import Misshapen, Mistake, shown
from schemas.quantities import Instant
from schemas.shape import AtLeastOne, Shape

DAYS_PATTERN = r"^d(-?[0-9]{1,6}(?:\.[0-9]{1,12})?)$"
_ROUND = 10_000
"""A moment is shown in days where ten thousandths of a day, which are some seconds, say it whole."""


class Moment(NamedTuple):
    """A time in a case, in microseconds: since the start, or where it is not `relative` since the epoch."""

    microseconds: int
    relative: bool

    def on(self, start: int) -> int:
        """The instant, given the start of the case."""
        return start + self.microseconds if self.relative else self.microseconds


def parse_moment(written: Any) -> Moment:
    """Read `d3` or an instant; raises ValueError."""
    if isinstance(written, Moment):
        return written
    if isinstance(written, str) and (days := re.match(DAYS_PATTERN, written)):
        return Moment(round(float(days[1]) * DAY), relative=True)
    try:
        return Moment(parse_instant(str(written)), relative=False)
    except ValueError:
        message = f"{shown(written)} is no time: write days after the start, such as d3 or d0.5, or an instant in ISO 8601"
        raise ValueError(message) from None


def format_moment(instant: int, start: int) -> str:
    """An instant as a case writes it: `d3`, or in ISO 8601 where that is no short number of days."""
    days = (instant - start) / DAY
    return f"d{days:g}" if round(days * _ROUND) * DAY == (instant - start) * _ROUND else format_instant(instant)


def given_value(written: Scalar | None, kind: FieldType, start: int) -> Value:
    """What `set` gives a field of a type; raises ValueError where it cannot."""
    if kind == "time" and isinstance(written, str) and written:
        return parse_moment(written).on(start)
    return carried(typed(written, kind))


def carried(value: Value) -> Value:
    """The value, as a fact carries it; raises ValueError for a whole number beyond 64 bits, where MessagePack ends."""
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        raise ValueError("the number has more than 64 bits, and a fact carries no such: write it as a text")
    return value


def _text(written: Any) -> Any:
    return str(written) if isinstance(written, int) and not isinstance(written, bool) else written


When = Annotated[Moment, PlainValidator(parse_moment), WithJsonSchema({"shape": "moment"})]
Label = Annotated[StrictStr, BeforeValidator(_text), WithJsonSchema({"type": ["string", "integer"]})]
Kind = Literal["advance", "regress", "expire", "outcome", "reopen", "detour", "return", "withdraw", "merge", "erase", "notice"]


class Given(Shape):
    """One record: an event, a change (`set`), or that a record was deleted or restored."""

    at: When = Field(description="When it happened.")
    arrives: When | None = Field(default=None, description="When it reached the broker, where that was later.")
    id: Label | None = Field(default=None, description="Its id; of two records with one id only one counts.")
    event: Text | None = None
    props: dict[str, Scalar | None] = Field(default={}, description="What the event carries, by path: event.properties.plan.")
    session: Label | None = Field(default=None, description="The session that the event belongs to.")
    deal: Label | None = Field(default=None, description="The deal that it is about; else it is about the lead.")
    set: dict[str, Scalar | None] = Field(default={}, description="What it sets, by canonical field; null takes a value away.")
    delete: Literal[True] | None = None
    restore: Literal[True] | None = None

    @model_validator(mode="after")
    def _says_one_thing(self) -> "Given":
        said = [name for name in ("event", "set", "delete", "restore") if getattr(self, name)]
        if len(said) != 1:
            found = " and ".join(said) if said else "nothing"
            raise ValueError(f"a record says one thing, and this one says {found}: write one of event, set, delete, restore")
        for name in ("props", "session"):
            if getattr(self, name) and not self.event:
                raise Misshapen([Mistake((name,), f"{name} belongs to an event: write event: NAME beside it", of_key=True)])
        return self

    def reached(self) -> Moment:
        """When it reached the broker."""
        return self.at if self.arrives is None else self.arrives


class Step(Shape):
    """A move that is expected; only the keys that are written are compared. `from` or `to` may be null: no stage."""

    at: When | None = None
    kind: Kind | None = None
    from_: Name | None = Field(default=None, validation_alias="from", serialization_alias="from")
    to: Name | None = None
    entry: StrictInt | None = Field(default=None, ge=1)
    skipped: tuple[Name, ...] | None = None
    flags: tuple[StrictStr, ...] | None = None

    def written(self) -> Iterator[tuple[str, Any]]:
        """The keys that are written, with their values, the operation first."""
        for name, field in sorted(type(self).model_fields.items(), key=lambda each: each[0] != "op"):
            if name in self.model_fields_set:
                yield field.serialization_alias or name, getattr(self, name)


class Operation(Step):
    """An operation on a transition that is expected to be published."""

    op: Literal["announce", "amend", "retract"] | None = None


class Counts(Shape):
    """How many matches of a conversion are counted, and how many are repeats."""

    counted: StrictInt | None = Field(default=None, ge=0)
    repeat: StrictInt | None = Field(default=None, ge=0)


class Expected(Shape):
    """What must come of the records."""

    path: tuple[Step, ...] | None = Field(default=None, description="Every move, in order.")
    published: tuple[Operation, ...] | None = Field(default=None, description="Every operation on a transition, in order.")
    conversions: dict[Name, Counts] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> "Expected":
        if not self.model_fields_set:
            raise ValueError("it expects nothing, so it could not fail: write path, published or conversions")
        return self


class DealSubject(Shape):
    """The case is about one deal of the lead."""

    deal: Label


class Case(Shape):
    """One case."""

    name: Text
    subject: DealSubject | None = Field(default=None, description="{deal: A}: the history of this deal; else the lead's.")
    given: Annotated[tuple[Given, ...], AtLeastOne]
    as_of: When | None = Field(default=None, description="Until when timers fire; the last arrival when absent.")
    expect: Expected


class CaseFile(Shape):
    """The cases of one funnel."""

    funnel: Name
    start: Instant | None = Field(default=None, description="What d0 is; the funnel's effective_from when absent.")
    tests: Annotated[tuple[Case, ...], AtLeastOne]
