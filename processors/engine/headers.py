"""The headers of a record, also of one whose headers the Python client cannot read."""

from collections.abc import Sequence

from confluent_kafka import Message

from processors.topology.deadletters import UNREADABLE_HEADERS


def headers_of(message: Message) -> Sequence[tuple[str, bytes | None]]:
    """The headers; a mark in their place where a name is not UTF-8."""
    try:
        return message.headers() or ()  # type: ignore[return-value]  # bytes, whatever the stubs say
    except (SystemError, UnicodeDecodeError):  # the client returns a list although an exception is set
        return UNREADABLE_HEADERS
