"""What a model refuses, said to the person who wrote it: each of pydantic's errors becomes a mistake with its mend."""

import re
import types
from collections.abc import Sequence
from typing import Annotated, Any, TypeVar, Union, get_args, get_origin

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from processors.sources import FORMATS
from schemas.mistakes import Misshapen, Mistake, Path, one_of, shown, suggestion
from schemas.quantities import FROM_FILE
from schemas.shape import Shape

_Model = TypeVar("_Model", bound=Shape)

_MISSING = {
    "funnel": ("nothing says which funnel this is", "funnel: my-funnel"),
    "version": ("changes could not be told apart", "version: 1"),
    "owner": ("nobody answers for this number", "owner: marketing-ops"),
    "reason": ("nobody will know why this version exists", "reason: First published version."),
    "subject": ("nothing says what is counted", "subject: lead (or visitor, deal, account)"),
    "stages": ("a funnel has at least one stage", "stages: [{name: mql, when: {event: Demo Requested}}]"),
    "conversions": ("a library defines at least one", "conversions: [{name: .., description: .., when: ..}]"),
    "name": ("it cannot be spoken of", "name: demo_request"),
    "description": ("nobody will know what it means", "description: Asked for a demo."),
    "when": ("nothing could ever match it", "when: {event: Demo Requested}"),
    "result": ("nothing says whether this end is a success", "result: won (or lost, other)"),
    "after": ("nothing says how long it holds", "after: 30d"),
    "anchor": ("nothing says from when it is measured", "anchor: last (or first)"),
    "amount": ("currency without amount", "amount: deal.amount"),
    "currency": ("amount without currency", "currency: deal.currency"),
    "value": ("nothing says by which field it splits", "value: lead.source"),
    "rule": ("nothing says when the value is taken", "rule: first_touch (or last_touch, at_entry, current)"),
    "application": ("it names the consumer group, the facts and the changelog", "application: acme-funnels"),
    "definitions": ("nothing says where the funnels are", "definitions: funnels/"),
    "sources": ("there is nothing to read", "sources: {web: {topics: [..], format: segment, identifiers: {..}}}"),
    "identity": ("nothing says what identifiers mean", "identity: {namespaces: [{name: user, kind: lead}]}"),
    "namespaces": ("nothing says what identifiers mean", "namespaces: [{name: user, kind: lead}]"),
    "kind": ("nothing says what it identifies", "kind: lead (or visitor, deal, account)"),
    "topics": ("there is nothing to read", "topics: [web.events]"),
    "format": ("nothing says how its records are read", "format: segment"),
    "records": ("nothing says what a record is", "records: [{event: Order Paid, identifiers: {customer_id: user}}]"),
    "identifiers": ("it would be about nobody", "identifiers: {customer_id: user}"),
    "path": ("nothing says where it is", "path: paid_at"),
    "reporting": ("nothing says in which currency sums are shown", "reporting: EUR"),
    "rates": ("amounts could not be converted", "rates: rates.csv"),
    "from": ("it has no start", "from: mql"),
    "to": ("it has no end", "to: closed_won"),
    "tests": ("there is nothing to try", "tests: [{name: .., given: [..], expect: {path: [{to: mql}]}}]"),
    "given": ("nothing happens in it", "given: [{at: d0, event: Demo Requested}]"),
    "expect": ("it could not fail", "expect: {path: [{at: d0, to: mql}]}"),
    "at": ("nothing says when it happened", "at: d0"),
    "deal": ("nothing says which deal", "deal: A"),
}
_MISSING_OF_FIELD = {"from": ("nothing says what gives the field its value", "from: status (a path, or the name of a property)")}
"""What an entry of `fields` or `set` lacks; elsewhere the same key is another."""
_WANTED = {
    "string_type": "a text, in quotes if it looks like a number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}
_QUOTED = re.compile(r"'([^']*)'")
_KEY = "[key]"


def validated(model: type[_Model], data: Any) -> tuple[_Model | None, list[Mistake]]:
    """What was written as a model, or every mistake of form in it with paths from its root."""
    try:
        return model.model_validate(data, context=FROM_FILE, by_alias=True, by_name=False), []
    except ValidationError as error:
        return None, [mistake for detail in error.errors(include_url=False) for mistake in _mistakes(model, detail)]


def _mistakes(model: type[Shape], detail: ErrorDetails) -> list[Mistake]:
    path: Path = detail["loc"]
    reason = detail.get("ctx", {}).get("error")
    if isinstance(reason, Misshapen):
        return [Mistake((*path, *inner), sentence, of_key) for inner, sentence, of_key in reason.mistakes]
    if path and path[-1] == _KEY:
        return [Mistake(path[:-1], _sentence(model, detail, path[:-1]), of_key=True)]
    return [Mistake(path, _sentence(model, detail, path), of_key=detail["type"] == "extra_forbidden")]


def _sentence(model: type[Shape], detail: ErrorDetails, path: Path) -> str:
    kind, ctx, key = detail["type"], detail.get("ctx", {}), path[-1] if path else ""
    if kind == "missing":
        of_field = _MISSING_OF_FIELD if path[-3:-2] in (("fields",), ("set",)) else {}
        consequence, example = (_MISSING | of_field).get(str(key), ("it is needed", f"{key}: .."))
        return f"{key} missing: {consequence}; write {example}"
    if kind == "extra_forbidden":
        return _unknown_key(model, path)
    if kind == "literal_error":
        choices = FORMATS if key == "format" else _QUOTED.findall(str(ctx.get("expected", "")))  # of formats those that are built
        return _unknown_choice(key, detail["input"], choices, path)
    if kind in _WANTED:
        return f"write {_WANTED[kind]}, not {shown(detail['input'])}"
    if kind == "value_error":
        return str(ctx["error"])
    if kind in ("too_short", "string_too_short"):
        consequence, example = _MISSING.get(str(key), ("it needs something in it", f"{key}: [..]"))
        return f"it is empty: {consequence}; write {example}"
    if kind == "string_pattern_mismatch":
        return f"{shown(detail['input'])} does not fit: write three capital letters, such as EUR"
    return f"{detail['msg'][:1].lower()}{detail['msg'][1:]}; it is {shown(detail['input'])}"


def _unknown_key(model: type[Shape], path: Path) -> str:
    key, known = path[-1], keys_at(model, path[:-1])
    what = "policy" if path[:-1] == ("policies",) else "key"
    hint = suggestion(key, known) or (f": write {one_of(known)}" if known else "")
    return f"unknown {what} {key}{hint}"


def _unknown_choice(key: str | int, written: Any, choices: Sequence[str], path: Path) -> str:
    for choice in choices:
        if isinstance(written, str) and written and choice.startswith(f"{written}_"):
            return f"{key} {written} is missing its {choice.removeprefix(written)}: write {choice}"
    what = "policy" if path[:1] == ("policies",) else str(key) if isinstance(key, str) else "choice"
    hint = suggestion(written, choices) if isinstance(written, str) else ""
    return f"unknown {what} {shown(written)}{hint} (write {one_of(choices)})"


def keys_at(model: type[Shape], path: Path) -> list[str]:
    """The keys that a mapping at this path may have, in the order of the model; nothing where any key is allowed."""
    found: Any = model
    for part in path:
        found = _inside(found, part)
    shape = _shape_of(found)
    return [field.serialization_alias or name for name, field in shape.model_fields.items()] if shape else []


def _inside(annotation: Any, part: str | int) -> Any:
    shape = _shape_of(annotation)
    if shape is not None:
        fields = {field.serialization_alias or name: field.annotation for name, field in shape.model_fields.items()}
        return fields.get(str(part))
    for inner in _options(annotation):
        if get_origin(inner) in (tuple, dict):
            return get_args(inner)[0 if get_origin(inner) is tuple else 1]
    return None


def _shape_of(annotation: Any) -> type[Shape] | None:
    for inner in _options(annotation):
        if isinstance(inner, type) and issubclass(inner, Shape):
            return inner
    return None


def _options(annotation: Any) -> list[Any]:
    """What an annotation may be, without `Annotated` and `| None`."""
    if get_origin(annotation) is Annotated:
        return _options(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [option for inner in get_args(annotation) for option in _options(inner)]
    return [annotation]
