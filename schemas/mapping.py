"""The format `mapping`: how a source's own records are told apart, and what each kind of them says.

Paths are dotted (`customer.id`) and start at one element where records are exploded. What concerns several places at once (one
of event, change and so on; namespaces that exist) is checked in `processors.configuration`.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictStr, WithJsonSchema

from schemas.fields import LONGEST_PATH, FieldSource, field_type
from schemas.mistakes import nonblank, shown
from schemas.shape import AtLeastOne, Shape

EVERY = "[*]"
"""Behind a key of `explode`: every element of the list there."""
Grain = Literal["lead", "deal", "account"]
Unit = Literal["s", "ms", "us", "ns"]
STATES = ("event", "change", "delete", "restore", "gap")
"""What a record can say; a shape has one of these keys."""


def _path(text: str) -> str:
    if len(text) > LONGEST_PATH or not all(text.split(".")):
        raise ValueError(f"{shown(text)} is no path: write keys with dots between, such as customer.id")
    if "[" in text:
        raise ValueError(f"{shown(text)} reaches into a list: only `explode` does, and paths start at one of its elements")
    return text


def _lists(text: str) -> str:
    names = [key.removesuffix(EVERY) for key in text.split(".")]
    unnamed = any(not name and key != EVERY for name, key in zip(names, text.split("."), strict=True))
    if not text.endswith(EVERY) or unnamed or any("[" in name for name in names) or len(text) > LONGEST_PATH:
        raise ValueError(f"{shown(text)} leads to no elements: write the path of a list and {EVERY}, such as batch{EVERY}")
    return text


def as_field_source(field: str, given: Any) -> Any:
    """An entry of `set` as a source's `fields` write it: a path alone is `{from: path}`, typed by the field's name."""
    written = {"from": given} if isinstance(given, str) else given
    return {"type": field_type(field)} | written if isinstance(written, dict) else written


def _with_sources(entries: Any) -> Any:
    if not isinstance(entries, dict):
        return entries
    return {field: as_field_source(str(field), given) for field, given in entries.items()}


def _scalars(value: Any) -> Any:
    values = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not values or not all(isinstance(each, str | bool | int | float) for each in values):
        raise ValueError(f"{shown(value)} is no value: write a text, a number, true, false, or a list of them")
    return values


PathText = Annotated[StrictStr, AfterValidator(_path)]
Text = Annotated[StrictStr, AfterValidator(nonblank)]
Values = Annotated[tuple[Any, ...], BeforeValidator(_scalars), WithJsonSchema({"shape": "values"})]
Sources = Annotated[
    dict[str, FieldSource],
    BeforeValidator(_with_sources),
    WithJsonSchema({"type": "object", "additionalProperties": {"shape": "field_source"}}),
]


class RecordTime(Shape):
    """Where a record says when it happened: ISO 8601 text, or a number of units since 1970."""

    path: PathText
    unit: Unit = Field(default="ms", description="Of numbers: s, ms, us or ns. Texts of ISO 8601 need none.")


class RecordShape(Shape):
    """One kind of record: what tells it, whom it is about, and what it says.

    Attributes:
        where: Path to the value, or one of the values, that it has; empty: any record.
        event: Name of the event that it is.
        change: What its properties describe; delete, restore and gap name likewise what the record is about.
        identifiers: Path to the namespace of the identifier there. Of two with one namespace the first that has a value counts.
        attach: The same, of the lead that a deal belongs to.
        set_: Canonical field to where the record has it.
        properties: Name in `event.properties` to the path of the value.
        snapshot: The record is the whole object as it is now, not a change of it.
        backfill: The record imports the past: never too late, and no alert's business (rules 19, 30).
    """

    where: dict[PathText, Values] = Field(default={}, description="What its records have; any record if absent.")
    event: Text | None = Field(default=None, description="The name of the event that it is.")
    change: Grain | None = Field(default=None, description="Whose properties it changes.")
    delete: Grain | None = Field(default=None, description="What is deleted.")
    restore: Grain | None = Field(default=None, description="What is restored.")
    gap: Grain | None = Field(default=None, description="Of what changes were lost: it is stale until a snapshot.")
    identifiers: Annotated[dict[PathText, Text], AtLeastOne] = Field(description="Path to a namespace: whom it is about.")
    attach: dict[PathText, Text] = Field(default={}, description="Path to a namespace: the lead that the deal belongs to.")
    set_: Sources = Field(
        default={}, validation_alias="set", serialization_alias="set", description="Canonical field to a path, or as in `fields`."
    )
    properties: dict[Text, PathText] = Field(default={}, description="Name in event.properties to a path.")
    snapshot: StrictBool = Field(default=False, description="A whole object rather than a change of it.")
    backfill: StrictBool = Field(default=False, description="An import of the past: never too late, and marked as such.")


class RecordMapping(Shape):
    """How the records of one source are read. The first shape whose `where` fits says what a record is."""

    explode: Annotated[StrictStr, AfterValidator(_lists)] | None = Field(
        default=None, description=f"The list of which every element is a record, such as batch{EVERY}."
    )
    id: PathText | None = Field(default=None, description="The record's own id; a digest of its content if absent.")
    time: RecordTime | None = Field(default=None, description="When it happened; the record's Kafka time if absent.")
    records: Annotated[tuple[RecordShape, ...], AtLeastOne]

    @property
    def namespaces(self) -> tuple[str, ...]:
        """Namespaces of all identifiers."""
        return tuple(
            dict.fromkeys(name for shape in self.records for name in (*shape.identifiers.values(), *shape.attach.values()))
        )

    @property
    def paths(self) -> Mapping[str, tuple[str, ...]]:
        """Of each namespace the paths at which records have its identifiers."""
        found: dict[str, dict[str, None]] = {}
        for shape in self.records:
            for path, name in (*shape.identifiers.items(), *shape.attach.items()):
                found.setdefault(name, {})[path] = None
        return {name: tuple(paths) for name, paths in found.items()}

    @property
    def fields(self) -> Mapping[str, FieldSource]:
        """Canonical fields that records set. Records are read by the field's own name: the path depends on the shape."""
        found: dict[str, FieldSource] = {}
        for shape in self.records:
            for field, given in shape.set_.items():
                found.setdefault(field, given.model_copy(update={"from_": field}))
        return found
