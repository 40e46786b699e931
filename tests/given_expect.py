"""Given/expect files as the tests read them: what is given becomes facts about one subject, what is expected stays as written.

It is a reader of its own, so that the cases hold the product's (`funnelstream test`) and the core to the same text.
"""

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from processors.stages.timeline import Move
from processors.topology.program import Program
from schemas.facts import Coordinates, Fact, Value
from schemas.fields import field_type, typed
from schemas.instants import DAY, instant_of, parse_instant
from tests.oracle import expected, net
from tests.worlds import History, program

ENTITY = "user:1"
_DAY = re.compile(r"d[0-9.]+")
_PREFIXES = ("lead.", "deal.", "account.")


class Case(NamedTuple):
    """One case of a file.

    Attributes:
        name: As written.
        facts: What is given, in the order of arrival.
        as_of: Until when timers fire, in microseconds.
        deal: The deal whose position is asked for; empty for the subject's own.
        path: The moves that must stand, complete and in order; of each the keys that are written.
        published: The operations in order, where they are written.
        conversions: Counted and repeated matches by conversion, where they are written.
    """

    name: str
    facts: Sequence[Fact]
    as_of: int
    deal: str
    path: Sequence[dict[str, Any]]
    published: Sequence[dict[str, Any]] | None
    conversions: dict[str, dict[str, int]]


def load(path: Path) -> Any:
    """A YAML file as plain values."""
    return YAML(typ="safe", pure=True).load(path.read_text())


def cases_of(file: Path, funnel: dict[str, Any]) -> Iterator[Case]:
    """The cases of a file about this funnel, as written."""
    spec = load(file)
    start = instant_of(spec.get("start") or funnel["effective_from"])
    for written in spec["tests"]:
        expect, subject = written["expect"], written.get("subject", {})
        facts = [_fact(number, said, start) for number, said in enumerate(written["given"])]
        published = expect.get("published")
        yield Case(
            name=written["name"],
            facts=sorted(facts, key=lambda fact: fact.broker_time),
            as_of=_instant(written["as_of"], start),
            deal=f"deal:{subject['deal']}" if subject else "",
            path=[_placed(step, start) for step in expect["path"]],
            published=None if published is None else [_placed(step, start) for step in published],
            conversions=expect.get("conversions", {}),
        )


def world_of(*funnels: dict[str, Any]) -> Program:
    """A program of these funnels, with a source that gives every field they read, typed as their literals are."""
    fields = {name: given for funnel in funnels for name, given in _fields(funnel).items()}
    web = {
        "topics": ["web"],
        "format": "segment",
        "identifiers": {"userId": "user", "properties.deal": "deal"},
        "fields": fields,
    }
    namespaces = [{"name": "user", "kind": "lead"}, {"name": "deal", "kind": "deal"}]
    return program(*funnels, sources={"web": web}, identity={"namespaces": namespaces})


def _fields(funnel: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def visit(node: Any) -> None:
        if isinstance(node, dict):
            for key, value in node.items():
                if str(key).startswith(_PREFIXES):
                    found[key] = {"from": f"traits.{key}", **({"type": "bool"} if isinstance(value, bool) else {})}
                visit(value)
        elif isinstance(node, list):
            for item in node:
                visit(item)
        elif isinstance(node, str) and node.startswith(_PREFIXES):
            found.setdefault(node, {"from": f"traits.{node}"})

    visit(funnel)
    return found


def _fact(number: int, said: dict[str, Any], start: int) -> Fact:
    event = said.get("event", "")
    kind = "event" if event else next((kind for kind in ("delete", "restore") if said.get(kind)), "change")
    values: dict[str, Value] = {name: _day(value, start) for name, value in said.get("props", {}).items()}
    for field, value in said.get("set", {}).items():
        wanted = "bool" if isinstance(value, bool) else field_type(field)
        values[field] = _day(value, start) if wanted == "time" else typed(value, wanted)
    return Fact(
        kind=kind,  # type: ignore[arg-type]  # decided above
        entity=ENTITY,
        occurred_at=_instant(said["at"], start),
        source="web",
        id=str(said.get("id", number)),
        fingerprint=b"%d" % number,
        name=event,
        values=values,
        broker_time=_instant(said.get("arrives", said["at"]), start),
        coordinates=Coordinates("web.events", 0, number),
        deal=f"deal:{said['deal']}" if "deal" in said else "",
    )


def _placed(step: dict[str, Any], start: int) -> dict[str, Any]:
    return {key: _instant(value, start) if key == "at" else value for key, value in step.items()}


def _instant(written: Any, start: int) -> int:
    found = _day(written, start)
    return found if isinstance(found, int) else instant_of(found)


def _day(written: Any, start: int) -> Any:
    """`d1.5` is a day and a half after the start; anything else is itself."""
    return start + round(float(written[1:]) * DAY) if isinstance(written, str) and _DAY.fullmatch(written) else written


def seen(move: Move) -> dict[str, Any]:
    """A move as cases speak of it."""
    return {
        "at": move.effective_at,
        "kind": move.kind,
        "from": move.source and move.source.name,
        "to": move.target and move.target.name,
        "entry": move.target and move.target.entry,
        "skipped": list(move.skipped),
        "flags": list(move.flags),
    }


def operation(body: dict[str, Any]) -> dict[str, Any]:
    """A published transition as cases speak of it."""
    return {
        "op": body["op"],
        "at": parse_instant(body["effective_at"]),
        "kind": body["kind"],
        "from": _name(body["from"]),
        "to": _name(body["to"]),
        "entry": body["to"] and body["to"]["entry"],
        "skipped": body["skipped"],
        "flags": body["flags"],
    }


def _name(point: dict[str, Any] | None) -> str | None:
    return None if point is None else next(str(point[place]) for place in ("stage", "outcome", "detour") if place in point)


def told(found: Sequence[dict[str, Any]], asked: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """What was found, of each no more than is asked for; whole where more or fewer were found than asked for."""
    if len(found) != len(asked):
        return list(found)
    return [{key: one[key] for key in keys} for one, keys in zip(found, asked, strict=True)]


def in_time(world: Program, facts: Iterable[Fact], as_of: int) -> History:
    """A run over facts as they arrive, each when the clock stands at its arrival; then the clock goes on to `as_of`."""
    run = History(world)
    for fact in facts:
        run.pass_time(fact.broker_time).take([fact])
    return run.pass_time(as_of)


def assert_any_order(world: Program, facts: Sequence[Fact], as_of: int, orders: int) -> None:
    """Invariants 1 and 2: whatever the order, the duplicates and the times the clock shows meanwhile, what stands is the fold.

    Args:
        world: The program.
        facts: Of one subject.
        as_of: Until when timers fire at last, in microseconds.
        orders: How many random ones are run; of those that are equal only one.
    """
    wanted = expected(world, facts, as_of)
    for steps in {tuple(_schedule(facts, as_of, seed)) for seed in range(orders)}:
        run = History(world)
        for step in steps:
            _ = run.take([facts[step]]) if step >= 0 else run.pass_time(as_of + step + 1)
        assert net([*run.bodies("transitions"), *run.bodies("conversions")]) == wanted, steps


def _schedule(facts: Sequence[Fact], as_of: int, seed: int) -> Iterator[int]:
    """Indexes of facts in random order, some twice. Negative ones between them are times of the clock: how far before `as_of`."""
    chance = random.Random(seed)
    arriving = [*range(len(facts)), *chance.sample(range(len(facts)), len(facts) // 2)]
    chance.shuffle(arriving)
    first = min((fact.occurred_at for fact in facts), default=as_of)
    instants = [*(fact.occurred_at for fact in facts), *(first + (as_of - first) * part // 4 for part in range(1, 4))]
    for index in arriving:
        if chance.random() < 1 / 3:
            yield min(chance.choice(instants), as_of) - as_of - 1
        yield index
    yield -1


def counted(world: Program, case: Case) -> dict[str, dict[str, int]]:
    """Counted and repeated matches by conversion, of those that the case asks for."""
    (lineage,) = world.funnels
    matches = Counter((match.name, match.counted) for match in world.timeline(lineage, case.facts, case.as_of).matches)
    ways = {"counted": True, "repeat": False}
    return {name: {way: matches[name, ways[way]] for way in asked} for name, asked in case.conversions.items()}
