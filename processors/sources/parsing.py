"""What every decoder of JSON needs: reading bytes, instants and identifiers so that a bad record ends as an `Undecodable`.

It guards the decoders' promise to raise nothing else, whatever the bytes (statement.py), and the promise that a digest
depends on content alone: not on key order, white space or the depth of the interpreter's stack.
"""

import re
from collections.abc import Callable
from decimal import Decimal
from hashlib import blake2b
from typing import Any, TypeVar

import msgspec

from processors.sources.statement import Undecodable
from schemas.facts import is_missing
from schemas.instants import MILLISECOND, parse_instant

T = TypeVar("T")

NESTING = 64
"""Levels of arrays and objects that a record may have where the application's `limits.nesting` says nothing else."""

SECOND = 1_000_000_000
"""Nanoseconds."""
_LONGEST_IDENTIFIER = 512
_LONGEST_QUOTE = 60
_LARGEST_NUMBER = 10**_LONGEST_IDENTIFIER
_LARGEST_EXACT = 2**53
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_DIGITS = re.compile(r"-?[0-9]{1,21}")  # as many as nanoseconds of the year 9999 have
_EARLIEST = parse_instant("0001-01-01T00:00:00Z")
_LATEST = parse_instant("9999-12-31T23:59:59.999999Z")
_canonical = msgspec.json.Encoder(order="sorted").encode


def read_json(decode: Callable[[bytes], T], value: bytes) -> T:
    """Decode the value of a record with a msgspec decoder; one that has no value comes as no bytes.

    Raises:
        Undecodable: `empty`, `not_utf8`, `not_json`, `too_deep`, or `wrong_shape` where the decoder's type does not fit.
    """
    try:
        return decode(value)
    except RecursionError:
        raise Undecodable("too_deep", "The record nests arrays or objects too deeply to be read.") from None
    except msgspec.ValidationError as error:
        raise Undecodable("wrong_shape", f"The record is JSON of another shape: {error}.") from None
    except ValueError as error:
        raise _no_text(value, error) from None


def _no_text(value: bytes, error: ValueError) -> Undecodable:
    if not value:
        sentence = "The record has no value, so it says nothing; tombstones do not belong on a topic of events."
        return Undecodable("empty", sentence)
    if value[0] == 0:
        sentence = "The record starts with a zero byte, as records of a schema registry do; this format reads plain JSON."
        return Undecodable("not_json", sentence)
    try:
        value.decode("utf-8")
    except UnicodeDecodeError as fault:
        return Undecodable("not_utf8", f"The record is not UTF-8 text from byte {fault.start} on.")
    return Undecodable("not_json", f"The record is not JSON, or holds a text that UTF-8 cannot carry: {error}.")


def check_nesting(value: bytes, body: Any, limit: int) -> None:
    """Refuse a record with more than `limit` levels of arrays and objects.

    A limit of our own, because the interpreter's depends on how deep the caller stands: one record, one verdict.

    Args:
        value: The record as read; where it has no more opening brackets than levels are allowed, nothing needs to be walked.
        body: The same, decoded.
        limit: Levels allowed; a flat object is one.

    Raises:
        Undecodable: `too_deep`.
    """
    if value.count(b"{") + value.count(b"[") <= limit:
        return
    level: list[Any] = [body]
    for _ in range(limit + 1):
        level = [
            child
            for container in level
            if type(container) is dict or type(container) is list
            for child in (container.values() if type(container) is dict else container)
        ]
        if not level:
            return
    raise Undecodable("too_deep", f"The record nests arrays and objects more than {limit} levels deep (limits.nesting).")


def identifier_text(value: object) -> str | None:
    """An identifier as text, or None where the value cannot be one.

    Texts are stripped, whole numbers are their digits (a re-publisher may turn an integer into a float). Null, bools, fractions,
    arrays, objects, texts longer than 512 characters or with control characters are no identifiers.
    """
    if type(value) is str:
        text = value.strip()
        if not text or len(text) > _LONGEST_IDENTIFIER:
            return None
        return None if not text.isprintable() and _CONTROL.search(text) else text
    if type(value) is float and value.is_integer() and abs(value) < _LARGEST_EXACT:
        value = int(value)
    if type(value) is int and -_LARGEST_NUMBER < value < _LARGEST_NUMBER:
        return str(value)
    return None


def instant_from_text(value: object, field: str) -> int | None:
    """The instant of a field that holds ISO 8601 text; None where it is missing (null or empty).

    Args:
        value: As decoded.
        field: The field's name, for the message.

    Returns:
        Microseconds since the epoch.

    Raises:
        Undecodable: `wrong_time`: no text, not ISO 8601, or outside the years 1 to 9999 in UTC.
    """
    if type(value) is str and value:
        try:
            return _within_calendar(parse_instant(value), value, field)
        except (ValueError, OverflowError):
            raise _wrong_time(value, field) from None
    if is_missing(value):
        return None
    raise _wrong_time(value, field)


def instant_from_milliseconds(value: object, field: str) -> int | None:
    """The instant of a field that holds milliseconds since the epoch, as a number or its digits, or else ISO 8601 text.

    Returns:
        Microseconds since the epoch; None where the field is missing (null or empty).

    Raises:
        Undecodable: `wrong_time`, like `instant_from_text`.
    """
    if type(value) is str and _DIGITS.fullmatch(value):
        value = int(value)
    if type(value) is float and value.is_integer():
        value = int(value)
    if type(value) is int:
        return _within_calendar(value * MILLISECOND, value, field)
    return instant_from_text(value, field)


def instant_from_units(value: object, field: str, nanoseconds: int) -> int | None:
    """The instant of a field that holds units of so many nanoseconds since the epoch, or else ISO 8601 text.

    Seconds may have fractions; what is finer than a microsecond is cut off. Returns and raises like `instant_from_milliseconds`.
    """
    if type(value) is str and _DIGITS.fullmatch(value):
        value = int(value)
    if type(value) is float and (value.is_integer() or nanoseconds == SECOND) and abs(value) < _LARGEST_EXACT:
        return _within_calendar(int(Decimal(str(value)) * nanoseconds) // 1000, value, field)
    if type(value) is int:
        return _within_calendar(value * nanoseconds // 1000, value, field)
    return instant_from_text(value, field)


def _within_calendar(instant: int, value: object, field: str) -> int:
    # An offset can push a written year 1 or 9999 out of the calendar, where no published time could be written.
    if _EARLIEST <= instant <= _LATEST:
        return instant
    raise _wrong_time(value, field)


def _wrong_time(value: object, field: str) -> Undecodable:
    return Undecodable("wrong_time", f"{field} is {shown(value)}, which is no time between the years 1 and 9999.")


def digest(content: Any) -> bytes:
    """A 16-byte digest of decoded JSON; the order of keys does not count."""
    return blake2b(_canonical(content), digest_size=16).digest()


def shown(value: object) -> str:
    """A value as a message quotes it: JSON, cut where it gets long."""
    text = _canonical(value).decode()
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}..."
