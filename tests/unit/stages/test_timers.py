"""What becomes true because time passes: latches that end, dates that pass, stays that take too long (rules 10, 22, 29)."""

import pytest

from schemas.facts import Fact
from schemas.instants import HOUR
from tests.given_expect import assert_any_order
from tests.unit.stages.notation import line, live_until, path, world
from tests.worlds import START, fact

WINDOW = """
stages:
  - {name: seen, when: {event: Mention}, expires: {after: 10h, anchor: %s}, optional: true}
  - {name: asked, when: {event: Ask}, expires: {after: 4h, anchor: first}}
  - {name: sold, while: {lead.step: sold}}
"""
LAST, FIRST = WINDOW % "last", WINDOW % "first"


def lived(funnel: str, until: float, *facts: Fact) -> list[str]:
    """The moves by that hour, in any order of arrival."""
    assert_any_order(world(funnel), facts, START + round(until * HOUR), 5)
    return [line(move) for move in live_until(funnel, until, *facts).moves]


@pytest.mark.parametrize(
    ("rule", "funnel", "facts", "moves"),
    [
        ("it ends at exactly its end", LAST, [fact(0, "Mention")], "0 advance ->seen#1; 10 expire seen>-"),
        ("the last signal slides it", LAST, [fact(0, "Mention"), fact(6, "Mention")], "0 advance ->seen#1; 16 expire seen>-"),
        ("or the first fixes it", FIRST, [fact(0, "Mention"), fact(6, "Mention")], "0 advance ->seen#1; 10 expire seen>-"),
        (
            "a signal at the end is a new entry",
            LAST,
            [fact(0, "Mention"), fact(10, "Mention")],
            "0 advance ->seen#1; 10 expire seen>-; 10 advance ->seen#2; 20 expire seen>-",
        ),
        (
            "a later stage is not left",
            LAST,
            [fact(0, "Mention"), fact(1, step="sold")],
            "0 advance ->seen#1; 1 advance seen>sold#1 skipped asked !skip",
        ),
        (
            "the later stage ends first, then the one behind it",
            LAST,
            [fact(0, "Mention"), fact(1, "Ask")],
            "0 advance ->seen#1; 1 advance seen>asked#1; 5 expire asked>seen#2; 10 expire seen>-",
        ),
        (
            "two ends at one instant are one step",
            LAST,
            [fact(0, "Mention"), fact(6, "Ask")],
            "0 advance ->seen#1; 6 advance seen>asked#1; 10 expire asked>-",
        ),
    ],
)
def test_rule_10_a_latch_ends_by_itself(rule: str, funnel: str, facts: list[Fact], moves: str) -> None:
    assert lived(funnel, 40, *facts) == moves.split("; "), rule


def test_rule_10_a_timer_fires_without_a_watermark_where_a_later_fact_comes() -> None:
    """A fact never needs a watermark: what was due before it has happened."""
    assert path(LAST, fact(0, "Mention"), fact(50, step="x")) == ["0 advance ->seen#1", "10 expire seen>-"]
    assert path(LAST, fact(0, "Mention")) == ["0 advance ->seen#1"]


def test_a_timer_s_cause_is_the_fact_that_armed_it() -> None:
    """Identity, R8: of a sliding window the last signal, of a fixed one the first; so the id says which window ended."""
    first, last = fact(0, "Mention", id="first"), fact(6, "Mention", id="last")
    ends = {funnel: live_until(funnel, 40, first, last).moves[-1] for funnel in (LAST, FIRST)}
    starts = [live_until(LAST, 1, said).moves[0] for said in (first, last)]
    assert ends[FIRST].cause == starts[0].cause
    assert ends[LAST].cause == live_until(LAST, 7, last).moves[0].cause
    assert all(end.timer for end in ends.values())


PASSING = """
stages:
  - {name: trial, while: {lead.trial_at: {exists: true}}}
  - {name: over, while: {lead.trial_at: {passed: true}}}
policies: {skip: allow}
"""


def _at(hour: float) -> int:
    return START + round(hour * HOUR)


@pytest.mark.parametrize(
    ("rule", "facts", "moves"),
    [
        ("to come", [fact(0, trial_at=_at(5))], "0 advance ->trial#1; 5 advance trial>over#1"),
        ("passed already", [fact(0, trial_at=_at(-5))], "0 advance ->trial#1; 0 advance trial>over#1"),
        ("now is passed", [fact(0, trial_at=_at(0))], "0 advance ->trial#1; 0 advance trial>over#1"),
        ("put off", [fact(0, trial_at=_at(5)), fact(3, trial_at=_at(9))], "0 advance ->trial#1; 9 advance trial>over#1"),
        ("taken back", [fact(0, trial_at=_at(5)), fact(3, trial_at=None)], "0 advance ->trial#1; 3 regress trial>-"),
        ("not until then", [fact(0, trial_at=_at(99))], "0 advance ->trial#1"),
    ],
)
def test_rule_22_a_date_that_passes_is_reached_at_that_date(rule: str, facts: list[Fact], moves: str) -> None:
    """Stages reached with no event."""
    assert lived(PASSING, 40, *facts) == moves.split("; "), rule


OVERDUE = """
stages:
  - {name: a, while: {lead.step: a}, sla: 5h}
  - {name: b, while: {lead.step: b}, sla: 2h}
  - {name: c, while: {lead.step: c}}
detours: [{name: parked, while: {lead.status: parked}}]
"""


@pytest.mark.parametrize(
    ("rule", "facts", "moves"),
    [
        ("once per stay", [fact(0, step="a")], "0 advance ->a#1; 5 notice a>a#1 !sla_missed"),
        ("left in time", [fact(0, step="a"), fact(4.9, step="c")], "0 advance ->a#1; 4.9 advance a>c#1 skipped b !skip"),
        (
            "left at its end is too late",
            [fact(0, step="a"), fact(5, step="c")],
            "0 advance ->a#1; 5 notice a>a#1 !sla_missed; 5 advance a>c#1 skipped b !skip",
        ),
        (
            "another stage has its own",
            [fact(0, step="a"), fact(4, step="b")],
            "0 advance ->a#1; 4 advance a>b#1; 6 notice b>b#1 !sla_missed",
        ),
        (
            "another stay counts anew",
            [fact(0, step="a"), fact(4, step="b"), fact(5, step="a")],
            "0 advance ->a#1; 4 advance a>b#1; 5 regress b>a#2; 10 notice a>a#2 !sla_missed",
        ),
        (
            "what refreshes the stay changes nothing",
            [fact(0, step="a"), fact(3, step="a")],
            "0 advance ->a#1; 5 notice a>a#1 !sla_missed",
        ),
    ],
)
def test_rule_29_a_stay_that_takes_too_long_is_a_notice(rule: str, facts: list[Fact], moves: str) -> None:
    """No entry: how many ever missed it are the notices, how many still do the snapshots' flags."""
    assert lived(OVERDUE, 40, *facts) == moves.split("; "), rule
