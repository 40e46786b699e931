"""The oracle: what must have been published about the facts there are, by `fold` alone and by nothing incremental.

It writes the expected content of every record from the timeline itself, not with the code that publishes, so that a mistake
there shows too. What depends on arrival is left out (design, invariant 5): recorded time, sequence, revision, provenance, and
what tells copies of one fact apart (coordinates, change source).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from processors.metrics.cells import Cell, Posting, Sum, restated, tally
from processors.stages.diff import identity_of, publication_id
from processors.stages.fold import Timeline, accept
from processors.stages.lineage import Lineage
from processors.stages.timeline import OWN, Match, Move, Point
from processors.stages.version import Version
from processors.topology.contributions import contributed
from processors.topology.program import Program
from processors.topology.publishing import Publisher
from schemas.facts import Fact, fact_key
from schemas.instants import SECOND, format_instant

Body = dict[str, Any]

_read_json = msgspec.json.Decoder().decode
_ARRIVAL = ("op", "revision", "sequence", "recorded_at", "provenance", "supersedes")


class Expected:
    """What must stand in the end.

    Attributes:
        transitions: Lasting content by id and entity.
        conversions: The same.
        snapshots: Lasting content of the lead snapshots by key; None where there must be none.
        doubled: Ids that two moves or matches of one timeline share.
        sums: What all timelines together contribute, as it is known now (invariant 4).
        letters: Entity, source, id and fingerprint of every fact that lost against another of its id (rule 20).
    """

    def __init__(self, program: Program, facts: Iterable[Fact], as_of: int) -> None:
        self.transitions: dict[tuple[str, str], Body] = {}
        self.conversions: dict[tuple[str, str], Body] = {}
        self.snapshots: dict[str, Body | None] = {}
        self.doubled: list[str] = []
        self._contributed: list[Posting] = []
        self.letters: set[tuple[str, str, str, str]] = set()
        self._publisher = Publisher(program.application)
        of_entity: defaultdict[str, list[Fact]] = defaultdict(list)
        for fact in facts:
            of_entity[fact.entity].append(fact)
        for entity, told in of_entity.items():
            self._losers(entity, told)
            for each in program.funnels:
                lineage = program.funnel_of(entity, each.key)
                if lineage is not None:
                    self._timeline(entity, lineage, program.timeline(each, told, as_of), accept(told))

    @property
    def sums(self) -> dict[Cell, Sum]:
        """The recount."""
        return restated(tally(self._contributed).items())

    def _losers(self, entity: str, facts: list[Fact]) -> None:
        accepted = accept(facts)
        for fact in facts:
            if fact.fingerprint != accepted[fact_key(fact.source, fact.id)].fingerprint:
                self.letters.add((entity, fact.source, fact.id, fact.fingerprint.hex()))

    def _timeline(self, entity: str, lineage: Lineage, timeline: Timeline, causes: Mapping[bytes, Fact]) -> None:
        for move in timeline.moves:
            identity = publication_id(identity_of(move, lineage.name), lineage.subject)
            content = _transition(move, lineage.by_number[move.version], entity, causes[move.cause], identity)
            self._expect(self.transitions, content, identity, entity)
        for match in timeline.matches:
            identity = publication_id(identity_of(match, lineage.name), lineage.subject)
            content = _conversion(match, lineage.by_number[match.version], entity, causes[match.fact], identity)
            self._expect(self.conversions, content, identity, entity)
        self._contributed += contributed(timeline, lineage)
        version = lineage.by_number.get(timeline.state.version, lineage.versions[0])
        for deal in (OWN, *timeline.state.deals) if lineage.latest.walks_deals else (OWN,):
            lead = self._publisher.lead(timeline.state, version, entity, deal, 0, "")
            self.snapshots[(lead.key or b"").decode()] = snapshot(lead.value)

    def _expect(self, among: dict[tuple[str, str], Body], content: Body, identity: str, entity: str) -> None:
        if (identity, entity) in among:
            self.doubled.append(f"{identity} of {entity}: {among[identity, entity]} and {content}")
        among[identity, entity] = content


def _transition(move: Move, version: Version, entity: str, cause: Fact, identity: str) -> Body:
    return {
        "transition_id": identity,
        **_common(version, "deal" if move.deal else version.subject, entity, move),
        "deal": move.deal or None,
        "kind": move.kind,
        "from": _point(move.source),
        "to": _point(move.target),
        "skipped": list(move.skipped),
        "flags": list(move.flags),
        "stays": [
            {
                "place": stay.place,
                "name": stay.name,
                "seconds": None if stay.length is None else stay.length / SECOND,
                "segments": stay.segments,
                "sla_missed": stay.missed or None,
            }
            for stay in move.stays
        ],
        "cause": _cause("timer" if move.timer else "fact", move.rule, move.read, cause),
    }


def _conversion(match: Match, version: Version, entity: str, cause: Fact, identity: str) -> Body:
    return {
        "conversion_id": identity,
        **_common(version, version.subject, entity, match),
        "deal": None,
        "name": match.name,
        "owner": version.conversions[match.name].owner,
        "count": "counted" if match.counted else "repeat",
        "advanced": match.advanced,
        "cause": _cause("fact", f"conversions.{match.name}", match.read, cause),
    }


def _common(version: Version, grain: str, entity: str, content: Move | Match) -> Body:
    value = content.value
    return {
        "funnel": version.funnel,
        "version": version.number,
        "definition": version.digest,
        "subject": {"kind": grain, "id": entity},
        "effective_at": format_instant(content.effective_at),
        "segments": content.segments,
        "value": None if value is None else {"amount": value[0], "currency": value[1]},
    }


def _point(point: Point | None) -> Body | None:
    if point is None:
        return None
    return {point.place: point.name, "entered_at": format_instant(point.entered_at), "entry": point.entry}


def _cause(kind: str, rule: str, read: dict[str, Any], fact: Fact) -> Body:
    return {"kind": kind, "rule": rule, "read": read, "facts": [{"source": fact.source, "id": fact.id}]}


def said(body: Body) -> Body:
    """What a published body says, without what every operation on its id changes."""
    return {key: value for key, value in body.items() if key not in _ARRIVAL}


def lasting(body: Body) -> Body:
    """A published body without what depends on arrival."""
    kept = said(body)
    read = [{key: fact[key] for key in ("source", "id")} for fact in body["cause"]["facts"]]
    return {**kept, "cause": {**body["cause"], "facts": read}}


def snapshot(value: bytes | None) -> Body | None:
    """A lead snapshot without what depends on arrival; None for a tombstone."""
    if value is None:
        return None
    body: Body = _read_json(value)
    return {key: content for key, content in body.items() if key not in ("sequence", "recorded_at")}


def differences(wanted: dict[Any, Any], found: dict[Any, Any]) -> Iterator[str]:
    """Every key on which two results differ, in words."""
    for key in sorted(wanted.keys() | found.keys(), key=str):
        if key not in found:
            yield f"{key} is missing: {wanted[key]}"
        elif key not in wanted:
            yield f"{key} should not stand: {found[key]}"
        elif wanted[key] != found[key]:
            yield f"{key} is {found[key]} and should be {wanted[key]}"
