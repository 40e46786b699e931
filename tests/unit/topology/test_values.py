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
