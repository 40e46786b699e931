"""Tests of fields: the field exists, the operator suits its type, and what it is compared with could be a value of it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import re2

from processors.configuration.known_fields import KnownFields
from processors.configuration.outline import POSITIONS, Outline
from schemas.conditions import FieldTest
from schemas.field_names import is_event_field
from schemas.fields import FieldType, typed
from schemas.mistakes import Mistake, Path, one_of, shown, suggestion
from schemas.operators import COMPARISONS

_ARTICLES = {"text": "a text", "bool": "true or false", "number": "a number", "decimal": "a decimal number", "time": "a time"}
_TIME_TESTS = ("before", "after", "passed")


def check_fields(outline: Outline, fields: KnownFields) -> Iterator[Mistake]:
    """Every field that a file reads, and how."""
    orderings = None if outline.is_library else outline.orderings()
    for path, test in outline.field_tests():
        if not test.field.startswith("event."):
            complaint = fields.complaint(test.field)
            if complaint:
                yield Mistake(_field_path(path, test), complaint, of_key=True)
                continue
        yield from _operator(path, test, _type_of(test.field, fields))
        yield from _ordering(path, test, orderings)
        yield from _literals(path, test, _type_of(test.field, fields))
    yield from _entry_times(outline, fields)
    yield from _plain_reads(outline, fields)


def _type_of(field: str, fields: KnownFields) -> FieldType | None:
    return None if field.startswith("event.") else fields.type_of(field)


def _field_path(path: Path, test: FieldTest) -> Path:
    """The path of the field's own key: a test with a written operator stands one below it."""
    return path if path[-1] == test.field else path[:-1]


def _operator(path: Path, test: FieldTest, kind: FieldType | None) -> Iterator[Mistake]:
    field, operator = test.field, test.operator
    if operator == "matches":
        if kind not in (None, "text"):
            yield Mistake(path, f"matches takes texts, and {field} is {_ARTICLES[kind]}: compare it with a value", of_key=True)
        elif complaint := _pattern_complaint(str(test.operand)):
            yield Mistake(path, complaint)
    elif operator == "passed" and field.startswith("event."):
        yield Mistake(
            path, "passed waits for a time of the lead or deal to come; an event has happened: leave it out", of_key=True
        )
    elif operator in _TIME_TESTS and kind not in (None, "time"):
        mend = "test a time field, such as deal.closed_at"
        yield Mistake(path, f"{field} is not a time but {_ARTICLES[kind]}: {mend}", of_key=True)
    elif operator in COMPARISONS:
        yield from _comparison(path, test, kind)


def _comparison(path: Path, test: FieldTest, kind: FieldType | None) -> Iterator[Mistake]:
    field, operator = test.field, test.operator
    if test.ordering is None and kind == "text":
        mend = f"name the ordering it follows, {field}: {{{operator}: VALUE, of: ORDERING}}"
        yield Mistake(path, f"{operator} compares numbers, and {field} is a text: {mend}", of_key=True)
    elif kind == "time":
        yield Mistake(path, f"{field} is a time: write before or after, with an instant", of_key=True)
    elif kind == "bool":
        yield Mistake(path, f"{field} is true or false: write {field}: true", of_key=True)
    elif test.ordering is not None and kind in ("number", "decimal"):
        yield Mistake(path, f"{field} is {_ARTICLES[kind]} and has its own order: leave `of` out", of_key=True)


def _pattern_complaint(pattern: str) -> str | None:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options=options)
    except re2.error as reason:
        said = reason.args[0] if reason.args else ""
        said = said.decode(errors="replace") if isinstance(said, bytes) else str(said)
        return f"{shown(pattern)} is no RE2 pattern ({said}): mend it; RE2 has no look-around and no back-references"
    return None


def _ordering(path: Path, test: FieldTest, orderings: Mapping[str, Sequence[str]] | None) -> Iterator[Mistake]:
    if test.ordering is None:
        return
    if orderings is None:
        mend = f"a library has none; list the values, {test.field}: [a, b]"
        yield Mistake((*path[:-1], "of"), f"{test.ordering} is no ordering of this file: {mend}")
    elif test.ordering not in orderings:
        hint = suggestion(test.ordering, orderings) or f": define it, orderings: {{{test.ordering}: [lowest, .., highest]}}"
        yield Mistake((*path[:-1], "of"), f"{test.ordering} is no ordering of this file{hint}")
    elif str(test.operand) not in orderings[test.ordering]:
        values = orderings[test.ordering]
        hint = suggestion(test.operand, values) or (f": write {one_of(values)}" if values else ": it is empty")
        yield Mistake(path, f"{test.operand} is not in {test.ordering}{hint}")


def _literals(path: Path, test: FieldTest, kind: FieldType | None) -> Iterator[Mistake]:
    if kind is None or test.operator not in ("equals", "in"):
        return
    listed = isinstance(test.operand, tuple)
    for index, operand in enumerate(test.operand if isinstance(test.operand, tuple) else (test.operand,)):
        try:
            typed(operand, kind)
        except (ValueError, OverflowError):
            place = (*path, index) if listed else path
            example = {"bool": "true", "time": "2026-01-01T00:00:00Z"}.get(kind, "10")
            yield Mistake(place, f"{test.field} is {_ARTICLES[kind]}, and {shown(operand)} is not: write for example {example}")


def _entry_times(outline: Outline, fields: KnownFields) -> Iterator[Mistake]:
    for rule in outline.of(*POSITIONS):
        field, path = rule.keys.get("at"), (*rule.path, "at")
        if not isinstance(field, str) or not field.strip():
            continue
        kind = fields.type_of(field)
        if field.startswith("event."):
            yield Mistake(
                path, f"{field} is part of an event, whose own time counts: write a time of the lead or deal, or leave `at` out"
            )
        elif complaint := fields.complaint(field):
            yield Mistake(path, complaint)
        elif kind not in (None, "time"):
            yield Mistake(path, f"{field} is not a time but {_ARTICLES[kind]}: write a time field, such as deal.created_at")


def _plain_reads(outline: Outline, fields: KnownFields) -> Iterator[Mistake]:
    """Fields whose value is taken rather than tested: segments, amounts and currencies."""
    for path, segment in outline.named("segments"):
        value = segment.get("value") if isinstance(segment, dict) else None
        places = [((*path, "value", index), name) for index, name in enumerate(value)] if isinstance(value, list) else []
        yield from _reads(places or [((*path, "value"), value)], fields, events=True)
    yield from _money(("value",), outline.keys.get("value"), fields, events=False)
    for rule in outline.of("conversions"):
        yield from _money((*rule.path, "value"), rule.keys.get("value"), fields, events=True)


def _money(path: Path, money: Any, fields: KnownFields, *, events: bool) -> Iterator[Mistake]:
    if isinstance(money, dict):
        yield from _reads([((*path, key), money.get(key)) for key in ("amount", "currency")], fields, events=events)


def _reads(places: Sequence[tuple[Path, Any]], fields: KnownFields, *, events: bool) -> Iterator[Mistake]:
    for path, name in places:
        if not isinstance(name, str) or not name.strip():
            continue
        if name.startswith("event.") and not events:
            yield Mistake(path, f"{name} is part of an event, and this is captured at entry: write a field such as deal.amount")
        elif name.startswith("event.") and not is_event_field(name):
            yield Mistake(
                path, f"{name} is no event field: write event.properties.NAME, event.context.NAME or event.campaign.NAME"
            )
        elif not name.startswith("event.") and (complaint := fields.complaint(name)):
            yield Mistake(path, complaint)
