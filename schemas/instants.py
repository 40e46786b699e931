"""Instants: how the whole project writes a point in time.

Inside, an instant is an `int`: microseconds since 1970-01-01T00:00:00Z. It sorts, subtracts and travels without loss
(CRM webhooks give milliseconds, change streams microseconds), and it cannot carry a wrong time zone. Outside (published
records, messages for people) it is ISO 8601 in UTC with a `Z` and no more fraction digits than it needs.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

MILLISECOND = 1_000
SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_MINUTE = _EPOCH.replace(tzinfo=None)

FIRST, LAST = -62_135_596_800 * SECOND, 253_402_300_800 * SECOND - 1
"""The instants that can be written: the years 1 to 9999."""


def parse_instant(text: str) -> int:
    """Read an ISO 8601 date or date-time; without a zone it is UTC.

    Args:
        text: For example `2026-01-01T00:00:00.123Z`, `2026-01-01 10:00` or `2026-01-01`.

    Returns:
        Microseconds since the epoch.

    Raises:
        ValueError: The text is no ISO 8601 date or date-time, or its year is outside 1 to 9999.
    """
    return instant_of(datetime.fromisoformat(text))


def instant_of(moment: datetime) -> int:
    """The instant of a `datetime`; a naive one is read as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    delta = moment - _EPOCH
    return (delta.days * 86_400 + delta.seconds) * SECOND + delta.microseconds


@lru_cache(maxsize=1 << 8)  # a fact's time is written in its conversion, its transition and its lead, one after the other
def format_instant(instant: int) -> str:
    """Write an instant as ISO 8601 in UTC: `2026-01-01T00:00:00Z`, with a fraction only where there is one.

    Raises:
        ValueError: The instant lies outside the years 1 to 9999.
    """
    minute, rest = divmod(instant, MINUTE)
    try:
        text = _format_minute(minute)
    except OverflowError as error:
        raise ValueError(f"{instant} microseconds lie outside the years 1 to 9999") from error
    second, fraction = divmod(rest, SECOND)
    millisecond, micros = divmod(fraction, MILLISECOND)
    end = f".{fraction:06}Z" if micros else _MILLISECONDS[millisecond]
    return f"{text}{_SECONDS[second]}{end}"


@lru_cache(maxsize=1 << 12)
def _format_minute(minute: int) -> str:
    return (_FIRST_MINUTE + timedelta(minutes=minute)).isoformat(timespec="minutes")


_SECONDS = tuple(f":{second:02}" for second in range(60))
_MILLISECONDS = ("Z", *(f".{millisecond:03}Z" for millisecond in range(1, 1000)))
