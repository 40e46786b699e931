"""Dead letters as they are read back: what a record of their topic is, and how the source record in it is sent again.

The topic holds two kinds of record. A dead letter is what `deadletters.py` writes: a source record with `dead-letter-*` headers
behind its own. A receipt says of one dead letter that it was sent back to its topic, and commits together with that record: who
knows all receipts knows what was sent (decision 8). Anything else is not ours. Pure: engines read and send.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from processors.topology.effects import Headers
from schemas.facts import Coordinates
from schemas.instants import MILLISECOND, format_instant, parse_instant

_FIRST_OF_OURS = "dead-letter-reason"
"""The header with which `deadletters.py` begins; what stands before its last occurrence came with the source record."""
_REPLAY = "dead-letter-replay"
_RECEIPT = "dead-letter-receipt"
_DIGITS = 19

NEVER = {
    "conflicting_duplicate": "it holds a fact and no source record, and which of two records with one id counts does not depend "
    "on arrival (rule 20): it would conflict again. Send the right content from its source under an id of its own",
    "kafka_time": "its Kafka time is part of it and would be refused again: have its producer send it anew, with a time in "
    "milliseconds",
}
"""Reasons that no replay can mend, and why."""


class Stored(NamedTuple):
    """One record of the dead-letters topic, as read; `timestamp` in microseconds."""

    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


class Place(NamedTuple):
    """Where a dead letter lies in its topic: what names it."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}/{self.offset}"


class DeadLetter(NamedTuple):
    """A source record that could not be used.

    Attributes:
        place: Of the dead letter.
        at: When it was set aside, in microseconds.
        reason: A word of `deadletters.REASONS`, or one of a newer version.
        sentence: What was wrong, for people.
        source: Name of the source.
        origin: Where the source record lay.
        time: Kafka time of the source record, in microseconds.
        key: Of the source record.
        value: Of the source record, or its beginning (`is_short`).
        headers: Of the source record.
        size: Bytes of the whole value, where only its beginning may be kept.
        sha256: Of the whole value, in hexadecimal digits; empty where `size` is None.
        replays: How often the record had been sent back before it ended here.
    """

    place: Place
    at: int
    reason: str
    sentence: str
    source: str
    origin: Coordinates
    time: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    size: int | None
    sha256: str
    replays: int

    @property
    def is_short(self) -> bool:
        """Whether only the beginning of the value is kept."""
        return self.size is not None and self.size != len(self.value or b"")

    @property
    def record(self) -> str:
        """Where the source record lay, as people write it."""
        return f"{self.origin.topic}/{self.origin.partition}/{self.origin.offset}"

    @property
    def names(self) -> frozenset[str]:
        """The names by which a person may ask for it: where it lies itself, and where its source record lay."""
        return frozenset((str(self.place), self.record))


class Posted(NamedTuple):
    """A dead letter, and how often it was sent back."""

    letter: DeadLetter
    sent: int


class Receipt(NamedTuple):
    """That a dead letter was sent back."""

    of: Place


def read(record: Stored) -> DeadLetter | Receipt | None:
    """What a record of the dead-letters topic is; None for one that is not ours, whatever it holds."""
    names = [name for name, _ in record.headers]
    try:
        if _FIRST_OF_OURS in names:
            return _letter(record, len(names) - 1 - names[::-1].index(_FIRST_OF_OURS))
        return _receipt(dict(record.headers)) if _RECEIPT in names else None
    except (KeyError, ValueError, OverflowError):
        return None


def replayed_headers(letter: DeadLetter) -> Headers:
    """The headers with which a source record is sent back: its own, and the how-manieth replay it is."""
    own = [(name, value) for name, value in letter.headers if name != _REPLAY]
    return [*own, (_REPLAY, str(letter.replays + 1).encode())]


def receipt_headers(letter: DeadLetter, to: str) -> Headers:
    """The headers of the receipt for a dead letter; its value is none. `to` says where the record went."""
    return [
        (_RECEIPT, b"replayed"),
        ("dead-letter-receipt-of", str(letter.place).encode()),
        ("dead-letter-receipt-to", to.encode()),
        (_REPLAY, str(letter.replays + 1).encode()),
    ]


def replayed_timestamp(letter: DeadLetter) -> int:
    """The Kafka time that the record had, in milliseconds: whether it came too late is decided by it (rule 19).

    A client takes 0 for "now", so the first instant of 1970 becomes the one after it.
    """
    return letter.time // MILLISECOND or 1


def _letter(record: Stored, first: int) -> DeadLetter:
    ours = dict(record.headers[first:])
    own = list(record.headers[:first])
    size = ours.get("dead-letter-size")
    return DeadLetter(
        place=Place(record.partition, record.offset),
        at=record.timestamp,
        reason=_text(ours, "dead-letter-reason"),
        sentence=_text(ours, "dead-letter-sentence"),
        source=_text(ours, "dead-letter-source"),
        origin=Coordinates(
            _text(ours, "dead-letter-topic"), _number(ours["dead-letter-partition"]), _number(ours["dead-letter-offset"])
        ),
        time=_time(_text(ours, "dead-letter-time")),
        key=record.key,
        value=record.value,
        headers=own,
        size=None if size is None else _number(size),
        sha256="" if size is None else _text(ours, "dead-letter-sha256"),
        replays=next(_replays(own), 0),
    )


def _receipt(headers: Mapping[str, bytes | None]) -> Receipt:
    partition, _, offset = _text(headers, "dead-letter-receipt-of").partition("/")
    return Receipt(Place(_number(partition.encode()), _number(offset.encode())))


def _replays(headers: Headers) -> Iterator[int]:
    """What the source record said of its replays; anybody may write such a header, so nonsense counts for nothing."""
    for name, value in reversed(headers):
        if name == _REPLAY and value is not None and value.isdigit() and len(value) <= _DIGITS:
            yield int(value)


def _text(headers: Mapping[str, bytes | None], name: str) -> str:
    value = headers[name]
    if value is None:
        raise ValueError(name)
    return value.decode("utf-8", "replace")


def _number(digits: bytes | None) -> int:
    if digits is None or not digits.isdigit() or len(digits) > _DIGITS:
        raise ValueError(digits)
    return int(digits)


def _time(text: str) -> int:
    """Kafka time as `deadletters.py` writes it: ISO 8601, or microseconds where it lies outside what that can say."""
    return int(text) if text.lstrip("-").isdigit() else parse_instant(text)


def described_time(instant: int) -> str:
    """An instant for people, also one that no calendar has."""
    try:
        return format_instant(instant)
    except ValueError:
        return f"{instant} microseconds"
