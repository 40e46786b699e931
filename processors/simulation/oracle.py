"""The oracle: what must have been published about the facts there are, by `fold` alone and by nothing incremental.

It writes the expected content of every record from the timeline itself, not with the code that publishes, so that a mistake there
shows too. What depends on arrival is left out (design, invariant 5): recorded time, sequence, revision, provenance, coordinates.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from processors.stages.diff import identity_of, publication_id
from processors.stages.fold import Timeline, accept
from processors.stages.rules import Version
from processors.stages.timeline import Match, Move, Point
from processors.topology.program import Program
from processors.topology.publishing import Publisher
from schemas.facts import Fact, fact_key
from schemas.instants import format_instant

Body = dict[str, Any]

_read_json = msgspec.json.Decoder().decode
_ARRIVAL = ("op", "revision", "sequence", "recorded_at", "provenance", "supersedes")


class Expected:
    """What must stand in the end.

    Attributes:
        transitions: Lasting content by id and subject.
        conversions: The same.
        snapshots: Lasting content of the lead snapshots by key; None where there must be none.
        letters: Source, id and fingerprint of every fact that lost against another of its id (rule 20), once each, by entity.
    """

    def __init__(self, program: Program, facts: Iterable[Fact], as_of: int) -> None:
        self.transitions: dict[tuple[str, str], Body] = {}
        self.conversions: dict[tuple[str, str], Body] = {}
        self.snapshots: dict[str, Body | None] = {}
        self.letters: set[tuple[str, str, str, str]] = set()
        self._publisher = Publisher(program.application)
        of_entity: defaultdict[str, list[Fact]] = defaultdict(list)
        for fact in facts:
            of_entity[fact.entity].append(fact)
        for entity, said in of_entity.items():
            self._losers(entity, said)
            for version in program.funnels:
                self._timeline(entity, version, program.timeline(version, said), said)

    def _losers(self, entity: str, facts: list[Fact]) -> None:
        accepted = accept(facts)
        for fact in facts:
            if fact.fingerprint != accepted[fact_key(fact.source, fact.id)].fingerprint:
                self.letters.add((entity, fact.source, fact.id, fact.fingerprint.hex()))

    def _timeline(self, entity: str, version: Version, timeline: Timeline, facts: list[Fact]) -> None:
        causes = accept(facts)
        for move in timeline.moves:
            identity = publication_id(identity_of(move, version.funnel, version.number), version.subject)
            self.transitions[identity, entity] = _transition(move, version, entity, causes[move.cause], identity)
        for match in timeline.matches:
            identity = publication_id(identity_of(match, version.funnel, version.number), version.subject)
            self.conversions[identity, entity] = _conversion(match, version, entity, causes[match.fact], identity)
        lead = self._publisher.lead(timeline.state, version, entity, 0, "")
        self.snapshots[(lead.key or b"").decode()] = snapshot(lead.value)


def _transition(move: Move, version: Version, entity: str, cause: Fact, identity: str) -> Body:
    return {
        "transition_id": identity,
        **_common(version, entity),
        "kind": move.kind,
        "from": _point(move.source),
        "to": _point(move.target),
        "skipped": list(move.skipped),
        "flags": list(move.flags),
        "effective_at": format_instant(move.effective_at),
        "cause": _cause(move.rule, move.read, cause),
    }


def _conversion(match: Match, version: Version, entity: str, cause: Fact, identity: str) -> Body:
    return {
        "conversion_id": identity,
        **_common(version, entity),
        "name": match.name,
        "owner": version.conversions[match.name].owner,
        "count": "counted" if match.counted else "repeat",
        "advanced": match.advanced,
        "effective_at": format_instant(match.effective_at),
        "cause": _cause(f"conversions.{match.name}", match.read, cause),
    }


def _common(version: Version, entity: str) -> Body:
    return {
        "funnel": version.funnel,
        "version": version.number,
        "definition": version.digest,
        "subject": {"kind": version.subject, "id": entity},
        "deal": None,
        "segments": {},
        "value": None,
    }


def _point(point: Point | None) -> Body | None:
    if point is None:
        return None
    return {point.place: point.name, "entered_at": format_instant(point.entered_at), "entry": point.entry}


def _cause(rule: str, read: dict[str, Any], fact: Fact) -> Body:
    evidence = {"source": fact.source, "id": fact.id, "change_source": fact.change_source}
    return {"kind": "fact", "rule": rule, "read": read, "facts": [evidence]}


def lasting(body: Body) -> Body:
    """A published body without what depends on arrival."""
    kept = {key: value for key, value in body.items() if key not in _ARRIVAL}
    read = [{key: fact[key] for key in ("source", "id", "change_source")} for fact in body["cause"]["facts"]]
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
