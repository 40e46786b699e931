"""Quantities as people write them: durations (`30d`), sizes (`1MiB`) and instants, read into the integers used inside.

Inside, a duration and an instant are microseconds and a size is bytes. In a file a number needs its unit: `sla: 30` would
leave open thirty of what. Models that are made in code may pass the integer.
"""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo, WithJsonSchema

from schemas.instants import DAY, HOUR, MILLISECOND, MINUTE, SECOND, format_instant, parse_instant

FROM_FILE = {"written": True}
"""Validation context for models read from a file: numbers without a unit are refused."""

_UNITS = {"ms": MILLISECOND, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY, "w": 7 * DAY}
_SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
_LONGEST = 36_500 * DAY
_LARGEST = 1 << 40

DURATION_PATTERN = r"^[0-9]{1,12}(ms|s|m|h|d|w)$"
SIZE_PATTERN = r"^[0-9]{1,13}(B|KiB|MiB|GiB)$"


def parse_duration(text: str) -> int:
    """Read a duration such as `30d`, `12h`, `15m`, `90s`, `100ms` or `2w`.

    Returns:
        Microseconds, more than 0.

    Raises:
        ValueError: It is no duration, not longer than zero, or longer than a hundred years; the message says what to write.
    """
    if not re.match(DURATION_PATTERN, text):
        raise ValueError(f"{text!r} is no duration: write a number and its unit, such as 30d, 12h, 15m, 90s or 2w")
    unit = text.lstrip("0123456789")
    microseconds = int(text[: -len(unit)]) * _UNITS[unit]
    if microseconds == 0:
        raise ValueError(f"{text} is no time at all: a duration must be longer than zero, such as 30d or 12h")
    if microseconds > _LONGEST:
        raise ValueError(f"{text} is longer than a hundred years; the longest duration is 36500d")
    return microseconds


def parse_size(text: str) -> int:
    """Read a size such as `64KiB`, `1MiB` or `500B`.

    Returns:
        Bytes, more than 0.

    Raises:
        ValueError: It is no size, not more than zero, or more than 1024GiB; the message says what to write.
    """
    if not re.match(SIZE_PATTERN, text):
        raise ValueError(f"{text!r} is no size: write a number and its unit, such as 64KiB, 1MiB or 500B")
    unit = text.lstrip("0123456789")
    size = int(text[: -len(unit)]) * _SIZES[unit]
    if not 0 < size <= _LARGEST:
        raise ValueError(f"{text} is out of range: a size is more than zero and at most 1024GiB")
    return size


def format_duration(microseconds: int) -> str:
    """Write a duration in the largest unit that fits it whole: `30d`, `36h`; fractions of a millisecond are cut off."""
    for unit, length in (("d", DAY), ("h", HOUR), ("m", MINUTE), ("s", SECOND)):
        if microseconds % length == 0:
            return f"{microseconds // length}{unit}"
    return f"{microseconds // MILLISECOND}ms"


def format_size(size: int) -> str:
    """Write a size in the largest unit that fits it whole: `1MiB`, `500B`."""
    unit, length = next((unit, length) for unit, length in reversed(_SIZES.items()) if size % length == 0)
    return f"{size // length}{unit}"


def _integer_outside_files(value: Any, info: ValidationInfo) -> int | None:
    written = bool(info.context and info.context.get("written"))
    return value if isinstance(value, int) and not isinstance(value, bool) and not written else None


def _read_duration(value: Any, info: ValidationInfo) -> int:
    made_in_code = _integer_outside_files(value, info)
    return parse_duration(_as_written(value)) if made_in_code is None else made_in_code


def _read_size(value: Any, info: ValidationInfo) -> int:
    made_in_code = _integer_outside_files(value, info)
    return parse_size(_as_written(value)) if made_in_code is None else made_in_code


def _read_instant(value: Any, info: ValidationInfo) -> int:
    made_in_code = _integer_outside_files(value, info)
    if made_in_code is not None:
        return made_in_code
    try:
        return parse_instant(_as_written(value))
    except (ValueError, OverflowError):
        raise ValueError(f"{value!r} is no point in time: write it in ISO 8601, such as 2026-01-01T00:00:00Z") from None


def _as_written(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


Duration = Annotated[
    int,
    BeforeValidator(_read_duration),
    PlainSerializer(format_duration, when_used="json"),
    WithJsonSchema({"shape": "duration"}),
]
Size = Annotated[
    int,
    BeforeValidator(_read_size),
    PlainSerializer(format_size, when_used="json"),
    WithJsonSchema({"shape": "size"}),
]
Instant = Annotated[
    int,
    BeforeValidator(_read_instant),
    PlainSerializer(format_instant, when_used="json"),
    WithJsonSchema({"shape": "instant"}),
]
