"""Quantities as programs read them: amounts as digits, lengths in seconds."""

from decimal import Decimal

from schemas.instants import SECOND


def plain(amount: Decimal) -> str:
    """An amount as digits, never with an exponent."""
    return format(amount, "f")


def seconds(length: float | None) -> float | None:
    """A length in microseconds as seconds; None stays "no data"."""
    return None if length is None else length / SECOND
