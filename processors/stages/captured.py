"""What a publication captures of the moment it speaks of: the values of segments, and an amount of money (rules 26 and 28)."""

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

from processors.stages.rules import Amount, SegmentRule
from processors.stages.timeline import Money
from schemas.facts import Value, is_missing

NO_VALUE = "(none)"
"""What a segment says where there is no value (rule 26)."""
_LONGEST_SEGMENT = 200
"""Characters of a segment's value that are published."""
_CURRENCY = re.compile("[A-Z]{3}")
_LARGEST_EXPONENT = 30
"""Of an amount: a text of eight characters can name a number of a million digits."""
_MOST_DIGITS = 60
"""Of an amount, so that sums of them stay exact (`metrics.cells.EXACT`)."""


def segment_value(segment: SegmentRule, values: Mapping[str, Value], event: Mapping[str, Value]) -> str:
    """The first value that a segment's sources have, as text; `(none)` without any (rule 26).

    Args:
        segment: Names the sources.
        values: Of subject and deal.
        event: Of the event at hand; empty for none.
    """
    for source in segment.sources:
        value = event.get(source) if source.startswith("event.") else values.get(source)
        if not is_missing(value):
            text = str(value).lower() if isinstance(value, bool) else str(value)
            return text[:_LONGEST_SEGMENT]
    return NO_VALUE


def money(amount: Amount, values: Mapping[str, Value]) -> Money | None:
    """The amount and its currency; None where one of the two is missing or is none (rule 28).

    Args:
        amount: Names their fields.
        values: Of subject, deal and event.
    """
    said, currency = values.get(amount.amount), values.get(amount.currency)
    if is_missing(said) or isinstance(said, bool) or not isinstance(currency, str):
        return None
    try:
        number = Decimal(str(said))
    except InvalidOperation:
        return None
    code = currency.strip().upper()
    sane = number.is_finite() and abs(number.adjusted()) <= _LARGEST_EXPONENT and len(number.as_tuple().digits) <= _MOST_DIGITS
    return (format(number, "f"), code) if sane and _CURRENCY.fullmatch(code) else None
