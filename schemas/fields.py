"""Canonical fields: what they are called, of which type they are, and where the formats keep them.

A definition reads `lead.status` or `deal.amount` and never the name a CRM gives it; a source's `fields`, and the presets
here, say which source field that is. Values take their type once, on arrival: what cannot be converted is missing.
"""

import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Literal, Protocol

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StrictStr

from schemas.conditions import Scalar
from schemas.facts import LONGEST_TEXT, Value, is_missing
from schemas.instants import MILLISECOND, format_instant, parse_instant
from schemas.shape import Shape

FieldType = Literal["text", "bool", "number", "decimal", "time"]
LONGEST_PATH = 256
"""Characters of a source's own name of a field. Without a bound a record with one long key around thousands of short ones would
be written out as thousands of long paths."""
_EPOCH_MILLISECONDS = re.compile(r"[+-]?[0-9]{10,15}\Z")
_DECIMAL_PLACES = 40


class FieldSource(Shape):
    """Where a canonical field comes from in one source.

    Attributes:
        from_: The source's own name of the field, or a dotted path.
        type: Where a file names none, a source's `fields` take it from the canonical name, see `field_type`.
        values: Source value to canonical value; None: values pass as they are.
        unlisted: What happens with a value that `values` does not list.
    """

    from_: StrictStr = Field(
        validation_alias="from",
        serialization_alias="from",
        min_length=1,
        max_length=LONGEST_PATH,
        description="The source's own name of the field, or a dotted path.",
    )
    type: FieldType = Field(
        default="text", description="By the canonical name when absent: time for *_at, bool for deal.is_*, ..."
    )
    values: dict[str, StrictStr | StrictBool | StrictInt | StrictFloat] | None = Field(
        default=None, description="Source value to canonical value; as they are when absent."
    )
    unlisted: Literal["dead_letter", "keep", "missing"] = Field(
        default="keep", description="What happens with a value not listed."
    )


def field_type(name: str) -> FieldType:
    """The type of a canonical field that no source types: time for `*_at`, bool for `deal.is_*`, decimal for the amount."""
    if name.endswith("_at"):
        return "time"
    if name.startswith("deal.is_"):
        return "bool"
    return "decimal" if name == "deal.amount" else "text"


def typed(value: object, wanted: FieldType) -> Value:
    """A value as a field of this type carries it: an instant for time, text for decimal; None stays missing, and so does ''.

    Raises:
        ValueError: It cannot be converted.
    """
    if is_missing(value):
        return None
    if not isinstance(value, str | bool | int | float):
        raise ValueError(f"a {type(value).__name__} is no {wanted}")
    return _CONVERSIONS[wanted](value)


def _text(value: Scalar) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _bool(value: Scalar) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise ValueError(f"{value!r} is neither true nor false")


def _number(value: Scalar) -> int | float:
    if isinstance(value, bool):
        raise ValueError("true and false are no numbers")
    if isinstance(value, int) or (isinstance(value, str) and value.strip().lstrip("+-").isdecimal()):
        return int(value)  # not by way of a float, which ends at 1e308 and is inexact from 2**53 on
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is no finite number")
    return number


def _decimal(value: Scalar) -> str:
    if isinstance(value, str) and len(value) > LONGEST_TEXT:  # cut, it would be another number
        raise ValueError("the number is longer than a fact can carry")
    try:
        amount = Decimal(str(value).strip())
    except InvalidOperation:
        raise ValueError(f"{value!r} is no decimal number") from None
    if isinstance(value, bool) or not amount.is_finite():
        raise ValueError(f"{value!r} is no decimal number")
    return format(amount, "f") if abs(amount.adjusted()) < _DECIMAL_PLACES else str(amount)


def _time(value: Scalar) -> int:
    if isinstance(value, bool | float):
        raise ValueError(f"{value!r} is no point in time")
    text = str(value).strip()
    # CRMs send epoch milliseconds, as number or text (formats A4, A6); shorter digits are an ISO date without dashes.
    instant = int(text) * MILLISECOND if _EPOCH_MILLISECONDS.match(text) else parse_instant(text)
    format_instant(instant)
    return instant


_CONVERSIONS: dict[FieldType, Callable[[Scalar], Value]] = {
    "text": _text,
    "bool": _bool,
    "number": _number,
    "decimal": _decimal,
    "time": _time,
}


_HUBSPOT = {
    "lead.lifecycle_stage": "lifecyclestage",
    "lead.status": "hs_lead_status",
    "lead.owner": "hubspot_owner_id",
    "lead.created_at": "createdate",
    "lead.source": "hs_analytics_source",
    "deal.stage": "dealstage",
    "deal.pipeline": "pipeline",
    "deal.amount": "amount",
    "deal.currency": "deal_currency_code",
    "deal.closed_at": "closedate",
    "deal.created_at": "createdate",
    "deal.owner": "hubspot_owner_id",
    "deal.is_won": "hs_is_closed_won",
    "deal.is_closed": "hs_is_closed",
}
PRESETS = {"hubspot": {name: FieldSource(from_=source, type=field_type(name)) for name, source in _HUBSPOT.items()}}
"""By format, the canonical fields that need no `fields` entry; an entry of the same name replaces the preset."""


class _Mapping(Protocol):
    @property
    def fields(self) -> Mapping[str, FieldSource]: ...


class _Mapped(Protocol):
    """What is known of a source's fields: a configured source."""

    @property
    def format(self) -> str: ...

    @property
    def fields(self) -> dict[str, FieldSource]: ...
    @property
    def mapping(self) -> _Mapping | None: ...


def fields_of(source: _Mapped) -> dict[str, FieldSource]:
    """All canonical fields a source gives: the presets of its format or what its mapping sets, and its own `fields`."""
    if source.mapping is not None:
        return {**source.mapping.fields}
    return PRESETS.get(source.format, {}) | source.fields
