"""From the projection's answers to what the API sends: names and structure stay, microseconds become seconds, decimals text."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import singledispatch
from typing import Any, TypeVar

import msgspec

from processors.insights import shapes
from processors.insights.progress import Status
from processors.insights.questions import Asked
from processors.metrics.rates import Share
from processors.projection import answers
from processors.shown.quantities import plain, seconds
from schemas.instants import format_instant

Sent = TypeVar("Sent", bound=shapes.Shape)


def sent(shape: type[Sent], answer: Any, **more: Any) -> Sent:
    """An answer in the shape in which it is sent.

    Args:
        shape: The shape.
        answer: A tuple with the same names; what the shape has not is left out.
        more: What the shape has besides.
    """
    return msgspec.convert({**_plain(answer), **{name: _plain(value) for name, value in more.items()}}, shape)


def status_of(status: Status) -> shapes.Status:
    """How far insights has read."""
    silent, as_of = (None if each is None else format_instant(each) for each in (status.silent_since, status.as_of))
    return shapes.Status(ready=status.ready, behind_records=status.behind, as_of=as_of, kafka_silent_since=silent)


def asked(question: Asked) -> dict[str, Any]:
    """What was asked, repeated in the answer."""
    return {
        "funnel": question.outline.funnel,
        "grain": question.outline.grain,
        "segment": question.segment.name if question.segment is not None else None,
        "value": question.value.label if question.value is not None else None,
        "days": question.days,
        "as_of": format_instant(question.as_of),
    }


@singledispatch
def _plain(value: Any) -> Any:
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _plain(each) for name, each in value._asdict().items()}
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, Sequence) and not isinstance(value, str) else value


@_plain.register
def _(value: Decimal) -> str:
    return plain(value)


@_plain.register
def _(value: Share) -> dict[str, Any]:
    return {"part": _plain(value.part), "whole": _plain(value.whole), "value": value.value}


@_plain.register
def _(value: answers.Weighted) -> dict[str, Any]:
    part, whole = (_plain(Decimal(each)) for each in value.share)
    return {"part": part, "whole": whole, "value": value.share.value, "excluded": _plain(value.excluded)}


@_plain.register
def _(value: answers.Worth) -> dict[str, Any]:
    converted = value.converted
    said = {} if converted is None else {"converted": _plain(converted.amount), "excluded": _plain(converted.excluded)}
    return {"amounts": _plain(value.amounts), "converted": None, "excluded": {}} | said


@_plain.register
def _(value: answers.Lengths) -> dict[str, Any]:
    return value._asdict() | {name: seconds(getattr(value, name)) for name in ("mean", "median", "p90")}


@_plain.register
def _(value: answers.Place) -> dict[str, Any]:
    return {name: _plain(each) for name, each in value._asdict().items()} | {"open_age": seconds(value.open_age)}


@_plain.register
def _(value: answers.Cohort) -> dict[str, Any]:
    parts = {name: _plain(getattr(value, name)) for name in ("days", "share", "weighted", "times")}
    return parts | value.maturity._asdict()
