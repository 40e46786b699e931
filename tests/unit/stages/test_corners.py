"""Corners of the evaluation rule, where two of its sentences meet: each was wrong once."""

import os
import subprocess
import sys

from schemas.instants import HOUR
from tests.unit.stages.notation import definition, line, path, world
from tests.worlds import START, History, fact, program


def at(hours: float) -> int:
    return START + round(hours * HOUR)


DATES = """
stages:
  - {name: a, when: {event: Ask}}
  - {name: b, while: {lead.one_at: {passed: true}}}
  - {name: c, while: {lead.two_at: {passed: true}, lead.three_at: {passed: true}}}
"""
_IDS = """
from tests.unit.stages.test_corners import DATES, at
from tests.unit.stages.notation import world
from tests.worlds import History, fact
run = History(world(DATES)).take([fact(0, three_at=at(5)), fact(1, one_at=at(5)), fact(2, two_at=at(5))]).pass_time(at(9))
print([body["transition_id"] for body in run.bodies("transitions")])
"""


def test_ids_do_not_depend_on_the_order_of_a_set() -> None:
    """Invariant 5: three dates that pass at one instant name the same cause in every process."""
    told = set()
    for seed in ("1", "2", "3", "4"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        told.add(subprocess.run([sys.executable, "-c", _IDS], env=environment, capture_output=True, text=True, check=True).stdout)
    assert len(told) == 1


def test_a_date_that_passed_before_the_funnel_began_is_no_timer() -> None:
    """Rules 22 and 23: known before the start, it has passed when the first facts come, and nothing happens before them."""
    later = program(definition(DATES, effective_from=at(10)))
    assert path(later, fact(1, one_at=at(5)), fact(12, "Ask")) == ["12 advance ->a#1", "12 advance a>b#1"]


IGNORING = """
stages:
  - {name: seen, when: {event: Ask}}
  - {name: pro, while: {lead.plan: pro}, sla: 5h}
  - {name: open, while: {deal.stage: open}}
policies: {backward: ignore}
"""


def test_what_was_ignored_stays_ignored_whatever_else_time_or_a_deletion_brings() -> None:
    """Policies, backward: neither the service level of the stage nor the end of a deal that never held it moves anybody back."""
    kept = [fact(0, "Ask"), fact(1, plan="pro"), fact(2, plan="x")]
    assert [line(move) for move in world(IGNORING).timeline(world(IGNORING).funnels[0], kept, at(9)).moves] == [
        "0 advance ->seen#1",
        "1 advance seen>pro#1",
        "6 notice pro>pro#1 !sla_missed",
    ]
    assert path(IGNORING, *kept, fact(3, "delete", deal="B"))[2:] == []
    held = [fact(0, "Ask"), fact(1, deal="A", stage="open"), fact(2, "delete", deal="A")]
    assert path(IGNORING, *held)[1:] == ["1 advance seen>open#1 skipped pro !skip", "2 withdraw open>seen#2"]


CLOSING = """
also: [deal]
stages:
  - {name: open, while: {deal.stage: open}}
outcomes:
  - {name: won, result: won, while: {deal.stage: won, deal.closed_at: {passed: true}}}
"""


def test_a_timer_of_one_deal_names_no_fact_of_another() -> None:
    """Evidence: two deals that are won at the same midnight each have their own cause."""
    facts = [fact(0, deal=name, stage="won", closed_at=at(5), id=name) for name in ("A", "B")]
    run = History(world(CLOSING)).take(facts).pass_time(at(6))
    causes = {body["deal"]: body["cause"]["facts"][0]["id"] for body in run.bodies("transitions") if body["deal"]}
    assert causes == {"deal:A": "A", "deal:B": "B"}


def test_a_deal_that_steps_back_while_another_is_deleted_is_not_withdrawn() -> None:
    """Rule 16: a withdrawal is of what was deleted."""
    facts = [fact(0, deal="A", stage="open"), fact(0, deal="B", stage="open")]
    moves = (
        world(CLOSING)
        .timeline(world(CLOSING).funnels[0], [*facts, fact(1, deal="A", stage="x"), fact(1, "delete", deal="B")])
        .moves
    )
    assert [(move.deal, move.kind) for move in moves if move.kind != "advance"] == [
        ("", "withdraw"),
        ("deal:A", "regress"),
        ("deal:B", "withdraw"),
    ]


PARKED = """
stages: [{name: open, while: {deal.stage: open}}]
detours: [{name: parked, while: {lead.plan: parked}}]
"""


def test_a_detour_outlives_the_last_deal() -> None:
    """Evaluation: a detour that is true comes before what is left of the path."""
    facts = [fact(0, deal="A", stage="open"), fact(1, plan="parked"), fact(2, "delete", deal="A"), fact(3, plan="parked")]
    assert path(PARKED, *facts) == ["0 advance ->open#1", "1 detour open>parked#1"]


STAYS = """
stages: [{name: a, when: {event: Ask}, expires: {after: 20h, anchor: first}}]
detours: [{name: parked, while: {lead.plan: parked}}]
"""


def test_rule_9_a_detour_interrupts_a_stay_and_does_not_end_it() -> None:
    """One entry is one stay, however many detours it had; what it lasted leaves them out."""
    facts = [fact(0, "Ask"), fact(2, plan="parked"), fact(5, plan=""), fact(7, plan="parked"), fact(8, plan="")]
    lived = world(STAYS).timeline(world(STAYS).funnels[0], facts, at(30)).state.walk.spells["a"]
    assert (lived.count, lived.closed, lived.latest, lived.total) == (1, 1, 16 * HOUR, 16 * HOUR)
    left = world(STAYS).timeline(world(STAYS).funnels[0], [*facts[:2], fact(25, plan="")], at(30)).state.walk.spells["a"]
    assert (left.count, left.closed, left.latest) == (1, 1, 2 * HOUR)


def test_true_and_one_are_two_values() -> None:
    """Rule 20: of two records with one id the same one counts in every order, though Python calls their values equal."""
    flag = "stages: [{name: a, when: {event: Ask, event.properties.x: {exists: true}}}]"
    rivals = [fact(1, "Ask", id="r", x=True), fact(1, "Ask", id="r", x=1)]
    read = []
    for order in (rivals, rivals[::-1]):
        run = History(world(flag)).take(order)
        read.append(repr([body["cause"]["read"] for body in run.net("transitions").values()]))
    assert read[0] == read[1]


ENDS = """
stages: [{name: a, when: {event: Ask}}]
outcomes: [{name: end, result: lost, while: {lead.plan: end}, when: {event: Leave}}]
policies: {after_outcome: reenter}
"""


def test_after_a_reentry_an_outcome_closes_again_when_its_own_signal_fires_again() -> None:
    """Decision 4, though its condition was true all along."""
    assert path(ENDS, fact(0, "Ask"), fact(1, plan="end"), fact(5, "Ask"), fact(7, "Leave")) == [
        "0 advance ->a#1",
        "1 outcome a>end#1",
        "5 reopen end>a#2",
        "7 outcome a>end#2",
    ]


def test_after_a_reentry_a_signal_of_a_deleted_record_closes_nothing_and_the_next_one_does() -> None:
    """Decision 4, rule 16: it found nothing that holds. The outcome, though latched, is over still, and under a later version."""
    away = [fact(6, "delete"), fact(7, "Leave"), fact(8, "restore")]
    facts = [fact(0, "Ask"), fact(1, plan="end"), fact(5, "Ask"), *away, fact(9, "Leave")]
    later = program(definition(ENDS), definition(ENDS, version=2, effective_from=at(5.5), policies={"after_outcome": "ignore"}))
    for reentering in (world(ENDS), later):
        assert path(reentering, *facts)[2:] == [
            "5 reopen end>a#2",
            "6 withdraw a>-",
            "8 advance ->a#3",
            "9 outcome a>end#2",
        ]
        assert History(reentering).take(facts).bodies("transitions")[-1]["kind"] == "outcome"


def test_rule_23_a_value_that_no_version_read_is_missing_to_the_next() -> None:
    """A fact gives a funnel the fields that it reads: what came along would be outdated by the time somebody reads it."""
    (lineage,) = world("stages: [{name: a, while: {lead.plan: pro}}]").funnels
    state = world("stages: [{name: a, while: {lead.plan: pro}}]").timeline(lineage, [fact(0, plan="pro", other="x")]).state
    assert state.own.values == {"lead.plan": "pro"}


def test_sessions_that_are_remembered_are_few() -> None:
    """Invariant 8: a tracker that names a new session on every page does not make the lead's head grow."""
    visit = "{name: v, description: d, when: {event: Visit}, count: once_per_session}"
    once = f"conversions: [{visit}]\nstages: [{{name: a, when: {{conversion: v}}}}]"
    (lineage,) = world(once).funnels
    visits = [fact(number / 1000, "Visit") for number in range(500)]
    for number, each in enumerate(visits):
        each.values["event.session_id"] = str(number)
    assert len(world(once).timeline(lineage, visits).state.memory) <= 65


def test_a_timer_names_the_fact_whose_value_is_in_force() -> None:
    """Authority: what a weaker source says of a date arms nothing."""
    ruled = program(definition(DATES), authority={"lead.one_at": ["crm", "web"]})
    facts = [fact(0, source="crm", one_at=at(5), id="strong"), fact(1, source="web", one_at=at(9), id="weak")]
    run = History(ruled).take(facts).pass_time(at(10))
    assert [(body["effective_at"][11:13], body["cause"]["facts"][0]["id"]) for body in run.bodies("transitions")] == [
        ("05", "strong")
    ]


TOUCHED = """
stages: [{name: open, while: {deal.stage: open}}]
segments: {campaign: {value: event.properties.name, rule: last_touch, touch: {event: Clicked, if: {deal.stage: open}}}}
"""


def test_rule_26_a_touch_may_ask_for_the_deal_that_its_event_belongs_to() -> None:
    """Segments, touch: its `if` is judged like that of any other signal."""
    facts = [
        fact(0, deal="A", stage="open"),
        fact(1, "Clicked", name="spring"),
        fact(2, deal="A", stage="x"),
        fact(3, "Clicked", name="late"),
    ]
    assert world(TOUCHED).timeline(world(TOUCHED).funnels[0], facts).state.touches == {"campaign": "spring"}


def test_rule_23_a_stage_that_becomes_an_outcome_is_not_the_same_place() -> None:
    """Versions: a name stands for a stage of before only where it is a stage again; else `retired` says what does."""
    before = definition("stages: [{name: a, when: {event: Ask}}, {name: cust, while: {lead.plan: pro}}]")
    after = definition(
        "stages: [{name: a, when: {event: Ask}}]\n"
        "outcomes: [{name: cust, result: won, while: {lead.plan: pro}}]\n"
        "retired: {cust: a}",
        version=2,
        effective_from=at(5),
    )
    lived = program(before, after)
    moves = [line(move) for move in lived.timeline(lived.funnels[0], [fact(0, plan="pro"), fact(6, plan="pro")]).moves]
    assert moves == ["0 advance ->cust#1 skipped a !skip", "6 outcome a>cust#1"]
