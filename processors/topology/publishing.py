"""Publishing: from what changed in a timeline to the CloudEvents records that other systems read.

The published shapes are `schemas.records`; this is the hot path, so they are written as plain dictionaries here and
a test holds them against the models. Everything in a record follows from the fact, the timeline and the log-append
time, so that reading a facts partition again gives the same bytes (invariant 5).
"""

from hashlib import blake2b
from typing import Any

import msgspec

from processors.metrics.cells import Cell, Sum, record_body, record_key
from processors.stages.diff import Change, Operation, publication_id
from processors.stages.state import FunnelState, Spells
from processors.stages.timeline import Match, Money, Move, Point, Stay
from processors.stages.version import Version
from processors.topology.effects import FactsRecord, Header, Headers, Publish
from processors.topology.snapshot import flags_shown, place_of, segments_shown
from schemas.facts import Fact
from schemas.instants import SECOND, format_instant

encode_json = msgspec.json.Encoder().encode

_SPECVERSION: Header = ("ce_specversion", b"1.0")
_CONTENT_TYPE: Header = ("content-type", b"application/json")
_TRANSITION: Header = ("ce_type", b"funnelstream.transition.v1")
_CONVERSION: Header = ("ce_type", b"funnelstream.conversion.v1")
_LEAD: Header = ("ce_type", b"funnelstream.lead.v1")
_METRIC: Header = ("ce_type", b"funnelstream.metric.v1")


class Publisher:
    """Writes the records of one application."""

    def __init__(self, application: str) -> None:
        self._source: Header = ("ce_source", f"/funnelstream/{application}".encode())

    def transition(self, change: Change, move: Move, version: Version, entity: str, sequence: int, cause: "Cause") -> Publish:
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
            "subject": {"kind": "deal" if move.deal else version.subject, "id": entity},
            "deal": move.deal or None,
            "kind": move.kind,
            "from": _point(move.source),
            "to": _point(move.target),
            "skipped": move.skipped,
            "flags": move.flags,
            "effective_at": effective_at,
            "recorded_at": cause.recorded_at,
            "cause": {
                "kind": "timer" if move.timer else "fact",
                "rule": move.rule,
                "read": move.read,
                "facts": [cause.evidence],
            },
            "supersedes": _superseded(identity, change.operation, revision),
            "provenance": cause.provenance,
            "segments": move.segments,
            "value": _money(move.value),
            "stays": [_stay(stay) for stay in move.stays],
        }
        key = entity.encode()
        headers = self._headers(identity, revision, _TRANSITION, effective_at.encode(), key)
        return Publish("transitions", key, encode_json(body), headers)

    def conversion(self, change: Change, match: Match, version: Version, entity: str, cause: "Cause") -> Publish:
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
            "recorded_at": cause.recorded_at,
            "cause": {"kind": "fact", "rule": f"conversions.{match.name}", "read": match.read, "facts": [cause.evidence]},
            "supersedes": _superseded(identity, change.operation, revision),
            "provenance": cause.provenance,
            "segments": match.segments,
            "value": _money(match.value),
        }
        key = entity.encode()
        headers = self._headers(identity, revision, _CONVERSION, effective_at.encode(), key)
        return Publish("conversions", key, encode_json(body), headers)

    def lead(self, state: FunnelState, version: Version, entity: str, deal: str, sequence: int, recorded_at: str) -> Publish:
        """The snapshot of one subject in one funnel, or of one of its deals.

        A tombstone when it is gone: its record is deleted and it stands nowhere, or corrections say that it never was there.
        """
        grain, walk, track = place_of(state, version, deal)
        key = f"{grain}/{deal or entity}/{version.funnel}"
        if walk.position is None and (track.deleted or not walk.moved):
            return Publish("leads", key.encode(), None, [])
        here = walk.position
        body = {
            "funnel": version.funnel,
            "version": version.number,
            "definition": version.digest,
            "subject": {"kind": grain, "id": entity},
            "deal": deal or None,
            "position": _point(here),
            "outcome": here.name if here is not None and here.place == "outcome" else None,
            "furthest": version.stages[walk.furthest].name if walk.furthest >= 0 else None,
            "flags": flags_shown(state, version, deal),
            "spells": {name: _spells(spells) for name, spells in walk.spells.items()},
            "segments": segments_shown(state, version, deal),
            "value": _money(walk.value),
            "sequence": sequence,
            "recorded_at": recorded_at,
        }
        headers = self._headers(key, sequence, _LEAD, recorded_at.encode(), entity.encode())
        return Publish("leads", key.encode(), encode_json(body), headers)

    def metric(self, cell: Cell, total: Sum, last: FactsRecord) -> Publish:
        """A partial sum of one facts partition; a tombstone when nothing is left of it. `last` is the record it reaches to."""
        key = record_key(cell, last.partition)
        if not total:
            return Publish("metrics", key, None, [])
        body, identity = encode_json(record_body(cell, total, last.partition)), blake2b(key, digest_size=16).hexdigest()
        headers = self._headers(identity, last.offset, _METRIC, format_instant(last.appended_at).encode(), cell.funnel.encode())
        return Publish("metrics", key, body, headers)

    def _headers(self, identity: str, revision: int, kind: Header, time: bytes, subject: bytes) -> Headers:
        return [
            _SPECVERSION,
            ("ce_id", f"{identity}/{revision}".encode()),
            self._source,
            kind,
            ("ce_time", time),
            ("ce_subject", subject),
            _CONTENT_TYPE,
        ]


class Cause(msgspec.Struct, frozen=True, gc=False):
    """The fact that caused a publication, and the record by which it came to that.

    Attributes:
        fact: The lowest-ordered fact of its instant that the rule read.
        recorded_at: Log-append time of the record at hand, ISO 8601.
        late: Whether that changed history rather than continued it.
    """

    fact: Fact
    recorded_at: str
    late: bool

    @property
    def provenance(self) -> str:
        """The fact's own (snapshot, backfill), else late or live."""
        return self.fact.provenance if self.fact.provenance != "live" else "late" if self.late else "live"

    @property
    def evidence(self) -> dict[str, Any]:
        """What names the fact in records."""
        fact, at = self.fact, self.fact.coordinates
        return {
            "source": fact.source,
            "id": fact.id,
            "change_source": fact.change_source,
            "topic": at.topic,
            "partition": at.partition,
            "offset": at.offset,
        }


def _point(point: Point | None) -> dict[str, Any] | None:
    if point is None:
        return None
    return {point.place: point.name, "entered_at": format_instant(point.entered_at), "entry": point.entry}


def _stay(stay: Stay) -> dict[str, Any]:
    seconds = None if stay.length is None else stay.length / SECOND
    named = {"place": stay.place, "name": stay.name, "seconds": seconds}
    return {**named, "segments": stay.segments, "sla_missed": stay.missed or None}


def _spells(spells: Spells) -> dict[str, Any]:
    """Stays in one place; `latest` stays empty during a first one that is still open (rule 9)."""
    return {
        "entries": spells.count,
        "first_entered_at": format_instant(spells.first_at),
        "last_entered_at": format_instant(spells.last_at),
        "closed": spells.closed,
        "latest_seconds": spells.latest / SECOND if spells.closed else None,
        "cumulative_seconds": spells.total / SECOND,
    }


def _money(money: Money | None) -> dict[str, str] | None:
    return None if money is None else {"amount": money[0], "currency": money[1]}


def _superseded(identity: str, operation: Operation, revision: int) -> list[str]:
    """The ce_id that this operation takes the place of (rule 19)."""
    return [] if operation == "announce" else [f"{identity}/{revision - 1}"]
