"""What is known of a moment: values that numbers are split by, money, and how long stays took (rules 9, 26, 28)."""

from typing import Any

import pytest

from processors.stages.state import Spells
from schemas.facts import Fact, Value
from schemas.instants import HOUR
from tests.given_expect import assert_any_order
from tests.unit.stages.notation import STEPS, live, steps, world
from tests.worlds import START, fact

TOUCHED = """
conversions:
  - name: order
    description: Paid.
    when: {event: Order}
    value: {amount: event.properties.total, currency: event.properties.currency}
stages:
  - {name: seen, when: {event: Visit}}
  - {name: open, while: {lead.step: open}}
  - {name: bought, when: {conversion: order}}
policies: {skip: allow}
segments:
  first: {value: event.properties.via, rule: first_touch}
  last: {value: [event.properties.via, lead.plan], rule: last_touch}
  clicked: {value: event.properties.via, rule: last_touch, touch: {event: Click, event.properties.via: {exists: true}}}
  rep: {value: lead.owner, rule: at_entry}
  now: {value: lead.owner, rule: current}
value: {amount: lead.amount, currency: lead.currency}
"""


def visit(at: float, via: str | None = None) -> Fact:
    return fact(at, "Visit", via=via)


def captured(*facts: Fact) -> list[dict[str, str]]:
    """The segments of every move."""
    assert_any_order(world(TOUCHED), facts, START + 99 * HOUR, 5)
    return [move.segments for move in live(TOUCHED, *facts).moves]


@pytest.mark.parametrize(
    ("rule", "segment", "facts", "values"),
    [
        ("the first touch stays", "first", [visit(0, "ad"), visit(1, "mail"), fact(2, step="open")], ["ad", "ad"]),
        (
            "and has one bucket: none, where it says nothing",
            "first",
            [visit(0), visit(1, "mail"), fact(2, step="open")],
            ["(none)"] * 2,
        ),
        ("the last touch goes on", "last", [visit(0, "ad"), visit(1, "mail"), fact(2, step="open")], ["ad", "mail"]),
        ("the first field with a value", "last", [fact(0, plan="pro"), visit(1)], ["pro"]),
        (
            "an event that this funnel does not match is no touch",
            "first",
            [fact(0, "Other", via="ad"), visit(1, "mail")],
            ["mail"],
        ),
        (
            "where touches are named only they are",
            "clicked",
            [visit(0, "ad"), fact(1, "Click", via="mail"), fact(2, step="open")],
            ["(none)", "mail"],
        ),
        ("a touch must pass its test", "clicked", [fact(1, "Click", via=None), fact(2, step="open")], ["(none)"]),
        (
            "at entry: whose it was then",
            "rep",
            [fact(0, owner="kim"), visit(1), fact(2, owner="lee"), fact(3, step="open")],
            ["kim", "lee"],
        ),
        ("at the entry itself", "rep", [fact(1, owner="kim", step="open")], ["kim"]),
        ("missing is (none)", "rep", [visit(1)], ["(none)"]),
    ],
)
def test_rule_26_a_value_is_snapshotted_by_its_rule(rule: str, segment: str, facts: list[Fact], values: list[str]) -> None:
    """Reassignment does not rewrite the past: what was published keeps its values."""
    assert [each[segment] for each in captured(*facts)] == values, rule


def test_rules_19_and_26_an_earlier_touch_that_arrives_late_is_the_first() -> None:
    late = fact(0, "Visit", via="ad", late_by=9)
    assert captured(visit(1, "mail"), late)[-1]["first"] == "ad"


@pytest.mark.parametrize(
    ("amount", "currency", "value"),
    [
        ("1200.00", "EUR", ("1200.00", "EUR")),
        ("-3.50", "USD", ("-3.50", "USD")),
        ("0", "EUR", ("0", "EUR")),
        (None, "EUR", None),
        ("1200", None, None),
        ("1200", "euro", None),
        ("much", "EUR", None),
    ],
)
def test_rule_28_money_is_captured_at_each_entry(amount: Value, currency: Value, value: Any) -> None:
    """Decimal and ISO code; nothing where either is missing or none."""
    (move,) = live(TOUCHED, fact(1, step="open", amount=amount, currency=currency)).moves
    assert move.value == value


def test_rule_28_a_later_amount_changes_no_earlier_entry() -> None:
    facts = [visit(0), fact(1, amount="10", currency="EUR"), fact(2, step="open"), fact(3, amount="99")]
    assert [move.value for move in live(TOUCHED, *facts).moves] == [None, ("10", "EUR")]


def test_rule_28_a_conversion_has_the_money_of_its_event() -> None:
    (match,) = live(TOUCHED, fact(1, "Order", total="9.50", currency="EUR")).matches
    assert match.value == ("9.50", "EUR")
    (without,) = live(TOUCHED, fact(1, "Order", total="9.50")).matches
    assert without.value is None


def _at(hour: float) -> int:
    return START + round(hour * HOUR)


def spells(said: str) -> dict[str, Spells]:
    return live(STEPS, *steps(said)).state.walk.spells


def test_rule_9_stays_are_half_open_and_add_up() -> None:
    """a from 0 to 1 and from 3 to 4; b from 1 to 3 and since 4: its stay that is still open counts in no length."""
    assert spells("a b b a b") == {
        "a": Spells(2, _at(0), _at(3), closed=2, latest=HOUR, total=2 * HOUR),
        "b": Spells(2, _at(1), _at(4), closed=1, latest=2 * HOUR, total=2 * HOUR),
    }


def test_rule_9_the_first_stay_that_is_still_open_has_no_latest() -> None:
    assert spells("a a a") == {"a": Spells(1, _at(0), _at(0))}


def test_rules_9_and_11_an_outcome_ends_the_stay() -> None:
    assert spells("a a won")["a"] == Spells(1, _at(0), _at(0), closed=1, latest=2 * HOUR, total=2 * HOUR)


def test_rule_9_a_stage_entered_and_left_at_one_time_took_no_time() -> None:
    """Rule 22: two states true together; a length of nothing, which medians leave out."""
    both = "stages: [{name: sal, while: {lead.step: {exists: true}}}, {name: sql, while: {lead.step: sales}}]"
    assert live(both, fact(1, step="sales")).state.walk.spells["sal"] == Spells(1, _at(1), _at(1), closed=1, latest=0, total=0)
