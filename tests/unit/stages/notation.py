"""How these tests write funnels and paths: a funnel as its file would say it, a move as one line.

`2 advance a>c#1 skipped b !skip` is: two hours after START an advance from a to c, c's first entry, b was skipped and the move is
flagged policy_violation:skip. A dash stands for no position. `3 demo counted advanced` is a conversion.
"""

import json
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from ruamel.yaml import YAML

from processors.stages.fold import Timeline
from processors.stages.timeline import Match, Move
from processors.topology.program import Program
from schemas.facts import Fact
from schemas.instants import HOUR, parse_instant
from tests.worlds import START, History, fact, program

HEADER = {"funnel": "test", "version": 1, "owner": "tests", "reason": "Tests.", "subject": "lead", "effective_from": START}

STEPS = """
stages:
  - {name: a, while: {lead.step: a}}
  - {name: b, while: {lead.step: b}}
  - {name: c, while: {lead.step: c}}
  - {name: d, while: {lead.step: d}}
outcomes:
  - {name: won, result: won, while: {lead.step: won}}
  - {name: lost, result: lost, while: {lead.step: lost}}
"""
"""A funnel in which `lead.step` names the place."""


def definition(text: str, **keys: Any) -> dict[str, Any]:
    """A funnel file of which only what matters is written; `keys` replace top-level keys."""
    return {**HEADER, **YAML(typ="safe", pure=True).load(text), **keys}


@lru_cache
def world(text: str) -> Program:
    """The program of one funnel."""
    return program(definition(text))


def live(text: str | Program, *facts: Fact) -> Timeline:
    """The timeline of these facts, in the first funnel."""
    lived = world(text) if isinstance(text, str) else text
    return lived.timeline(lived.funnels[0], facts)


def live_until(text: str | Program, hour: float, *facts: Fact) -> Timeline:
    """The timeline of these facts, with timers fired until so many hours after START."""
    lived = world(text) if isinstance(text, str) else text
    return lived.timeline(lived.funnels[0], facts, START + round(hour * HOUR))


def path(text: str | Program, *facts: Fact) -> list[str]:
    """The moves of these facts, a line each."""
    return [line(move) for move in live(text, *facts).moves]


def steps(written: str) -> list[Fact]:
    """`a b won delete`: what `lead.step` is, hour by hour, or what happened to the record."""
    return [
        fact(hour, said) if said in ("delete", "restore") else fact(hour, step=said) for hour, said in enumerate(written.split())
    ]


def line(move: Move) -> str:
    """A move as a line."""
    return line_of(move, HOUR)


def line_of(move: Move, unit: int) -> str:
    """A move as a line, its time in units of so many microseconds after START."""
    target = f"{move.target.name}#{move.target.entry}" if move.target else "-"
    source = move.source.name if move.source else "-"
    return _line(f"{(move.effective_at - START) / unit:g}", move.kind, source, target, move.skipped, move.flags)


def _line(hours: str, kind: str, source: str, target: str, skipped: Iterable[str], flags: Iterable[str]) -> str:
    passed = [f"skipped {','.join(skipped)}"] if skipped else []
    marks = ["!" + flag.removeprefix("policy_violation:") for flag in flags]
    return " ".join([hours, kind, f"{source}>{target}", *passed, *marks])


def _hours(instant: int) -> str:
    return f"{(instant - START) / HOUR:g}"


def conversions(text: str | Program, *facts: Fact) -> list[str]:
    """The conversions of these facts, a line each."""
    return [conversion(match) for match in live(text, *facts).matches]


def conversion(match: Match) -> str:
    """A conversion as a line."""
    words = [_hours(match.effective_at), match.name, "counted" if match.counted else "repeat"]
    return " ".join([*words, "advanced"] if match.advanced else words)


def operations(run: History, since: int = 0) -> list[str]:
    """What a run published as transitions and conversions, but for the first `since` of them: `amend 2 advance b>c#1`."""
    topics = {"transitions": _transition, "conversions": _conversion}
    published = [(topics[record.topic], json.loads(record.value or b"")) for record in run.published if record.topic in topics]
    return [f"{body['op']} {written(body)}" for written, body in published[since:]]


def _transition(body: dict[str, Any]) -> str:
    entry = f"#{body['to']['entry']}" if body["to"] else ""
    at = _hours(parse_instant(body["effective_at"]))
    return _line(at, body["kind"], _place(body["from"]), f"{_place(body['to'])}{entry}", body["skipped"], body["flags"])


def _place(point: dict[str, Any] | None) -> str:
    return next(point[place] for place in ("stage", "outcome", "detour") if place in point) if point else "-"


def _conversion(body: dict[str, Any]) -> str:
    words = [_hours(parse_instant(body["effective_at"])), body["name"], body["count"]]
    return " ".join([*words, "advanced"] if body["advanced"] else words)
