"""The shared given/expect cases that need neither timers nor deals, in many arrival orders, through `fold` and
through `advance`.
"""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from processors.stages.timeline import Move
from processors.topology.program import Program
from schemas.facts import Coordinates, Fact, Value
from schemas.fields import field_type, typed
from schemas.instants import DAY, format_instant, instant_of
from tests.shared_material import ABSENT, SHARED
from tests.worlds import History, expected_ids, program

FILES = ("leadsquared", "shop", "dreamdata", "revops", "prospecting")
ORDERS = 60
NEEDS_LATER = "expires", "passed", "deal."
WITHOUT_DEALS = {"leadsquared": 5, "shop": 3}
"""Cases of each file that must run now: a file whose rules read deals or arm timers has none."""


def _load(path: Path) -> Any:
    return YAML(typ="safe", pure=True).load(path.read_text())


def _day(written: Any, start: int) -> Any:
    """`d1.5` is a day and a half after the start; anything else is itself."""
    if isinstance(written, str) and re.fullmatch(r"d[0-9.]+", written):
        return start + round(float(written[1:]) * DAY)
    return written


def _facts(given: list[dict[str, Any]], start: int) -> list[Fact]:
    return sorted((_fact(number, said, start) for number, said in enumerate(given)), key=lambda said: said.broker_time)


def _fact(number: int, said: dict[str, Any], start: int) -> Fact:
    event = said.get("event", "")
    values: dict[str, Value] = dict(said.get("props", {}))
    for field, value in said.get("set", {}).items():
        kind = field_type(field)
        values[field] = _day(value, start) if kind == "time" else typed(value, "bool" if isinstance(value, bool) else kind)
    return Fact(
        kind="event" if event else "change",
        entity="user:1",
        occurred_at=_day(said["at"], start),
        source="web",
        id=str(said.get("id", number)),
        fingerprint=b"%d" % number,
        name=event,
        values=values,
        broker_time=_day(said.get("arrives", said["at"]), start),
        coordinates=Coordinates("web.events", 0, number),
    )


def _cases() -> Iterator[Any]:
    if not SHARED.is_dir():
        yield pytest.param({}, {}, id="absent", marks=[pytest.mark.shared, pytest.mark.skip(reason=ABSENT)])
        return
    for name in FILES:
        text = (SHARED / "cases" / f"{name}.yml").read_text()
        if any(word in text for word in NEEDS_LATER):
            continue
        spec = _load(SHARED / "cases" / f"{name}.test.yml")
        for case in spec["tests"]:
            yield pytest.param(
                _load(SHARED / "cases" / f"{name}.yml"),
                {"start": spec.get("start"), **case},
                id=f"{name}-{case['name']}",
                marks=pytest.mark.shared,
            )


def _fields(funnel: Any) -> dict[str, Any]:
    """Fields entries for what the funnel reads, typed as its literals are, so that a source gives them."""
    found: dict[str, Any] = {}

    def visit(node: Any) -> None:
        if isinstance(node, dict):
            for key, value in node.items():
                if str(key).startswith("lead."):
                    found[key] = {"from": f"traits.{key[5:]}", **({"type": "bool"} if isinstance(value, bool) else {})}
                visit(value)
        elif isinstance(node, list):
            for item in node:
                visit(item)

    visit(funnel)
    return found


def _world(funnel: Any) -> Program:
    web = {"topics": ["web"], "format": "segment", "identifiers": {"userId": "user"}, "fields": _fields(funnel)}
    return program(funnel, sources={"web": web}, identity={"namespaces": [{"name": "user", "kind": "lead"}]})


def _seen(move: Move) -> dict[str, Any]:
    return {
        "at": move.effective_at,
        "kind": move.kind,
        "from": move.source and move.source.name,
        "to": move.target and move.target.name,
        "entry": move.target and move.target.entry,
        "skipped": list(move.skipped),
        "flags": list(move.flags),
    }


def _compared(seen: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    return {key: seen[key] for key in expected}


@pytest.mark.parametrize(("funnel", "case"), list(_cases()))
def test_case_holds_in_any_order(funnel: Any, case: dict[str, Any]) -> None:
    """The path and the conversions are the expected ones in every arrival order."""
    world = _world(funnel)
    (lineage,) = world.funnels
    start = instant_of(case["start"]) if case["start"] else lineage.latest.effective_from
    facts = _facts(case["given"], start)
    expected = [{key: _day(value, start) for key, value in step.items()} for step in case["expect"]["path"]]
    timeline = world.timeline(lineage, facts)
    assert [_compared(_seen(move), step) for move, step in zip(timeline.moves, expected, strict=True)] == expected, [
        (format_instant(move.effective_at), _seen(move)) for move in timeline.moves
    ]
    wanted = expected_ids(timeline.moves, timeline.matches, lineage)
    for seed in range(ORDERS):
        shuffled = facts + facts[: len(facts) // 2]
        random.Random(seed).shuffle(shuffled)
        run = History(world).take(shuffled)
        assert {*run.net("transitions"), *run.net("conversions")} == wanted


def test_the_cases_that_can_run_now_do(shared: Path) -> None:
    """Guards the selection above: no case is left out by a slip."""
    ran = [param.id for param in _cases()]
    assert {name: sum(str(case).startswith(f"{name}-") for case in ran) for name in WITHOUT_DEALS} == WITHOUT_DEALS
    assert len(ran) == sum(WITHOUT_DEALS.values())
