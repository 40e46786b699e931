"""The oracle: what any run over some input must have published, by `fold` over the facts of the input and by nothing
incremental.

Soak, acceptance and benchmarks compare with it. What is compared is the net result (design, invariant 5): the last
operation of each id, without recorded time, sequence, revision, provenance and coordinates.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import msgspec

from processors.metrics.cells import Cell, Sum, restated, tally
from processors.simulation.oracle import said
from processors.sources.statement import SourceRecord
from processors.stages.diff import announce
from processors.stages.lineage import Lineage
from processors.stages.timeline import Match, Move
from processors.topology.contributions import contributed
from processors.topology.ingest import Ingest
from processors.topology.program import Program
from processors.topology.publishing import Cause, Publisher
from schemas.facts import Fact, fact_key

_decode_fact = msgspec.msgpack.Decoder(Fact).decode


def facts_of(program: Program, records: Iterable[tuple[str, bytes, int | None]]) -> list[Fact]:
    """The facts that ingest makes of records.

    Args:
        program: The definitions and sources.
        records: Source, value and Kafka time in microseconds (None: long after every event time, but never too late).
    """
    ingest = Ingest(program)
    facts: list[Fact] = []
    for offset, (source, value, timestamp) in enumerate(records):
        record = SourceRecord(source, "input", 0, offset, timestamp if timestamp is not None else _ALWAYS, None, value)
        facts += [
            _decode_fact(publish.value) for publish in ingest(record).published if publish.topic == "facts" and publish.value
        ]
    return facts


_ALWAYS = 1_767_225_600_000_000 + 365 * 86_400_000_000  # a year after the inputs of the benchmarks, which allow for more


def expected(program: Program, facts: Iterable[Fact], as_of: int | None = None) -> dict[str, dict[str, Any]]:
    """The lasting content of every transition and conversion that must stand, by id; timers are fired until `as_of`."""
    of_entity: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        of_entity[fact.entity].append(fact)
    return {
        identity: body
        for entity, said in of_entity.items()
        for lineage in program.funnels
        for identity, body in _expected(program, lineage, entity, said, as_of)
    }


def recount(program: Program, facts: Iterable[Fact], as_of: int | None = None) -> dict[Cell, Sum]:
    """What the timelines of all subjects contribute to the numbers together (invariant 4)."""
    of_entity: dict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        of_entity[fact.entity].append(fact)
    postings = []
    for entity, told in of_entity.items():
        for each in program.funnels:
            lineage = program.funnel_of(entity, each.key)
            if lineage is not None:
                postings += contributed(program.timeline(each, told, as_of), lineage)
    return restated(tally(postings).items())


def _expected(
    program: Program, lineage: Lineage, entity: str, facts: list[Fact], as_of: int | None
) -> Iterable[tuple[str, dict[str, Any]]]:
    publisher = Publisher(program.application)
    by_key = {fact_key(fact.source, fact.id): fact for fact in facts}
    timeline = program.timeline(lineage, facts, as_of)
    contents: list[Move | Match] = [*timeline.moves, *timeline.matches]
    for content in contents:
        change, version = announce(content, lineage.name), lineage.by_number[content.version]
        cause = Cause(by_key[change.identity.cause], "", False)
        if isinstance(content, Move):
            publish = publisher.transition(change, content, version, entity, 0, cause)
        else:
            publish = publisher.conversion(change, content, version, entity, cause)
        body = msgspec.json.decode(publish.value or b"")
        yield identity_of(body), lasting(body)


def net(bodies: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The lasting content of what stands after these published bodies, by id; any order within an id but by revision."""
    last: dict[str, dict[str, Any]] = {}
    for body in bodies:
        known = last.get(identity_of(body))
        if known is None or body["revision"] > known["revision"]:
            last[identity_of(body)] = body
    return {identity: lasting(body) for identity, body in last.items() if body["op"] != "retract"}


def identity_of(body: dict[str, Any]) -> str:
    """The id of a published body, with the subject: two leads may share an id only across a merge."""
    return f"{body.get('transition_id') or body['conversion_id']} {body['subject']['id']}"


def lasting(body: dict[str, Any]) -> dict[str, Any]:
    """A body without what depends on arrival."""
    read = [
        {"source": fact["source"], "id": fact["id"], "change_source": fact["change_source"]} for fact in body["cause"]["facts"]
    ]
    return {**said(body), "cause": {**body["cause"], "facts": read}}
