"""Decoders: one file per outside format, each turning a record into statements; `decoder_for` finds the one for a source."""

from collections.abc import Collection

from processors.sources.hubspot import HubSpotDecoder
from processors.sources.parsing import NESTING
from processors.sources.segment import SegmentDecoder
from processors.sources.statement import Decoder

__all__ = ["FORMATS", "decoder_for"]

FORMATS = ("segment", "hubspot")
"""Formats that a source can have."""


def decoder_for(
    name: str, *, used_events: frozenset[str] | None, identifiers: Collection[str], session: str | None, nesting: int = NESTING
) -> Decoder:
    """The decoder of a configured source.

    Args:
        name: The source's format, one of `FORMATS`.
        used_events: Names of the events that definitions use; None means all. Formats without events have no use for it.
        identifiers: Names of identifiers as the format writes them: the keys of the source's `identifiers`.
        session: Dotted path of the session's id; None means the format's own.
        nesting: Levels of arrays and objects that a record may have (`limits.nesting`).

    Raises:
        ValueError: No decoder has this name; configuration is checked against `FORMATS` before.
    """
    match name:
        case "segment":
            return SegmentDecoder(used_events, identifiers, session, nesting)
        case "hubspot":
            return HubSpotDecoder(identifiers, nesting)
    raise ValueError(f"no decoder for the format {name}; there are {', '.join(FORMATS)}")
