"""How pages write numbers, shares, lengths, money and times; no data is a dash, never a 0."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from processors.metrics.rates import Share
from processors.shown.wording import place_name
from schemas.instants import DAY, HOUR, MINUTE, SECOND, format_instant

NO_DATA = "\N{EN DASH}"
_THIN = "\N{NARROW NO-BREAK SPACE}"
_UNITS = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"))
_LEVELS = 10


def number(value: float | Decimal | None) -> str:
    """12345 as 12 345."""
    return NO_DATA if value is None else f"{value:,}".replace(",", _THIN)


def percent(value: Share | float | None) -> str:
    """0.1234 as 12.3 %; of an empty whole there is no data."""
    share = value.value if isinstance(value, Share) else value
    return NO_DATA if share is None else f"{share * 100:.1f}{_THIN}%"


def length_of(microseconds: float | None) -> str:
    """A length in its two largest units: 3 d 4 h."""
    if microseconds is None:
        return NO_DATA
    whole = round(microseconds)
    for position, (unit, name) in enumerate(_UNITS):
        if whole >= unit:
            count, rest = divmod(whole, unit)
            if position + 1 < len(_UNITS):
                smaller, its_name = _UNITS[position + 1]
                if rest >= smaller:
                    return f"{number(count)} {name} {rest // smaller} {its_name}"
            return f"{number(count)} {name}"
    return "0 s" if whole == 0 else "< 1 s"


def seconds(value: float | None) -> str:
    """A length in seconds, likewise."""
    return length_of(None if value is None else value * SECOND)


def money(amounts: Mapping[str, Decimal]) -> str:
    """Amounts by currency."""
    return ", ".join(f"{number(amount)} {currency}" for currency, amount in sorted(amounts.items())) or NO_DATA


def instant(value: int | str | None) -> str:
    """2026-01-31 14:05 UTC, of an instant or of what was published."""
    if value is None:
        return NO_DATA
    text = format_instant(value) if isinstance(value, int) else value
    return f"{text[:16].replace('T', ' ')} UTC"


def machine(value: int) -> str:
    """An instant for the attribute that programs read."""
    return format_instant(value)


def level(share: Share) -> str:
    """The shade of a share in a heat map, 0 to 10; x: no data."""
    return "x" if share.value is None else str(min(round(share.value * _LEVELS), _LEVELS))


def position(place: Mapping[str, Any] | None) -> str:
    """The name of a published position."""
    return place_name(place, "no stage")


FILTERS: dict[str, Callable[..., str]] = {
    each.__name__: each for each in (number, percent, length_of, seconds, money, instant, machine, level, position)
}
"""What templates may use."""
