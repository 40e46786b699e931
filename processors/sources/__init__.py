"""Decoders: one file per outside format, each turning a record into statements; `decoder_for` finds the one for a source."""

from collections.abc import Collection

from processors.sources.hubspot import HubSpotDecoder
from processors.sources.mapping import MappingDecoder
from processors.sources.parsing import NESTING
from processors.sources.segment import SegmentDecoder
from processors.sources.statement import Decoder
from schemas.mapping import RecordMapping

__all__ = ["FORMATS", "decoder_for"]

FORMATS = ("segment", "hubspot", "mapping")
"""Formats that a source can have."""


def decoder_for(
    name: str,
    *,
    used_events: frozenset[str] | None,
    identifiers: Collection[str],
    session: str | None,
    nesting: int = NESTING,
    mapping: RecordMapping | None = None,
) -> Decoder:
    """The decoder of a configured source.

    Args:
        name: The source's format, one of `FORMATS`.
        used_events: Names of the events that definitions use; None means all. Formats without events have no use for it.
        identifiers: Names of identifiers as the format writes them: the keys of the source's `identifiers`.
        session: Dotted path of the session's id; None means the format's own; `mapping` has none.
        nesting: Levels of arrays and objects that a record may have (`limits.nesting`).
        mapping: What records are, for the format `mapping`, which names identifiers by their namespaces.

    Raises:
        ValueError: No decoder has this name; configuration is checked against `FORMATS` before.
    """
    match name:
        case "segment":
            return SegmentDecoder(used_events, identifiers, session, nesting)
        case "hubspot":
            return HubSpotDecoder(identifiers, nesting)
        case "mapping" if mapping is not None:
            return MappingDecoder(mapping, used_events, session, nesting)
    raise ValueError(f"no decoder for the format {name}; there are {', '.join(FORMATS)}")
