"""What ends, comes back or is kept: outcomes and re-entry, detours, lapses, deletions (semantics, rules 11, 12, 16)."""

import pytest

from schemas.facts import Fact
from tests.unit.stages.notation import STEPS, live, path, steps
from tests.worlds import fact

ENDING = """
stages:
  - {name: lead, when: {event: Signup}}
  - {name: fit, while: {lead.fit: "yes"}, lapse: keep}
  - {name: talk, when: {event: Talk}}
outcomes:
  - {name: won, result: won, while: {lead.status: customer}}
  - {name: lost, result: lost, when: {event: Churned}}
policies: {skip: allow, after_outcome: %s}
"""
IGNORE, REENTER = ENDING % "ignore", ENDING % "reenter"
CLOSED = [fact(0, "Signup"), fact(1, "Talk"), fact(2, fit="yes"), fact(3, "Churned")]


def test_rule_11_an_outcome_ends_the_path() -> None:
    """after_outcome: ignore: what happens afterwards moves nothing; a latched outcome does not end by itself."""
    assert path(IGNORE, *CLOSED, fact(4, "Signup"), fact(5, fit="no")) == path(IGNORE, *CLOSED)
    assert path(IGNORE, *CLOSED)[-1] == "3 outcome talk>lost#1"


def test_the_first_true_outcome_stands() -> None:
    """Outcomes: order is precedence."""
    assert path(IGNORE, fact(0, "Churned"), fact(0, status="customer")) == ["0 outcome ->won#1 skipped lead,fit,talk"]
    assert path(IGNORE, fact(0, "Churned"), fact(1, status="customer"), fact(2, status="open"))[1:] == [
        "1 outcome lost>won#1 skipped lead,fit,talk",
        "2 outcome won>lost#2",
    ]


@pytest.mark.parametrize(
    ("rule", "facts", "moves"),
    [
        ("starts a new path, old latches and kept stages dropped", [fact(5, "Signup")], ["5 reopen lost>lead#2"]),
        (
            "goes on from there",
            [fact(5, "Signup"), fact(6, "Talk")],
            ["5 reopen lost>lead#2", "6 advance lead>talk#2 skipped fit"],
        ),
        ("and may end again", [fact(5, "Signup"), fact(6, "Churned")], ["5 reopen lost>lead#2", "6 outcome lead>lost#2"]),
        ("a state is no signal", [fact(5, fit="yes", id="x")], []),
        ("the outcome's own signal is none", [fact(5, "Churned")], []),
        ("nor together with a stage's", [fact(5, "Churned"), fact(5, "Signup")], []),
        ("what is still true holds", [fact(5, fit="no"), fact(6, fit="yes"), fact(7, "Signup")], ["7 reopen lost>fit#1"]),
    ],
)
def test_reenter(rule: str, facts: list[Fact], moves: list[str]) -> None:
    """after_outcome: reenter: an own signal after the outcome."""
    closed = [fact(0, "Signup"), fact(1, "Talk"), fact(2, fit="yes"), fact(2.5, fit="no"), fact(3, "Churned")]
    assert path(REENTER, *closed, *facts)[len(path(REENTER, *closed)) :] == moves, rule


def test_reenter_leaves_an_outcome_that_is_still_true() -> None:
    """Only an outcome newer than the re-entry counts: the same one counts again once it ended and began anew."""
    won = [fact(0, "Talk"), fact(1, status="customer"), fact(2, "Signup"), fact(3, "Talk")]
    assert path(REENTER, *won)[2:] == ["2 reopen won>lead#1", "3 advance lead>talk#2 skipped fit"]
    anew = [fact(4, status="open"), fact(5, status="customer")]
    assert path(REENTER, *won, *anew)[4:] == ["5 outcome talk>won#2"]
    assert path(REENTER, *won, fact(4, status="open"), fact(4, "Churned"))[4:] == ["4 outcome talk>lost#1"]
    assert path(REENTER, *won, fact(4, "delete"), fact(5, "restore"))[-1] == "5 advance lead>talk#3 skipped fit"


DETOURS = """
stages:
  - {name: a, while: {lead.step: {exists: true}}}
  - {name: b, while: {lead.step: [b, c]}}
  - {name: c, while: {lead.step: c}}
detours:
  - {name: invalid, while: {lead.status: invalid}}
  - {name: parked, while: {lead.status: [parked, invalid]}}
outcomes: [{name: won, result: won, while: {lead.status: customer}}]
policies: {skip: allow}
"""
AT_B = [fact(0, step="b"), fact(1, status="parked")]


@pytest.mark.parametrize(
    ("rule", "facts", "moves"),
    [
        ("z2 returns to the stage left, the same entry", [fact(2, status="")], "2 return parked>b#1"),
        (
            "z4 what held meanwhile comes after it",
            [fact(2, step="c"), fact(3, status="")],
            "3 return parked>b#1; 3 advance b>c#1",
        ),
        ("the stage left holds no more", [fact(2, step="x"), fact(3, status="")], "3 return parked>-; 3 advance ->a#2"),
        ("nothing holds", [fact(2, step=""), fact(3, status="")], "3 return parked>-"),
        (
            "another detour keeps the stage left",
            [fact(2, status="invalid"), fact(3, status="")],
            "2 detour parked>invalid#1; 3 return invalid>b#1",
        ),
        ("an outcome infers from the stage left", [fact(2, status="customer")], "2 outcome parked>won#1 skipped c"),
        (
            "after an outcome no stage was left",
            [fact(2, status="customer"), fact(3, status="parked"), fact(4, status="")],
            "2 outcome parked>won#1 skipped c; 3 detour won>parked#2; 4 return parked>-; 4 advance ->a#2; 4 advance a>b#2",
        ),
    ],
)
def test_detours(rule: str, facts: list[Fact], moves: str) -> None:
    """A detour is left again towards where one came from; order is precedence."""
    before = ["0 advance ->a#1", "0 advance a>b#1", "1 detour b>parked#1"]
    assert path(DETOURS, *AT_B, *facts) == [*before, *moves.split("; ")], rule


def test_a_detour_from_nowhere_returns_to_nowhere() -> None:
    assert path(DETOURS, fact(0, status="parked"), fact(1, status="")) == ["0 detour ->parked#1", "1 return parked>-"]


KEPT = """
stages:
  - {name: engaged, when: {event: Opened}}
  - {name: ready, while: {lead.budget: "yes", lead.need: true}, lapse: keep}
  - {name: talk, when: {event: Talk}}
"""


def test_lapse_keep_stays_and_says_so_once_per_lapse() -> None:
    """Scenario o: the criteria lapse, the stage is kept, the notice enters nothing."""
    ready = [fact(0, "Opened"), fact(1, budget="yes", need=True)]
    lapses = [fact(2, need=False), fact(3, budget="no"), fact(4, need=True, budget="yes"), fact(5, need=False)]
    assert path(KEPT, *ready, *lapses)[2:] == [
        "2 notice ready>ready#1 !criteria_lapsed",
        "5 notice ready>ready#1 !criteria_lapsed",
    ]
    assert live(KEPT, *ready, *lapses).state.walk.spells["ready"].count == 1


def test_a_lapse_of_another_than_the_current_stage_says_nothing() -> None:
    """Evaluation: the notice is for the current stage."""
    beyond = [fact(1, budget="yes", need=True), fact(2, "Talk"), fact(3, need=False)]
    assert path(KEPT, *beyond)[-1] == "2 advance ready>talk#1"
    assert path(KEPT, fact(1, budget="yes", need=True), fact(2, "Talk"), fact(2, need=False))[-1] == "2 advance ready>talk#1"


def test_unknown_is_not_true() -> None:
    """Operators: of a state that asks for two values one is not enough, and '' is no value."""
    assert path(KEPT, fact(0, "Opened"), fact(1, need=True), fact(2, budget="")) == ["0 advance ->engaged#1"]


@pytest.mark.parametrize(
    ("said", "moves"),
    [
        ("b delete", ["1 withdraw b>-"]),
        ("b delete restore", ["1 withdraw b>-", "2 advance ->b#2 skipped a !skip"]),
        ("b delete c restore", ["1 withdraw b>-", "3 advance ->c#1 skipped a,b !skip"]),
        ("b delete delete", ["1 withdraw b>-"]),
        ("b won delete restore", ["1 outcome b>won#1 skipped c,d", "2 withdraw won>-", "3 outcome ->won#2 skipped a,b,c,d"]),
        ("b delete gone restore", ["1 withdraw b>-"]),
    ],
)
def test_rule_16_a_deletion_withdraws_and_a_restore_reverses_it(said: str, moves: list[str]) -> None:
    """What is said of a deleted record is kept and counts once it is restored."""
    assert path(STEPS, *steps(said))[1:] == moves


def test_rule_16_a_deletion_out_of_a_detour() -> None:
    """Restored it stands in the detour again, but no stage was left for it."""
    restored = [*AT_B, fact(2, "delete"), fact(3, "restore")]
    assert path(DETOURS, *restored)[3:] == ["2 withdraw parked>-", "3 detour ->parked#2"]
    assert path(DETOURS, *restored, fact(4, status=""))[5:] == ["4 return parked>-", "4 advance ->a#2", "4 advance a>b#2"]


def test_a_deleted_record_enters_nothing() -> None:
    assert path(STEPS, fact(0, "delete"), *steps("x b won")) == []


def test_rule_10_a_missed_service_level_does_not_keep_a_latch_from_ending() -> None:
    """The two timers of one stage are told apart (rules 10 and 29)."""
    timed = (
        "stages: [{name: lead, when: {event: Signup}, expires: {after: 3h, anchor: last}, sla: 1h}, {name: b, when: {event: B}}]"
    )
    assert path(timed, fact(0, "Signup"), fact(9, "B")) == [
        "0 advance ->lead#1",
        "1 notice lead>lead#1 !sla_missed",
        "3 expire lead>-",
        "9 advance ->b#1 skipped lead !skip",
    ]
