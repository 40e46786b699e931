"""Which values a fact carries: mapped, typed, found at their path (definitions, Operators and fields)."""

from typing import Any

import pytest

from tests.unit.topology.ingested import FUNNEL, SOURCES, build, call, change, counted, fact, facts, identify, ingest, letter


@pytest.mark.parametrize(
    ("unlisted", "sent", "value"),
    [
        ("dead_letter", "2", "hot"),
        ("dead_letter", True, "cold"),
        ("keep", "9", "9"),
        ("missing", "9", None),
        ("dead_letter", "", None),
        ("dead_letter", None, None),
        ("keep", "", None),
    ],
)
def test_a_value_that_is_not_listed(unlisted: str, sent: Any, value: str | None) -> None:
    """Definitions, fields: dead_letter, keep or missing; a missing value is no unlisted one."""
    fields = {**SOURCES["crm"]["fields"], "lead.status": {**SOURCES["crm"]["fields"]["lead.status"], "unlisted": unlisted}}
    world = build(sources={**SOURCES, "crm": {**SOURCES["crm"], "fields": fields}})
    assert fact(change("status", sent), source="crm", world=world).values == {"lead.status": value}


def test_an_unlisted_value_is_a_dead_letter_that_names_it() -> None:
    effects = ingest(change("status", "9"), source="crm")
    _, headers = letter(effects)
    assert headers["dead-letter-reason"] == "unlisted_value"
    assert all(word in headers["dead-letter-sentence"] for word in ("status", "'9'", "lead.status"))


@pytest.mark.parametrize("sent", ["many", True, "1e999"])
def test_a_value_of_another_type_is_missing_and_counted(sent: Any) -> None:
    effects = ingest(identify(score=sent, plan="pro"))
    (said,) = facts(effects)
    assert said.values == {"lead.score": None, "lead.plan": "pro"}
    assert counted(effects) == [("unconvertible", "web", "lead.score"), ("facts", "web", "change")]


@pytest.mark.parametrize("number", [2**63 - 1, 2**64 - 1, 2**64, -(2**63) - 1, 10**400])
def test_whole_numbers_of_any_size_are_values(number: int) -> None:
    """JSON has no largest number; a record that has one must not stop the worker."""
    assert str(fact(identify(score=number)).values["lead.score"]) == str(number)
    world = build(FUNNEL.replace("event.properties.plan: [pro, team]", "event.properties.plan: {above: 5}"))
    said = call(event="Signup", properties={"plan": number}, context={"device": {"type": "x"}})
    assert len(facts(ingest(said, world=world))) == (number > 0)


@pytest.mark.parametrize(
    ("event", "keys", "value"),
    [
        ({"properties": {"a": {"b": 1}}}, "properties.a.b", 1),
        ({"properties": {"a.b": 1}}, "properties.a.b", 1),
        ({"properties": {"a": {"b.c": 1}}}, "properties.a.b.c", 1),
        ({"properties": {"a": [1]}}, "properties.a", None),
        ({"properties": {"a": {"b": 1}}}, "properties.a", None),
        ({"properties": {"a": "text"}}, "properties.a.b", None),
        ({"properties": {}}, "properties.a", None),
        ({"properties": {"a": False}}, "properties.a", False),
        ({"properties": {"a": None}}, "properties.a", None),
    ],
)
def test_a_path_finds_a_scalar(event: dict[str, Any], keys: str, value: Any) -> None:
    """Objects and lists are no values; a key with a dot in it is found too."""
    world = build(f"stages: [{{name: a, when: {{event: Signup, event.{keys}: {{exists: {str(value is not None).lower()}}}}}}}]")
    assert fact(call(event="Signup", **event), world=world).values.get(f"event.{keys}") == value


TERRITORY = "stages: [{name: a, while: {account.territory: north}}]"


@pytest.mark.parametrize("body", [identify(territory="north"), call("group", traits={"territory": "north"})])
def test_an_account_s_field_is_what_the_member_s_own_records_carry(body: Any) -> None:
    """Definitions, Event fields: mapped by `fields`, of an identify as well as of a group call."""
    web = {**SOURCES["web"], "fields": {"account.territory": {"from": "traits.territory"}}}
    said = fact(body, world=build(TERRITORY, sources={"web": web}, authority={}))
    assert (said.entity, said.values) == ("user:7", {"account.territory": "north"})


CAPTURING = """
conversions:
  - name: order
    description: Paid.
    when: {event: Order}
    count: once_per_session
    value: {amount: event.properties.total, currency: event.properties.currency}
stages: [{name: a, when: {event: Order, event.properties.state: paid}}, {name: b, while: {lead.status: open}}]
segments:
  country: {value: [event.context.country, lead.score], rule: first_touch, touch: {event: Visit, event.page: {exists: true}}}
"""


def test_what_is_captured_goes_with_the_event() -> None:
    """Rules 3, 26 and 28: the session that is counted once, the values of segments, the amount; no signal tests any of them."""
    properties = {"total": "9.50", "currency": "EUR", "colour": "red"}
    context = {"country": "no", "sessionId": "s1", "ip": "10.0.0.1"}
    said = fact(call(event="Order", properties=properties, context=context), world=build(CAPTURING))
    assert said.values == {
        "event.properties.total": "9.50",
        "event.properties.currency": "EUR",
        "event.session_id": "s1",
        "event.context.country": "no",
    }


def test_a_touch_is_a_use_like_any() -> None:
    """Rule 26: what only a segment's touch matches is no unmatched event; what not even that matches is one."""
    world = build(CAPTURING.replace("event.page: {exists: true}", "event.properties.path: {exists: true}"))
    assert counted(ingest(call(event="Visit"), world=world)) == [("dropped", "web", "unmatched")]
    touching = call(event="Visit", properties={"path": "/"}, context={"country": "no"})
    said = fact(touching, world=world)
    assert said.values == {"event.properties.path": "/", "event.context.country": "no"}
    assert world.funnels_folding(said)


def test_a_captured_field_is_a_field_that_is_read() -> None:
    """Rules 26 and 28: a segment's field and an amount are kept although no rule tests them."""
    assert fact(identify(score=3), world=build(CAPTURING)).values == {"lead.score": 3}
    money = "stages: [{name: a, while: {lead.status: x}}]\nvalue: {amount: lead.score, currency: lead.plan}"
    assert fact(identify(score=3, plan="EUR"), world=build(money)).values == {"lead.score": 3, "lead.plan": "EUR"}
