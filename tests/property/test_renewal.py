"""What is passed by would have changed nothing: with every step judged, and compared in full, all bytes are the same."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.stages import instant
from processors.topology import advance
from processors.topology import rows as row
from processors.topology.present import seen
from processors.topology.program import Program
from schemas.facts import Fact, entity_key
from schemas.instants import HOUR
from tests.examples import examples
from tests.property import test_history, test_time_and_deals
from tests.unit.stages.notation import definition
from tests.worlds import START, History, fact, program


def renewing(after_outcome: str = "ignore", *recalling: dict[str, Any]) -> dict[str, Any]:
    """A funnel of which most events renew what is latched, unless it lets one begin anew or recalls what happened."""
    return {
        "funnel": "renewing",
        "version": 1,
        "owner": "tests",
        "reason": "Latches, and what else an event can change.",
        "effective_from": START,
        "subject": "lead",
        "conversions": [
            {"name": "demo", "description": "Demo.", "when": {"event": "Demo"}, "count": {"once_per_window": "2h"}},
            {"name": "signup", "description": "Sign up.", "when": {"event": "Signup", "if": {"lead.plan": "pro"}}},
            {"name": "hardened", "description": "Hard.", "when": {"event": "Demo", "event.properties.hard": True}},
        ],
        "stages": [
            {"name": "seen", "when": {"event": "Demo"}, "optional": True},
            {"name": "known", "when": {"conversion": ["signup", "demo"]}},
            {"name": "fit", "while": {"lead.plan": ["pro", "team"]}, "lapse": "keep"},
            {"name": "hard", "when": {"event": "Recycle", "event.properties.hard": True}},
            *recalling,
        ],
        "detours": [{"name": "parked", "while": {"lead.status": "parked"}}],
        "outcomes": [
            {"name": "lost", "result": "lost", "when": {"event": "Churned", "if": {"happened": "demo"}}},
            {
                "name": "over",
                "result": "other",
                "when": {"event": "Churned", "event.properties.hard": True},
                "while": {"lead.status": "over"},
            },
        ],
        "segments": {
            "first": {"value": ["event.properties.hard", "lead.plan"], "rule": "first_touch"},
            "hard": {
                "value": "event.properties.hard",
                "rule": "first_touch",
                "touch": {"event": "Demo", "event.properties.hard": True},
            },
            "plan": {"value": "lead.plan", "rule": "current"},
        },
        "policies": {"lateness": "10d", "after_outcome": after_outcome},
    }


RECALLING = {"name": "recalled", "while": {"happened": "hardened"}}
RENEWING = program(renewing(), test_history.recycling())
SECOND = {"version": 2, "effective_from": START + 5 * HOUR}
PROGRAMS = [
    RENEWING,
    program(renewing("reenter")),
    program(renewing("ignore", RECALLING)),
    program(renewing("reenter"), {**renewing(), **SECOND}),
    program(renewing(), {**renewing("ignore", RECALLING), **SECOND}),
]
SAID: list[tuple[str, dict[str, Any]]] = [
    ("Demo", {}),
    ("Demo", {"hard": True}),
    ("Signup", {}),
    ("Recycle", {"hard": True}),
    ("Churned", {}),
    ("Churned", {"hard": True}),
    ("", {"plan": "pro"}),
    ("", {"plan": "free", "status": "parked"}),
    ("", {"status": "open"}),
    ("", {"status": "over"}),
    ("delete", {}),
    ("restore", {}),
]
one_after_another = st.lists(st.sampled_from(SAID), min_size=2, max_size=12).map(
    lambda said: [fact(at, what, **values) for at, (what, values) in enumerate(said)]
)
WORLDS = st.one_of(
    st.tuples(st.sampled_from(PROGRAMS), one_after_another),
    st.tuples(st.sampled_from(PROGRAMS), one_after_another),
    st.tuples(test_time_and_deals.programs, test_time_and_deals.histories),
)


@contextmanager
def judged_in_full() -> Iterator[None]:
    """Nothing is passed by."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(advance, "renews", lambda *of: False)
        patch.setattr(advance, "seen_after", lambda before, fact, moves, lineage, state: seen(lineage, state))
        patch.setattr(instant, "refreshes", lambda *of: False)
        yield


@settings(max_examples=examples(300))
@given(WORLDS, st.booleans())
def test_all_bytes_are_those_of_steps_judged_in_full(world: tuple[Program, list[Fact]], in_order: bool) -> None:
    definitions, facts = world
    assert_alike(definitions, sorted(facts, key=lambda said: said.occurred_at) if in_order else facts)


def assert_alike(definitions: Program, arrivals: list[Fact], until: float = 0) -> None:
    """The last fact comes after time has passed until so many hours after START, if it has."""
    short = lived(definitions, arrivals, until)
    with judged_in_full():
        full = lived(definitions, arrivals, until)
    assert short.published == full.published
    assert [each.rows for each in short.effects] == [each.rows for each in full.effects]
    assert [each.counts for each in short.effects] == [each.counts for each in full.effects]


def lived(definitions: Program, arrivals: list[Fact], until: float) -> History:
    run = History(definitions).take(arrivals[:-1])
    if until:
        run.pass_time(START + round(until * HOUR))
    return run.take(arrivals[-1:])


C = "conversions: [{name: c, description: d, when: {event: Ask, if: {lead.plan: pro}}}]\n"
A = "{name: a, when: {event: Ask}}"
RECALLS = f"{C}stages: [{A}, {{name: b, while: {{happened: c}}}}]"
KEEPS = f"{C}stages: [{A}, {{name: b, while: {{any: [{{lead.step: b}}, {{happened: c}}]}}, lapse: keep}}]"
WAITS = f"stages: [{A}, {{name: b, while: {{any: [{{lead.step: b}}, {{lead.due_at: {{passed: true}}}}]}}, lapse: keep}}]"
PLAIN, OVERDUE = f"stages: [{A}]", "stages: [{name: a, when: {event: Ask}, sla: 3h}]"
EXPIRES = "stages: [{name: a, when: {event: Ask}, expires: {after: 9h, anchor: last}}]"
LOOSE, STRICT = (f"stages: [{A}, {{name: b, while: {{lead.step: {said}}}}}]" for said in ("[b, c]", "b"))
RESETS = "stages: [{name: a, when: {event: Ask}, resets: true}, {name: b, when: {event: Sign}}]"
ENDS = f"stages: [{A}]\noutcomes: [{{name: end, result: lost, while: {{lead.step: b}}}}]\npolicies: {{after_outcome: reenter}}"
DEALS = f"stages: [{A}, {{name: b, when: {{event: Ask, if: {{deal.stage: open}}}}}}]"
WINS = """
stages: [{name: open, while: {deal.stage: open}}]
outcomes: [{name: won, result: won, when: {event: Sign, if: {deal.stage: open}}}]
"""
LAPSED = [fact(0, "Ask"), fact(1, step="b"), fact(2, step="x")]
ASKED = [fact(0, "Ask"), fact(2, "Ask"), fact(4, "Ask")]
OPEN = [fact(0, deal="A", stage="open"), fact(1, deal="B", stage="open")]


@pytest.mark.parametrize(
    ("first", "second", "facts", "until"),
    [
        pytest.param(RECALLS, "", [fact(0, "Ask"), fact(1, plan="pro"), fact(2, "Ask")], 0, id="what happened holds"),
        pytest.param(KEEPS, "", [*LAPSED, fact(3, plan="pro"), fact(4, "Ask")], 0, id="criteria are met again by what happened"),
        pytest.param(WAITS, "", [*LAPSED, fact(3, due_at=START + 5 * HOUR), fact(6, "Ask")], 0, id="and by time"),
        pytest.param(PLAIN, OVERDUE, ASKED, 0, id="overdue by a later version"),
        pytest.param(EXPIRES, PLAIN, ASKED, 3, id="time that an earlier version asks for"),
        pytest.param(LOOSE, STRICT, [fact(0, "Ask"), fact(0.5, step="c"), fact(2, "Ask")], 0, id="a later version judges anew"),
        pytest.param(RESETS, "", [fact(0, "Ask"), fact(1, "Sign"), fact(2, "Ask")], 0, id="a stage resets later ones"),
        pytest.param(ENDS, "", [fact(0, "Ask"), fact(1, step="b"), fact(2, "Ask")], 0, id="a path begins anew"),
        pytest.param(PLAIN, "", [fact(0, "Ask"), fact(1, "Ask", deal="A")], 0, id="an event names a deal"),
        pytest.param(DEALS, "", [fact(0, "Ask"), fact(1, deal="A", stage="open"), fact(2, "Ask")], 0, id="a deal latches"),
        pytest.param(WINS, "", [*OPEN, fact(2, "Sign", deal="A")], 0, id="a deal is won and another open"),
    ],
)
def test_what_stands_in_the_way_of_a_renewal(first: str, second: str, facts: list[Fact], until: float) -> None:
    """Each of these was told from a renewal by one condition alone."""
    later = [definition(second, version=2, effective_from=START + HOUR)] if second else []
    assert_alike(program(definition(first), *later), facts, until)


def test_how_a_subject_walked_is_not_read_for_an_event_that_renews() -> None:
    """An event of which every rule is latched is published without a look at the walk, which stays as it is written."""
    run = History(RENEWING).take([fact(0, "Demo", hard=True), fact(1, plan="pro")])
    key = row.head_row_key(entity_key("user:1"), RENEWING.funnels[1].key)
    assert RENEWING.funnels[1].name == "renewing"

    def written() -> Any:
        head = row.decode_head(run.store.get(0, key) or b"")
        return msgspec.msgpack.decode(head.after)

    before = written()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row, "decode_state", None)
        run.take([fact(2, "Demo"), fact(3, "Demo")])
    after = written()
    assert after[3] == before[3]
    assert after[2] != before[2]  # the latches are renewed
    said = [body for body in run.bodies("conversions") if body["name"] == "demo"]
    assert [body["count"] for body in said] == ["counted", "counted", "repeat"]
    assert not any(body["advanced"] for body in said[1:])
