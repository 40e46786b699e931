"""Routes of the API, each with what it takes and answers, and their OpenAPI description: one list is served and described."""

import re
from collections.abc import Awaitable, Callable, Sequence
from importlib.metadata import version
from typing import Any, NamedTuple

import msgspec
from aiohttp import web

from processors.insights.shapes import Problem, Shape

Handler = Callable[[web.Request], Awaitable[Shape]]


class Parameter(NamedTuple):
    """A part of a query: its name, what it asks for, and the schema of its values."""

    name: str
    means: str
    schema: dict[str, Any]


class Route(NamedTuple):
    """A GET of the API.

    Attributes:
        path: With names in braces.
        handler: Answers with a shape.
        answer: The shape.
        summary: What it answers, in a line.
        query: What may be asked for.
        always: Whether it is answered before everything was read: it is true then, too.
    """

    path: str
    handler: Handler
    answer: type[Shape]
    summary: str
    query: Sequence[Parameter] = ()
    always: bool = False


TEXT = {"type": "string", "maxLength": 512}
DAY = {"type": "string", "format": "date"}
GRAIN = Parameter("grain", "Whose numbers: the funnel's subject, or deal where deals are published besides.", TEXT)
DAYS = (
    Parameter("days", "A span that ends today.", {"type": "string", "enum": ["all", "7d", "30d", "90d", "365d"]}),
    Parameter("from", "The first day; UTC.", DAY),
    Parameter("to", "The last day; UTC.", DAY),
)
SEGMENT = (
    Parameter("segment", "A segment of the definition.", TEXT),
    Parameter("value", "One of its values, as the answer about the segment labels it.", TEXT),
)
_IN_PATH = {
    "funnel": "Name of the funnel.",
    "segment": "Name of the segment.",
    "handle": "What stands for a subject, from another answer.",
}
_PROBLEMS = {
    "400": "A part of the question has no such form.",
    "401": "A token is asked for, and was not shown.",
    "404": "There is nothing of that name.",
}
_NOT_READY = {
    "description": "Not everything that was there at the start is read yet, so the numbers would be too small. Ask again.",
    "headers": {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}},
}


def describe(routes: Sequence[Route], *, guarded: bool) -> dict[str, Any]:
    """The OpenAPI 3.1 description of routes.

    Args:
        routes: All of them.
        guarded: Whether a token is asked for.
    """
    _, components = msgspec.json.schema_components(
        [*(route.answer for route in routes), Problem], ref_template="#/components/schemas/{name}"
    )
    described: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {
            "title": "funnelstream insights",
            "version": version("funnelstream"),
            "description": "The numbers behind the pages. null is no data.",
        },
        "paths": {route.path: {"get": _operation(route)} for route in routes},
        "components": {
            "schemas": components,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "description": "insights.token"}},
        },
    }
    return described | ({"security": [{"token": []}]} if guarded else {})


def _operation(route: Route) -> dict[str, Any]:
    in_path = [
        {"name": name, "in": "path", "required": True, "description": _IN_PATH[name], "schema": TEXT}
        for name in re.findall(r"\{(\w+)\}", route.path)
    ]
    in_query = [
        {"name": each.name, "in": "query", "required": False, "description": each.means, "schema": each.schema}
        for each in route.query
    ]
    return {
        "summary": route.summary,
        "operationId": route.handler.__name__.lstrip("_"),
        "parameters": [*in_path, *in_query],
        "responses": {
            "200": {"description": route.summary, "content": _json(route.answer)},
            **{code: {"description": why, "content": _json(Problem)} for code, why in _PROBLEMS.items()},
            **({} if route.always else {"503": _NOT_READY | {"content": _json(Problem)}}),
        },
    }


def _json(shape: type[Shape]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{shape.__name__}"}}}
