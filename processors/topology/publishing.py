"""Publishing: from what changed in a timeline to the CloudEvents records that other systems read.

The published shapes are `schemas.records`; this is the hot path, so they are written as plain dictionaries here and
a test holds them against the models. Everything in a record follows from the fact, the timeline and the log-append
time, so that reading a facts partition again gives the same bytes (invariant 5).
"""

from collections.abc import Callable
from typing import Any

import msgspec

from processors.stages.diff import Change, publication_id
from processors.stages.instant import LAPSED
from processors.stages.rules import Version
from processors.stages.timeline import FunnelState, Match, Move, Point
from processors.topology.effects import Header, Headers, Publish
from schemas.facts import Fact, Value
from schemas.instants import format_instant

encode_json = msgspec.json.Encoder().encode

_SPECVERSION: Header = ("ce_specversion", b"1.0")
_CONTENT_TYPE: Header = ("content-type", b"application/json")
_TRANSITION: Header = ("ce_type", b"funnelstream.transition.v1")
_CONVERSION: Header = ("ce_type", b"funnelstream.conversion.v1")
_LEAD: Header = ("ce_type", b"funnelstream.lead.v1")

FactOf = Callable[[bytes], Fact]
"""A fact by its key: what a publication names as its cause."""


class Publisher:
    """Writes the records of one application."""

    def __init__(self, application: str) -> None:
        self._source: Header = ("ce_source", f"/funnelstream/{application}".encode())

    def transition(self, change: Change, move: Move, version: Version, entity: str, sequence: int, moment: "Moment") -> Publish:
        """The record of one operation on a transition."""
        identity, revision = publication_id(change.identity, version.subject), change.publication.revision
        effective_at = format_instant(move.effective_at)
        body = {
            "transition_id": identity,
            "op": change.operation,
            "revision": revision,
            "sequence": sequence,
            "funnel": version.funnel,
            "version": version.number,
            "definition": version.digest,
            "subject": {"kind": version.subject, "id": entity},
            "deal": None,
            "kind": move.kind,
            "from": _point(move.source),
            "to": _point(move.target),
            "skipped": move.skipped,
            "flags": move.flags,
            "effective_at": effective_at,
            "recorded_at": moment.recorded_at,
            "cause": _cause(move.rule, move.read, move.cause, moment),
            "supersedes": _superseded(change, identity),
            "provenance": moment.provenance_of(move.cause),
            "segments": {},
            "value": None,
        }
        headers = self._headers(identity, revision, _TRANSITION, effective_at, entity)
        return Publish("transitions", entity.encode(), encode_json(body), headers)

    def conversion(self, change: Change, match: Match, version: Version, entity: str, moment: "Moment") -> Publish:
        """The record of one operation on a conversion."""
        identity, revision = publication_id(change.identity, version.subject), change.publication.revision
        effective_at = format_instant(match.effective_at)
        body = {
            "conversion_id": identity,
            "op": change.operation,
            "revision": revision,
            "funnel": version.funnel,
            "version": version.number,
            "definition": version.digest,
            "subject": {"kind": version.subject, "id": entity},
            "deal": None,
            "name": match.name,
            "owner": version.conversions[match.name].owner,
            "count": "counted" if match.counted else "repeat",
            "advanced": match.advanced,
            "effective_at": effective_at,
            "recorded_at": moment.recorded_at,
            "cause": _cause(f"conversions.{match.name}", match.read, match.fact, moment),
            "supersedes": _superseded(change, identity),
            "provenance": moment.provenance_of(match.fact),
            "segments": {},
            "value": None,
        }
        headers = self._headers(identity, revision, _CONVERSION, effective_at, entity)
        return Publish("conversions", entity.encode(), encode_json(body), headers)

    def lead(self, state: FunnelState, version: Version, entity: str, sequence: int, recorded_at: str) -> Publish:
        """The snapshot of one subject in one funnel.

        A tombstone when it is gone: its record is deleted and it stands nowhere, or corrections say that it never was there.
        """
        key = f"{version.subject}/{entity}/{version.funnel}"
        if state.position is None and (state.deleted or not state.visits):
            return Publish("leads", key.encode(), None, [])
        here = state.position
        body = {
            "funnel": version.funnel,
            "version": version.number,
            "definition": version.digest,
            "subject": {"kind": version.subject, "id": entity},
            "deal": None,
            "position": _point(here),
            "outcome": here.name if here is not None and here.place == "outcome" else None,
            "furthest": version.stages[state.furthest].name if state.furthest >= 0 else None,
            "flags": flags(state),
            "spells": {
                name: {
                    "entries": visits.count,
                    "first_entered_at": format_instant(visits.first_at),
                    "last_entered_at": format_instant(visits.last_at),
                }
                for name, visits in state.visits.items()
            },
            "segments": {},
            "value": None,
            "sequence": sequence,
            "recorded_at": recorded_at,
        }
        headers = self._headers(key, sequence, _LEAD, recorded_at, entity)
        return Publish("leads", key.encode(), encode_json(body), headers)

    def _headers(self, identity: str, revision: int, kind: Header, time: str, entity: str) -> Headers:
        return [
            _SPECVERSION,
            ("ce_id", f"{identity}/{revision}".encode()),
            self._source,
            kind,
            ("ce_time", time.encode()),
            ("ce_subject", entity.encode()),
            _CONTENT_TYPE,
        ]


def flags(state: FunnelState) -> list[str]:
    """What a lead snapshot flags: the criteria of the stage it stands in lapsed, and the stage is kept."""
    here = state.position
    return [LAPSED] if here is not None and state.kept.get(here.name) is False else []


class Moment(msgspec.Struct, frozen=True):
    """What a publication says about the record at hand, and where it finds the facts it names."""

    recorded_at: str
    """Log-append time, ISO 8601."""
    late: bool
    """Whether the record at hand changed history rather than continued it."""
    fact_of: FactOf

    def provenance_of(self, cause: bytes) -> str:
        """Of a publication: its causing fact's (snapshot, backfill), else late or live."""
        said = self.fact_of(cause).provenance
        return said if said != "live" else "late" if self.late else "live"


def _point(point: Point | None) -> dict[str, Any] | None:
    if point is None:
        return None
    return {point.place: point.name, "entered_at": format_instant(point.entered_at), "entry": point.entry}


def _cause(rule: str, read: dict[str, Value], fact: bytes, moment: Moment) -> dict[str, Any]:
    return {"kind": "fact", "rule": rule, "read": read, "facts": [_evidence(moment.fact_of(fact))]}


def _evidence(fact: Fact) -> dict[str, Any]:
    at = fact.coordinates
    return {
        "source": fact.source,
        "id": fact.id,
        "change_source": fact.change_source,
        "topic": at.topic,
        "partition": at.partition,
        "offset": at.offset,
    }


def _superseded(change: Change, identity: str) -> list[str]:
    """The ce_id that this operation takes the place of (rule 19)."""
    return [] if change.operation == "announce" else [f"{identity}/{change.publication.revision - 1}"]
