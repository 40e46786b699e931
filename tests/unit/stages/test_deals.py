"""Several deals of one lead: each has a position of its own, and the lead the one that they roll up to (rules 12, 13, 16)."""

from typing import Any

import msgspec
import pytest

from schemas.facts import Fact
from schemas.instants import DAY
from tests.given_expect import assert_any_order
from tests.unit.stages.notation import definition, line, live
from tests.worlds import START, fact, program

DEALS = """
also: [deal]
stages:
  - {name: asked, when: {event: Ask}, optional: true}
  - {name: open, while: {deal.stage: open}}
  - {name: late, while: {deal.stage: late}}
outcomes:
  - {name: won, result: won, while: {deal.stage: won}}
  - {name: lost, result: lost, while: {deal.stage: lost}}
  - {name: void, result: other, while: {deal.stage: void}}
policies: {skip: allow}
"""


def world(text: str = DEALS, **keys: Any) -> Any:
    namespaces = [{"name": "user", "kind": "lead"}, {"name": "deal", "kind": "deal"}]
    web = {
        "topics": ["web"],
        "format": "segment",
        "identifiers": {"userId": "user"},
        "fields": {"deal.stage": {"from": "stage"}, "deal.closed_at": {"from": "closed"}, "lead.status": {"from": "status"}},
    }
    return program(definition(text, **keys), identity={"namespaces": namespaces}, sources={"web": web})


LEADS = world()


def deal(at: float, stage: str, name: str = "A") -> Fact:
    return fact(at, deal=name, stage=stage)


def paths(facts: list[Fact], lived: Any = LEADS) -> dict[str, list[str]]:
    """The path of the lead (under "") and of each deal, the same in every order of arrival."""
    assert_any_order(lived, facts, START + DAY, 5)
    found: dict[str, list[str]] = {}
    for move in live(lived, *facts).moves:
        found.setdefault(move.deal.removeprefix("deal:"), []).append(line(move))
    return found


@pytest.mark.parametrize(
    ("rule", "facts", "lead"),
    [
        ("the furthest open deal", [deal(0, "open"), deal(1, "late", "B")], "0 advance ->open#1; 1 advance open>late#1"),
        ("a second one behind it moves nothing", [deal(0, "late"), deal(1, "open", "B")], "0 advance ->late#1 skipped open"),
        (
            "closing one closes no sibling",
            [deal(0, "late"), deal(1, "open", "B"), deal(2, "lost")],
            "0 advance ->late#1 skipped open; 2 regress late>open#1",
        ),
        (
            "won if any is, once none is open",
            [deal(0, "open"), deal(1, "open", "B"), deal(2, "won"), deal(3, "lost", "B")],
            "0 advance ->open#1; 3 outcome open>won#1 skipped late",
        ),
        (
            "else the latest outcome",
            [deal(0, "open"), deal(1, "open", "B"), deal(2, "lost"), deal(3, "void", "B")],
            "0 advance ->open#1; 3 outcome open>void#1",
        ),
        (
            "whatever their order in the file",
            [deal(0, "open"), deal(1, "open", "B"), deal(2, "void"), deal(3, "lost", "B")],
            "0 advance ->open#1; 3 outcome open>lost#1",
        ),
        (
            "a customer's new deal is no silent step back",
            [deal(0, "won"), deal(1, "open", "B")],
            "0 outcome ->won#1 skipped open,late; 1 reopen won>open#1 !customer",
        ),
        (
            "and when it is lost the customer is a customer",
            [deal(0, "won"), deal(1, "open", "B"), deal(2, "lost", "B")],
            "0 outcome ->won#1 skipped open,late; 1 reopen won>open#1 !customer; 2 outcome open>won#2 skipped late",
        ),
        (
            "a deal that nobody has moved yet keeps nothing open",
            [deal(0, "won"), deal(1, "unheard of", "B")],
            "0 outcome ->won#1 skipped open,late",
        ),
    ],
)
def test_rule_13_the_lead_stands_where_its_deals_take_it(rule: str, facts: list[Fact], lead: str) -> None:
    assert paths(facts)[""] == lead.split("; "), rule


def test_rule_13_each_deal_has_its_own_path() -> None:
    found = paths([deal(0, "open"), deal(1, "late", "B"), deal(2, "lost")])
    assert found["A"] == ["0 advance ->open#1", "2 outcome open>lost#1"]
    assert found["B"] == ["1 advance ->late#1 skipped open"]


def test_rule_13_what_happened_to_the_lead_counts_for_each_of_its_deals() -> None:
    found = paths([fact(0, "Ask"), deal(1, "open"), deal(2, "open", "B")])
    assert (found["A"], found["B"]) == (
        ["1 advance ->asked#1", "1 advance asked>open#1"],
        ["2 advance ->asked#1", "2 advance asked>open#1"],
    )


def test_rule_13_a_funnel_that_publishes_no_deals_rolls_them_up_all_the_same() -> None:
    assert paths([deal(0, "open"), deal(1, "late", "B")], world(also=[])) == {"": ["0 advance ->open#1", "1 advance open>late#1"]}


def test_rule_13_a_funnel_of_deals_has_no_position_of_the_lead() -> None:
    found = paths([deal(0, "open"), deal(1, "won", "B")], world(subject="deal", also=[]))
    assert found == {"A": ["0 advance ->open#1"], "B": ["1 outcome ->won#1 skipped open,late"]}


def test_rule_13_a_deal_without_a_lead_has_its_own_position_and_nobody_s_else() -> None:
    """Identity: it publishes under itself."""
    alone = [msgspec.structs.replace(deal(at, stage), entity="deal:A") for at, stage in ((0, "open"), (1, "late"))]
    assert paths(alone) == {"A": ["0 advance ->open#1", "1 advance open>late#1"]}


def test_rule_12_a_reopened_deal() -> None:
    facts = [deal(0, "open"), deal(1, "won"), deal(2, "open"), deal(3, "lost")]
    walked = ["0 advance ->open#1", "1 outcome open>won#1 skipped late", "2 reopen won>open#2", "3 outcome open>lost#1"]
    assert paths(facts) == {"": walked, "A": walked}


@pytest.mark.parametrize(
    ("facts", "lead"),
    [
        (
            [deal(0, "late"), deal(1, "open", "B"), fact(2, "delete", deal="A")],
            "0 advance ->late#1 skipped open; 2 withdraw late>open#1",
        ),
        ([deal(0, "late"), fact(2, "delete", deal="A")], "0 advance ->late#1 skipped open; 2 withdraw late>-"),
        (
            [deal(0, "late"), fact(2, "delete", deal="A"), fact(3, "restore", deal="A")],
            "0 advance ->late#1 skipped open; 2 withdraw late>-; 3 advance ->late#2 skipped open",
        ),
        ([deal(0, "open"), deal(1, "late", "B"), fact(2, "delete", deal="A")], "0 advance ->open#1; 1 advance open>late#1"),
        ([deal(0, "won"), fact(2, "delete", deal="A")], "0 outcome ->won#1 skipped open,late; 2 withdraw won>-"),
    ],
)
def test_rule_16_a_deleted_deal_is_withdrawn_and_nothing_else_is(facts: list[Fact], lead: str) -> None:
    """The position is recomputed from what remains; a restore reverses it."""
    assert paths(facts)[""] == lead.split("; ")


def test_rule_16_a_contact_s_deletion_takes_no_deal_with_it() -> None:
    """The CRM deletes a contact and keeps its deals."""
    found = paths([fact(0, "Ask"), deal(1, "open"), fact(2, "delete")])
    assert found["A"][-1] == "1 advance asked>open#1"
    assert found[""] == ["0 advance ->asked#1", "1 advance asked>open#1"]


def test_backward_ignore_does_not_ignore_a_roll_up() -> None:
    """Evaluation: a closed deal gives way to its siblings, whatever `backward` says of moves."""
    ignoring = world(policies={"skip": "allow", "backward": "ignore"})
    assert paths([deal(0, "late"), deal(1, "open", "B"), deal(2, "lost")], ignoring)[""][-1] == "2 regress late>open#1"
    assert paths([deal(0, "late"), deal(1, "open")], ignoring)[""] == ["0 advance ->late#1 skipped open"]
