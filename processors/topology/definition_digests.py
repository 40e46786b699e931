"""Digests of what definitions do: per version, so that a change of the set can be told from a change of what is in force.

What changes no timeline and nothing published of one (descriptions, owners, reasons, rates) is left out, so that a mended
sentence stops nobody. Types and authority of the fields that a version reads are in: they decide what a stored value means. So
are the conversions that it uses of libraries, and not what else stands there. (Decisions 6 and 12.)
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from processors.topology import rows as row
from processors.topology.compiler import fields_read
from schemas.definitions import Funnel, digest_of

_SHORT = len("sha256:") + 16
"""They stand in every mark, and nobody forges them: 64 bits tell them apart."""

_SAID_ONLY = {"description", "owner"}
_CHANGES_NO_TIMELINE: Any = {
    "reason": True,
    "owner": True,
    "rates": True,
    "segments": {"__all__": {"top"}},
    **{section: {"__all__": _SAID_ONLY} for section in ("conversions", "stages", "detours", "outcomes")},
}


class Definitions(NamedTuple):
    """What a worker runs, as far as it decides what becomes of a fact.

    Attributes:
        digest: Of all of it: workers that differ in it must not run together.
        rows: Format of the rows that this release writes.
        versions: Digest of each version, by `funnel/version`.
        starts: Instant in microseconds from which each version applies.
    """

    digest: str
    rows: int
    versions: dict[str, str]
    starts: Mapping[str, int]


def definitions_of(funnels: Sequence[Funnel], types: Mapping[str, str], authority: Mapping[str, tuple[str, ...]]) -> Definitions:
    """The digests of a set of definitions.

    Args:
        funnels: Every version of every funnel.
        types: Type of each canonical field, by name.
        authority: Field to the sources that may write it, strongest first.
    """
    named = {
        f"{funnel.funnel}/{funnel.version}": funnel for funnel in sorted(funnels, key=lambda each: (each.funnel, each.version))
    }
    versions = {name: _digest(funnel, types, authority) for name, funnel in named.items()}
    starts = {name: funnel.effective_from or 0 for name, funnel in named.items()}
    return Definitions(digest_of({"rows": row.FORMAT, "versions": versions}), row.FORMAT, versions, starts)


def _digest(funnel: Funnel, types: Mapping[str, str], authority: Mapping[str, tuple[str, ...]]) -> str:
    read = fields_read(funnel)
    content = {
        "funnel": funnel.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=_CHANGES_NO_TIMELINE),
        "shared": [
            conversion.model_dump(mode="json", by_alias=True, exclude_defaults=True, exclude=_SAID_ONLY)
            for conversion in funnel.all_conversions[len(funnel.conversions) :]
        ],
        "types": {field: types[field] for field in read if field in types},
        "authority": {field: authority[field] for field in read if field in authority},
    }
    return digest_of(content)[:_SHORT]
