"""One record of a source becomes facts, counted drops or one dead letter, and nothing else (design, invariant 7)."""

import json
from typing import Any

import pytest

from schemas.facts import Coordinates, Fact
from schemas.instants import HOUR
from tests.unit.topology.ingested import (
    IDENTITY,
    PEOPLE,
    build,
    call,
    change,
    counted,
    demo,
    fact,
    facts,
    identify,
    ingest,
    letter,
    webhook,
)
from tests.worlds import START


def test_an_event_becomes_a_fact_of_what_definitions_read_of_it() -> None:
    properties = {"plan": "pro", "colour": "red", "nested": {"plan": "x"}}
    context = {"device": {"type": "mobile", "id": "d"}, "ip": "10.0.0.1"}
    said = fact(call(event="Signup", properties=properties, context=context), at=START + HOUR)
    assert said == Fact(
        kind="event",
        entity="user:7",
        occurred_at=START,
        source="web",
        id="m1",
        fingerprint=said.fingerprint,
        name="Signup",
        values={"event.properties.plan": "pro", "event.context.device.type": "mobile"},
        broker_time=START + HOUR,
        coordinates=Coordinates("web.topic", 3, 42),
    )


def test_a_change_becomes_a_fact_of_typed_canonical_values() -> None:
    said = fact(change("need", "TRUE", changeSource="CRM_UI"), source="crm")
    assert (said.kind, said.entity, said.values, said.change_source) == ("change", "contact:151", {"lead.need": True}, "CRM_UI")


def test_the_payload_s_own_order_and_kind_of_record_go_with_the_fact() -> None:
    """Rule 18: of a clear and a set at one instant the set stands last. Rule 21: a whole object is a snapshot."""
    orders = [fact(change("need", value), source="crm").source_order for value in ("", "true")]
    assert orders == sorted(orders)
    assert orders[0] != orders[1]
    whole = {"id": "151", "properties": {"need": "true", "email": "-"}, "updatedAt": "2026-01-01T00:00:00Z"}
    assert fact(whole, source="crm").provenance == "snapshot"


def test_facts_are_keyed_by_their_entity() -> None:
    """Source keys are not trustworthy (design, section 3)."""
    (published,) = ingest(demo(userId="ü")).published
    assert (published.topic, published.key) == ("facts", "user:ü".encode())


ATTACH = webhook("deal.associationChange", associationType="DEAL_TO_CONTACT", fromObjectId=1, toObjectId=2)


@pytest.mark.parametrize(
    ("why", "source", "body", "reason"),
    [
        ("a name that nothing reads", "web", call(event="Other"), "unmatched"),
        ("a name that is read, other values", "web", call(event="Signup", properties={"plan": "x"}), "unmatched"),
        ("a page that nothing reads", "web", call("page", name="home"), "unmatched"),
        ("a field that nothing reads", "web", identify(unread="x"), "unused"),
        ("a field that no source gives", "web", identify(colour="red"), "unused"),
        ("no fields at all", "web", identify(), "unused"),
        ("the field of another object", "crm", change("need", "true", subscriptionType="deal.propertyChange"), "unused"),
        ("a visitor where leads are counted", "web", demo(userId=None, anonymousId="a"), "visitor_unused"),
        ("a deal where leads are counted", "crm", webhook("deal.deletion"), "deal_unused"),
        ("a link", "web", call("alias", previousId="6"), "identity_unused"),
        ("a merge", "crm", webhook("contact.merge", primaryObjectId=1, mergedObjectIds=[2]), "identity_unused"),
        ("an attach", "crm", ATTACH, "attach_unused"),
        ("a type that no funnel knows", "crm", webhook("ticket.creation"), "unsupported_type"),
    ],
)
def test_what_no_definition_can_use_is_a_drop_with_its_reason(why: str, source: str, body: Any, reason: str) -> None:
    effects = ingest(body, source=source)
    assert (effects.published, counted(effects)) == ([], [("dropped", source, reason)]), why


def test_a_visitor_is_a_person_in_a_visitor_funnel() -> None:
    """Definitions, subject: visitor is a person, known or not."""
    assert fact(demo(userId=None, anonymousId="a"), world=PEOPLE).entity == "anonymous:a"
    assert fact(demo(anonymousId="a"), world=PEOPLE).entity == "user:7"


def test_an_identify_with_both_ids_is_a_change_and_a_link() -> None:
    """The link is a drop of its own until identities are linked."""
    effects = ingest({**identify(plan="pro"), "anonymousId": "a"})
    assert (len(facts(effects)), counted(effects)) == (1, [("facts", "web", "change"), ("dropped", "web", "identity_unused")])


@pytest.mark.parametrize(
    ("why", "body", "entity"),
    [
        ("the strongest", demo(anonymousId="a"), "user:7"),
        ("not one that the source may not assert (R14)", demo(traits={"crm": "151"}), "user:7"),
        ("not an ignored value", demo(userId="Staff", traits={"crm": "151"}), None),
        ("not one of the shipped list", demo(userId="undefined"), None),
        ("only what the source may not assert", demo(userId=None, traits={"crm": "151"}), None),
        ("none", demo(userId=None), None),
    ],
)
def test_whom_a_record_is_about(why: str, body: Any, entity: str | None) -> None:
    """Only a record without any usable identifier is a dead letter."""
    effects = ingest(body)
    if entity is not None:
        assert [said.entity for said in facts(effects)] == [entity], why
        return
    value, headers = letter(effects)
    assert (json.loads(value or b""), headers["dead-letter-reason"]) == (body, "no_identifier"), why


def test_an_email_never_enters_the_facts_message() -> None:
    """Of a namespace with `normalise: email` the published id and key are a keyed hash."""
    (published,) = ingest(demo(userId=None, traits={"email": "Jane@Example.com"})).published
    assert published.topic == "facts"
    assert published.key
    assert b"jane" not in (published.key + (published.value or b"")).lower()
    other = build(identity={**IDENTITY, "hash_key": "another-key-of-16"})
    assert ingest(demo(userId=None, traits={"email": "jane@example.com"})).published[0].key == published.key
    assert ingest(demo(userId=None, traits={"email": "jane@example.com"}), world=other).published[0].key != published.key


def test_without_an_id_the_fingerprint_stands_in() -> None:
    """Rule 20; transport fields make no other record."""
    first, again = (fact(demo(messageId=None, sentAt=f"2026-01-01T0{hour}:00:00Z"), at=START + hour) for hour in (1, 2))
    other = fact(demo(messageId=None, properties={"x": 1}))
    assert first.id == first.fingerprint.hex() == again.id != other.id


def test_without_a_time_the_broker_s_stands_in() -> None:
    assert fact(demo(timestamp=None), at=START + 5).occurred_at == START + 5


@pytest.mark.parametrize(
    ("said_at", "reason"),
    [
        ("2026-01-02T00:00:00Z", None),
        ("2026-01-02T00:00:00.001Z", "future_time"),
        ("1990-01-01T00:00:00Z", None),
        ("1989-12-31T23:59:59Z", "past_time"),
    ],
)
def test_rule_18_far_times_are_quarantined(said_at: str, reason: str | None) -> None:
    """limits.future after the record's Kafka time (a day), limits.past (1990): both bounds are allowed themselves."""
    effects = ingest(demo(timestamp=said_at))
    assert len(facts(effects)) == (reason is None)
    if reason is not None:
        _, headers = letter(effects)
        assert headers["dead-letter-reason"] == reason
        assert said_at.removesuffix("Z") in headers["dead-letter-sentence"]
