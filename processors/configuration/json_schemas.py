"""JSON Schemas of the files people write, for their editors: what a key means, and which there are, while they type.

The models describe themselves; what they read from a form of its own (conditions, signals, counts) is described here. A
file that lints without errors fits its schema; what needs more than one place to see is left to `lint`.
"""

import re
from collections.abc import Callable
from typing import Any

from pydantic.json_schema import models_json_schema

from schemas.application import Application
from schemas.cases import DAYS_PATTERN, CaseFile
from schemas.definitions import Funnel, Library
from schemas.field_names import EVENT_FIELDS, EVENT_ROOTS, STATE_GRAINS
from schemas.instants import format_instant
from schemas.operators import COMPARISONS
from schemas.quantities import DURATION_PATTERN, SIZE_PATTERN, format_duration, format_size

_AS_WRITTEN: dict[str, Callable[[int], str]] = {"duration": format_duration, "size": format_size, "instant": format_instant}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/$defs/{name}"}


def _one_or_many(name: str) -> dict[str, Any]:
    return {"anyOf": [_ref(name), {"type": "array", "items": _ref(name), "minItems": 1}]}


_STATE_FIELD = rf"^({'|'.join(STATE_GRAINS)})\..+"
_EVENT_FIELD = (
    "^("
    + "|".join([*(f"{re.escape(root)}.+" for root in EVENT_ROOTS), *(f"{re.escape(field)}$" for field in EVENT_FIELDS)])
    + ")"
)
_SHAPES: dict[str, dict[str, Any]] = {
    "duration": {"type": "string", "pattern": DURATION_PATTERN, "description": "A number and its unit: 30d, 12h, 15m, 90s, 2w."},
    "size": {"type": "string", "pattern": SIZE_PATTERN, "description": "A number and its unit: 1MiB, 64KiB, 500B."},
    "instant": {"type": "string", "description": "ISO 8601: 2026-01-01T00:00:00Z; UTC without a zone."},
    "moment": {
        "anyOf": [
            {"type": "string", "pattern": DAYS_PATTERN, "description": "Days after the start: d3, d0.5."},
            _ref("instant"),
        ]
    },
    "text": {"type": "string", "minLength": 1},
    "texts": _one_or_many("text"),
    "scalar": {"type": ["string", "number", "boolean"]},
    "values": _one_or_many("scalar"),
    "field_source": {"anyOf": [{"type": "string", "description": "The path alone."}, _ref("FieldSource")]},
    "test": {
        "description": "A value (equals), a list (one of), or operators that must all hold.",
        "anyOf": [
            _ref("scalar"),
            {"type": "array", "items": _ref("scalar"), "minItems": 1},
            {
                "type": "object",
                "minProperties": 1,
                "additionalProperties": False,
                "properties": {
                    "exists": {"type": "boolean"},
                    **{comparison: _ref("scalar") for comparison in COMPARISONS},
                    "of": {"type": "string", "description": "The ordering to compare by."},
                    "before": {"type": "string", "description": "An instant; earlier than it."},
                    "after": {"type": "string", "description": "An instant; at or later than it."},
                    "passed": {"const": True, "description": "The time is not later than now."},
                    "matches": {"type": "string", "description": "An RE2 pattern."},
                },
            },
        ],
    },
    "condition": {
        "description": "Something is true now. Several keys: all of them.",
        "type": "object",
        "minProperties": 1,
        "properties": {
            "all": {"type": "array", "items": _ref("condition"), "minItems": 1},
            "any": {"type": "array", "items": _ref("condition"), "minItems": 1},
            "not": _ref("condition"),
            "happened": {**_ref("texts"), "description": "One of these conversions was matched at or before now."},
        },
        "patternProperties": {_STATE_FIELD: _ref("test")},
        "additionalProperties": False,
    },
    "conditions": _one_or_many("condition"),
    "signal": {
        "description": "Something happened: an event, with tests on it and on state, or a conversion.",
        "anyOf": [
            {
                "type": "object",
                "required": ["event"],
                "properties": {"event": _ref("texts"), "if": _ref("condition")},
                "patternProperties": {_EVENT_FIELD: _ref("test")},
                "additionalProperties": False,
            },
            {
                "type": "object",
                "required": ["conversion"],
                "properties": {"conversion": _ref("texts")},
                "additionalProperties": False,
            },
        ],
    },
    "signals": _one_or_many("signal"),
    "count": {
        "anyOf": [
            {"enum": ["every", "once_per_lead", "once_per_deal", "once_per_session"]},
            {
                "type": "object",
                "required": ["once_per_window"],
                "properties": {"once_per_window": _ref("duration")},
                "additionalProperties": False,
            },
        ]
    },
}


def definition_json_schema() -> dict[str, Any]:
    """The schema of a funnel file, or of a library where there is no `funnel`."""
    _, described = models_json_schema([(Funnel, "validation"), (Library, "validation")])
    branches = {"if": {"required": ["funnel"]}, "then": _ref("Funnel"), "else": _ref("Library")}
    return _whole("funnelstream definition", branches, described["$defs"])


def application_json_schema() -> dict[str, Any]:
    """The schema of an application's configuration."""
    described = Application.model_json_schema()
    return _whole("funnelstream configuration", described, described.pop("$defs"))


def cases_json_schema() -> dict[str, Any]:
    """The schema of a given/expect file."""
    described = CaseFile.model_json_schema()
    return _whole("funnelstream cases", described, described.pop("$defs"))


def _whole(title: str, root: dict[str, Any], models: dict[str, Any]) -> dict[str, Any]:
    described, shapes = _in_file_terms(root), _SHAPES | _in_file_terms(models)
    used: dict[str, Any] = {}
    waiting = _names_in(described)
    while waiting:
        name = waiting.pop()
        if name not in used:
            used[name] = shapes[name]
            waiting |= _names_in(shapes[name])
    return {"$schema": _DIALECT, **described, "title": title, "$defs": dict(sorted(used.items()))}


def _names_in(described: Any) -> set[str]:
    if isinstance(described, list):
        return set().union(*map(_names_in, described))
    if not isinstance(described, dict):
        return set()
    names = set().union(*map(_names_in, described.values()))
    return names | {described["$ref"].removeprefix("#/$defs/")} if isinstance(described.get("$ref"), str) else names


def _in_file_terms(described: Any) -> Any:
    """A model's schema in the terms of a file: forms described here in place of models, and no docstrings meant for code."""
    if isinstance(described, list):
        return [_in_file_terms(inner) for inner in described]
    if not isinstance(described, dict):
        return described
    rest = {key: _in_file_terms(inner) for key, inner in described.items()}
    if "properties" in rest and isinstance(rest.get("description"), str):
        del rest["description"]
    shape = rest.pop("shape") if isinstance(rest.get("shape"), str) else None
    if shape in _AS_WRITTEN and isinstance(rest.get("default"), int):
        rest["default"] = _AS_WRITTEN[shape](rest["default"])
    return {**_ref(shape), **rest} if shape else rest
