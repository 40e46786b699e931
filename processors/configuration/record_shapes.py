"""The shapes of a mapping's records: each says one thing, about somebody, with fields of its own grain, and can be reached.

The checks look at what was written; values of another form than they expect are left to the model.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from processors.configuration.written import mapping_in
from schemas.field_names import is_state_field
from schemas.mapping import STATES, as_field_source
from schemas.mistakes import Mistake, Path, one_of

_KINDS = {"lead": ("lead", "visitor"), "deal": ("deal",), "account": ("account",)}
"""By what a record is about: the kinds of namespace of which it must name one."""
_FIELDS = {"lead": ("lead", "account"), "deal": ("deal",), "account": ("account",)}
"""By the grain of a change: of which grains its fields may be. What a lead's record says of its account counts for the lead."""


def shapes_in(mapping: Mapping[str, Any]) -> Iterator[tuple[Path, Mapping[str, Any]]]:
    """The shapes of a mapping, as written, with their places below it."""
    records = mapping.get("records")
    for index, shape in enumerate(records if isinstance(records, list) else []):
        if isinstance(shape, dict):
            yield ("records", index), shape


def namespaces_named(mapping: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """Every namespace that a shape names, with its place below the mapping."""
    for path, shape in shapes_in(mapping):
        for key in ("identifiers", "attach"):
            for name, namespace in mapping_in(shape, key).items():
                yield (*path, key, name), namespace


def check_record_shapes(path: Path, mapping: Mapping[str, Any], kinds: Mapping[str, str]) -> Iterator[Mistake]:
    """What is wrong with the shapes of one mapping.

    Args:
        path: Of the mapping.
        mapping: As written.
        kinds: Kind of entity by declared namespace.
    """
    for place, shape in shapes_in(mapping):
        yield from _shape((*path, *place), shape, kinds)
    yield from _unreachable(path, mapping)
    yield from _set_twice(path, mapping)


def _shape(path: Path, shape: Mapping[str, Any], kinds: Mapping[str, str]) -> Iterator[Mistake]:
    said = [state for state in STATES if shape.get(state) is not None]
    if len(said) != 1:
        what = f"{one_of(said)} are two things" if said else "it says nothing"
        yield Mistake(path, f"{what}: write one of {one_of(STATES)}, such as event: Order Paid or change: deal")
        return
    (state,) = said
    grain = "" if state == "event" else str(shape[state])
    yield from _belonging(path, shape, state, grain)
    if grain in _KINDS:
        yield from _about(path, shape, state, grain, kinds)


def _belonging(path: Path, shape: Mapping[str, Any], state: str, grain: str) -> Iterator[Mistake]:
    """Keys that only some records have, and fields of the right grain."""
    for key, belongs, fits in (
        ("properties", "event", state == "event"),
        ("set", "change", state == "change"),
        ("snapshot", "change", state == "change"),
        ("attach", "deals: change, delete, restore or gap: deal", grain == "deal"),
    ):
        if shape.get(key) and not fits:
            yield Mistake((*path, key), f"{key} belongs to {belongs}; this is {state}: {shape[state]}", of_key=True)
    if shape.get("snapshot") and shape.get("backfill"):
        sentence = "a record is a snapshot, which says how things are now, or a backfill, which says how they were: write one"
        yield Mistake((*path, "backfill"), sentence, of_key=True)
    if state == "change" and not shape.get("set"):
        yield Mistake((*path, "change"), "a change without set changes nothing: write set: {deal.stage: PATH}", of_key=True)
    if state != "change" or grain not in _FIELDS:
        return
    for field in mapping_in(shape, "set"):
        if is_state_field(field) and field.partition(".")[0] not in _FIELDS[grain]:
            sentence = f"{field} is no field of a {grain}: write it in a record of its own, change: {field.partition('.')[0]}"
            yield Mistake((*path, "set", field), sentence, of_key=True)


def _about(path: Path, shape: Mapping[str, Any], state: str, grain: str, kinds: Mapping[str, str]) -> Iterator[Mistake]:
    """A record about a deal names a deal, and belongs to a lead."""
    named = mapping_in(shape, "identifiers")
    known = [kinds[namespace] for namespace in named.values() if isinstance(namespace, str) and namespace in kinds]
    if len(known) == len(named) > 0 and not set(known) & set(_KINDS[grain]):
        sentence = f"{state}: {grain} names no {grain}: write an identifier whose namespace is of kind {one_of(_KINDS[grain])}"
        yield Mistake((*path, "identifiers"), sentence)
    for name, namespace in mapping_in(shape, "attach").items():
        if grain == "deal" and isinstance(namespace, str) and kinds.get(namespace, "lead") not in _KINDS["lead"]:
            sentence = f"{namespace} is of kind {kinds[namespace]}, and a deal belongs to a lead: name one of kind lead"
            yield Mistake((*path, "attach", name), sentence)


def _unreachable(path: Path, mapping: Mapping[str, Any]) -> Iterator[Mistake]:
    shapes = list(shapes_in(mapping))
    for place, shape in shapes[:-1]:
        if not shape.get("where"):
            sentence = "without where it fits every record, so those after it are never reached: write where, or put it last"
            yield Mistake((*path, *place), sentence)
            return


def _set_twice(path: Path, mapping: Mapping[str, Any]) -> Iterator[Mistake]:
    """A field has one type and one list of values, from wherever in a source it comes."""
    first: dict[str, tuple[int, Any]] = {}
    for place, shape in shapes_in(mapping):
        for field, given in mapping_in(shape, "set").items():
            read = as_field_source(field, given)
            if not isinstance(read, dict):
                continue
            read = {key: value for key, value in read.items() if key != "from"}
            there, same = first.setdefault(field, (int(place[1]), read))
            if same != read:
                sentence = f"{field} has another type or other values in records[{there}]: give it the same in both"
                yield Mistake((*path, *place, "set", field), sentence, of_key=True)
