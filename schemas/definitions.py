"""Definitions: a funnel file and a shared library as models, immutable, the same whether read from a file or made in code.

Conditions, signals, counts, durations and instants accept the form of a file (definitions.md) and hold the form of the
core. What cannot be seen in one place (names that do not exist, fields of the wrong type) is checked in
`processors.configuration`; the form itself is checked here.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field, PrivateAttr, StrictBool, StrictInt, StrictStr, WithJsonSchema

from schemas.conditions import AllOf, AnyOf, Condition, FieldTest, Happened, Not, Scalar, Signal
from schemas.grammar import read_conditions, read_signal, read_signals, read_texts
from schemas.instants import DAY
from schemas.mistakes import Misshapen, Mistake, nonblank, one_of, plain_name, shown, suggestion
from schemas.quantities import Duration, Instant, format_duration, parse_duration
from schemas.shape import AtLeastOne, Shape

__all__ = [
    "AllOf",
    "AnyOf",
    "Condition",
    "Conversion",
    "Count",
    "Detour",
    "Expiry",
    "FieldTest",
    "Funnel",
    "Happened",
    "Library",
    "Money",
    "Not",
    "Outcome",
    "Policies",
    "Rate",
    "Scalar",
    "Segment",
    "Signal",
    "Stage",
]

Text = Annotated[StrictStr, AfterValidator(nonblank)]
Name = Annotated[StrictStr, AfterValidator(plain_name)]
Method = Literal["every", "once_per_lead", "once_per_deal", "once_per_session", "once_per_window"]
Grain = Literal["visitor", "lead", "deal", "account"]
Signals = Annotated[tuple[Signal, ...], BeforeValidator(read_signals), WithJsonSchema({"shape": "signals"})]
Conditions = Annotated[tuple[Condition, ...], BeforeValidator(read_conditions), WithJsonSchema({"shape": "conditions"})]
Touch = Annotated[Signal, BeforeValidator(read_signal), WithJsonSchema({"shape": "signal"})]
Texts = Annotated[tuple[str, ...], BeforeValidator(read_texts), WithJsonSchema({"shape": "texts"})]


class Count(Shape):
    """How matches of a conversion are counted; `window` in microseconds, measured from the last counted match."""

    method: Method = "every"
    window: Duration | None = None


def _read_count(raw: Any) -> Any:
    if isinstance(raw, Count) or (isinstance(raw, str) and raw in get_args(Method) and raw != "once_per_window"):
        return raw if isinstance(raw, Count) else {"method": raw}
    if isinstance(raw, dict) and isinstance(window := raw.get("once_per_window"), str) and len(raw) == 1:
        try:
            return Count(method="once_per_window", window=parse_duration(window))
        except ValueError as reason:
            raise Misshapen([Mistake(("once_per_window",), f"window {reason}")]) from None
    methods = [*get_args(Method)[:-1], "{once_per_window: 30d}"]
    raise Misshapen([Mistake((), f"{shown(raw)} is no way to count{suggestion(raw, methods)} (write {one_of(methods)})")])


class Money(Shape):
    """The fields that carry an amount and its currency."""

    amount: Text = Field(description="The field that carries the amount, such as deal.amount.")
    currency: Text = Field(description="The field that carries the currency's ISO code, such as deal.currency.")


class Conversion(Shape):
    """A named, owned action that is recognised in events. It may or may not move a stage."""

    name: Name = Field(description="Unique within the funnel, such as demo_request.")
    description: Text = Field(description="What the lead did, for people who read the numbers.")
    owner: Text | None = Field(default=None, description="Who answers for it; the funnel's owner when absent.")
    when: Signals = Field(description="The events that count as this conversion.")
    count: Annotated[Count, BeforeValidator(_read_count), WithJsonSchema({"shape": "count"})] = Field(
        default=Count(),
        description="Which matches are counted; the others are published as repeats.",
        json_schema_extra={"default": "every"},
    )
    exclusive: Name | None = Field(
        default=None, description="A group; of its conversions the first that matches wins, in file order."
    )
    value: Money | None = Field(default=None, description="Amount and currency captured with each match.")


class Expiry(Shape):
    """A stage's latch ends at exactly anchor + after (microseconds)."""

    after: Duration
    anchor: Literal["first", "last"] = Field(description="Measured from the first or the last signal.")


class _Rule(Shape):
    """What stages, detours and outcomes share: when they are entered, while they hold, and the time of entry."""

    name: Name = Field(description="Unique among stages, detours and outcomes, such as mql.")
    description: Text | None = Field(default=None, description="What it means, for people who read the numbers.")
    when: Signals = Field(default=(), description="Something happened: it latches.")
    while_: Conditions = Field(
        default=(), validation_alias="while", serialization_alias="while", description="Something is true now: it lapses."
    )
    at: Text | None = Field(default=None, description="The time field that gives the entry time, such as deal.created_at.")


class Stage(_Rule):
    """An ordered step of a funnel. `sla` in microseconds."""

    lapse: Literal["regress", "keep"] = Field(default="regress", description="What happens when `while` turns false.")
    expires: Expiry | None = Field(default=None, description="When the latch of `when` ends by itself.")
    optional: StrictBool = Field(default=False, description="Passing it is no skip.")
    resets: StrictBool = Field(default=False, description="Its event clears the latches of later stages.")
    sla: Duration | None = Field(default=None, description="A notice sla_missed is published at entry plus this.")


class Detour(_Rule):
    """A state off the path; it is left again towards the stage one came from."""


class Outcome(_Rule):
    """An end of the path; not further along than any stage."""

    result: Literal["won", "lost", "other"] = Field(description="Only won counts as success; other counts in no win rate.")


class Policies(Shape):
    """What happens with moves that the order of the stages does not foresee. `lateness` in microseconds."""

    backward: Literal["allow", "flag", "ignore"] = "allow"
    skip: Literal["flag", "allow"] = "flag"
    after_outcome: Literal["ignore", "reenter"] = "ignore"
    lateness: Duration = 90 * DAY


class Segment(Shape):
    """A value by which the numbers are split."""

    value: Texts = Field(description="A field, or a list of fields of which the first with a value counts.")
    rule: Literal["first_touch", "last_touch", "at_entry", "current"]
    top: StrictInt = Field(default=20, ge=1, description="How many values are shown by name; the rest is `other`.")
    touch: Touch | None = Field(
        default=None, description="The signal that counts as a touch; any event this funnel matches when absent."
    )


class Rate(Shape):
    """A conversion rate from one stage to another. `within` in microseconds; None: unbounded."""

    from_: Text = Field(validation_alias="from", serialization_alias="from")
    to: Text
    within: Duration | None = None
    cohort: Literal["day", "week", "month"] = "month"
    grain: Grain | None = Field(default=None, description="The funnel's subject when absent.")
    count: Literal["reached", "touched"] = "reached"
    entries: Literal["first", "every"] = "first"

    @property
    def name(self) -> str:
        """What metrics call it: `lead->meeting within 90d`, with `touched` behind where only those count."""
        within = f" within {format_duration(self.within)}" if self.within is not None else ""
        return f"{self.from_}->{self.to}{within}{' touched' if self.count == 'touched' else ''}"


class Library(Shape):
    """A file with only conversions, owner and version, shared by funnels: one demo_request has one definition.

    `name` is the stem of its file; it is not written in it.
    """

    conversions: Annotated[tuple[Conversion, ...], AtLeastOne] = Field(json_schema_extra={"minItems": 1})
    owner: Text
    version: StrictInt = Field(ge=1)
    _name: str = PrivateAttr("")

    @property
    def name(self) -> str:
        """The stem of its file."""
        return self._name

    def named(self, name: str) -> "Library":
        """The same library under the name of its file."""
        copy = self.model_copy()
        copy._name = name
        return copy


class Funnel(Shape):
    """One version of one funnel. `effective_from` in microseconds; None: a shadow, which runs beside the official version."""

    funnel: Name = Field(description="Name of the funnel; all its versions share it.")
    version: StrictInt = Field(ge=1, description="A version never changes once it is in use; write the next one instead.")
    owner: Text = Field(description="Who answers for the numbers.")
    reason: Text = Field(description="Why this version exists.")
    effective_from: Instant | None = Field(default=None, description="From when its rules apply.")
    shadow: StrictBool = Field(default=False, description="Runs beside; official numbers are untouched.")
    subject: Grain = Field(description="What is counted: visitor (a person, known or not), lead, deal or account.")
    also: tuple[Grain, ...] = Field(default=(), description="Further grains that are published.")
    conversions: tuple[Conversion, ...] = Field(default=(), description="Actions recognised in events; order is precedence.")
    stages: Annotated[tuple[Stage, ...], AtLeastOne] = Field(
        description="The steps, first to last.", json_schema_extra={"minItems": 1}
    )
    detours: tuple[Detour, ...] = Field(default=(), description="States off the path.")
    outcomes: tuple[Outcome, ...] = Field(default=(), description="Ends of the path; order is precedence.")
    orderings: dict[Name, Texts] = Field(default={}, description="Named lists of ordered values, lowest first.")
    policies: Policies = Policies()
    segments: dict[Name, Segment] = Field(default={}, description="Values by which the numbers are split.")
    value: Money | None = Field(default=None, description="Amount and currency captured at entry.")
    rates: tuple[Rate, ...] = ()
    retired: dict[str, Text] = Field(default={}, description="Old stage to the stage that takes over, or `remove`.")
    _libraries: tuple[Library, ...] = PrivateAttr(())

    @property
    def libraries(self) -> tuple[Library, ...]:
        """The libraries whose conversions this funnel uses."""
        return self._libraries

    def using(self, libraries: Iterable[Library]) -> "Funnel":
        """The same funnel with those of the libraries whose conversions it uses, by name."""
        copy = self.model_copy()
        for derived in ("digest", "all_conversions"):  # the copy may have inherited what was derived without them
            copy.__dict__.pop(derived, None)
        copy._libraries = tuple(sorted(libraries, key=lambda library: library.name))
        used = {conversion.name for conversion in copy.all_conversions}
        copy._libraries = tuple(each for each in copy._libraries if any(lent.name in used for lent in each.conversions))
        return copy

    @cached_property
    def all_conversions(self) -> tuple[Conversion, ...]:
        """What counts in this funnel: its own conversions in file order, then those it uses of its libraries.

        The latter by the name of the library and then in file order, each with its owner. Used is what a rule of the funnel
        names, what such a conversion asks for, and who shares its exclusive group: alone it would match what another takes.
        """
        own = {conversion.name for conversion in self.conversions}
        lent = {each.name: (library, each) for library in self._libraries for each in library.conversions if each.name not in own}
        groups: dict[tuple[str, str | None], list[str]] = {}
        for library, each in lent.values():
            groups.setdefault((library.name, each.exclusive), []).append(each.name)
        used: set[str] = set()
        wanted = [name for signal in self._signals() for name in signal.asks_for]
        wanted += [name for place in self.places for state in place.while_ for name in state.asks_for]
        while wanted:
            name = wanted.pop()
            if name in used or name not in lent:
                continue
            used.add(name)
            library, conversion = lent[name]
            wanted += [asked for signal in conversion.when for asked in signal.asks_for]
            if conversion.exclusive is not None:
                wanted += groups.pop((library.name, conversion.exclusive), [])
        shared = [(library, each) for name, (library, each) in lent.items() if name in used]
        return self.conversions + tuple(
            each if each.owner is not None else each.model_copy(update={"owner": library.owner}) for library, each in shared
        )

    @property
    def places(self) -> tuple[Stage | Detour | Outcome, ...]:
        """Stages, detours and outcomes, in this order."""
        return (*self.stages, *self.detours, *self.outcomes)

    def _signals(self) -> Iterator[Signal]:
        for place in self.places:
            yield from place.when
        for conversion in self.conversions:
            yield from conversion.when
        yield from (segment.touch for segment in self.segments.values() if segment.touch is not None)

    @cached_property
    def digest(self) -> str:
        """`sha256:<hex>` of what the definition says, libraries included; formatting, comments and defaults do not count."""
        return digest_of([_canonical(self), *sorted((_canonical(library) for library in self._libraries), key=str)])


def _canonical(shape: Shape) -> dict[str, Any]:
    # Without defaults: a key that a later release adds leaves the digests of definitions that do not use it alone.
    return shape.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def digest_of(content: Any) -> str:
    """`sha256:<hex>` of the canonical JSON (sorted keys, no spaces) of `content`."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
