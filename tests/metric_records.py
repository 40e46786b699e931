"""Metric records made by hand, as a worker publishes them, and a projection of them."""

from collections.abc import Iterable
from typing import Any

import msgspec

from processors.metrics.exchange import Exchange
from processors.metrics.outlines import Outlines, outline_funnels
from processors.projection.projection import Projection
from processors.projection.records import Metric, decode_metric
from schemas.definitions import Funnel
from schemas.metrics import Metric as Published

IDENTITY = (
    "kind",
    "funnel",
    "grain",
    "name",
    "place",
    "day",
    "recorded",
    "reason",
    "of",
    "chunk",
    "segment",
    "segment_value",
    "partition",
)


def metric(kind: str, name: str, day: str, **fields: Any) -> tuple[bytes, Metric]:
    """A record's key and value; what is left out is that of partition 0 of the leads of the funnel `web`, all together."""
    body: dict[str, Any] = {
        "kind": kind,
        "funnel": "web",
        "grain": "lead",
        "name": name,
        "segment": None,
        "segment_value": None,
        "day": day,
    }
    body |= {"partition": 0, **({"recorded": day, "reason": "live"} if kind in ("entries", "conversions") else {}), **fields}
    if kind in ("entries", "standing", "stays"):
        body.setdefault("place", "stage")
    Published.model_validate(body)
    key = msgspec.json.encode([body.get(part) for part in IDENTITY])
    return key, decode_metric(msgspec.json.encode(body))


def split(segment: str, value: str, *records: tuple[bytes, Metric]) -> list[tuple[bytes, Metric]]:
    """The same records for one value of a segment."""
    return [
        (key + f"/{segment}/{value}".encode(), msgspec.structs.replace(body, segment=segment, segment_value=value))
        for key, body in records
    ]


def web(**keys: Any) -> Funnel:
    """A funnel of two stages and two outcomes; rates and segments as given."""
    written = {
        "funnel": "web",
        "version": 1,
        "owner": "o",
        "reason": "r",
        "effective_from": "2020-01-01",
        "subject": "lead",
        "conversions": [{"name": "demo", "description": "d", "when": {"event": "Demo"}}],
        "stages": [{"name": "a", "when": {"event": "A"}}, {"name": "b", "when": {"event": "B"}}],
        "outcomes": [
            {"name": "won", "result": "won", "when": {"event": "Won"}},
            {"name": "lost", "result": "lost", "when": {"event": "Lost"}},
        ],
    }
    return Funnel.model_validate({**written, **keys})


def projected(
    records: Iterable[tuple[bytes, Metric | None]],
    *funnels: Funnel,
    exchange: Exchange | None = None,
    label_values: int | None = None,
) -> Projection:
    """A projection of records, of the funnel `web` if none is given."""
    outlines = Outlines(outline_funnels(funnels or [web()]), None if exchange is None else exchange.reporting, label_values)
    projection = Projection(outlines, exchange)
    projection.put(records)
    return projection
