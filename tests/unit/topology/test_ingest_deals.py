"""What is said of a deal reaches the lead that the record names; a record that names none is the deal's (rule 13)."""

from typing import Any

import pytest

from processors.topology.program import Program
from schemas.facts import Fact
from tests.unit.stages.notation import definition
from tests.unit.topology.ingested import IDENTITY, SOURCES, counted, demo, fact, facts, identify, ingest, letter, webhook
from tests.worlds import program

FUNNEL = """
stages:
  - {name: known, while: {lead.plan: {exists: true}}}
  - {name: asked, when: {event: Demo}}
  - {name: quoted, while: {deal.stage: {exists: true}}}
"""
DEALS_AND_LEADS: dict[str, Any] = {
    "web": {
        **SOURCES["web"],
        "identifiers": {**SOURCES["web"]["identifiers"], "properties.quote": "deal", "traits.quote": "deal"},
        "fields": {"lead.plan": {"from": "traits.plan"}, "deal.stage": {"from": "traits.quote_stage"}},
    },
    "crm": {**SOURCES["crm"], "fields": {}},
}


def build(**keys: Any) -> Program:
    authority = {"deal.stage": ["crm", "web"]}
    return program(definition(FUNNEL, **keys), identity=IDENTITY, sources=DEALS_AND_LEADS, authority=authority)


LEADS = build()


def said(body: Any, source: str = "web", world: Program = LEADS) -> Fact:
    return fact(body, source=source, world=world)


def deal(contacts: Any, **changes: Any) -> dict[str, Any]:
    """A whole deal as HubSpot's API gives it with its associations."""
    associations = {"contacts": {"results": [{"id": each, "type": "deal_to_contact"} for each in contacts]}}
    return {
        "id": "9",
        "properties": {"dealstage": "won"},
        "updatedAt": "2026-01-01T00:00:00Z",
        "associations": associations,
    } | changes


def test_rule_13_a_whole_deal_goes_to_its_contact() -> None:
    whole = said(deal(["151"]), "crm")
    assert (whole.entity, whole.deal, whole.values, whole.provenance) == (
        "contact:151",
        "deal:9",
        {"deal.stage": "won"},
        "snapshot",
    )


def test_rule_13_a_deleted_deal_is_that_deal_s_end_and_not_its_contact_s() -> None:
    gone = said(deal(["151"], archived=True), "crm")
    assert (gone.kind, gone.entity, gone.deal) == ("delete", "contact:151", "deal:9")
    assert said(webhook("contact.deletion"), "crm").deal == ""


def test_of_several_contacts_the_greatest_id_has_the_deal_whatever_their_order() -> None:
    """Identity, R10: the greatest target, so that two copies of one record agree."""
    assert {said(deal(order), "crm").entity for order in (["7", "8"], ["8", "7"])} == {"contact:8"}


def test_another_contact_is_another_record() -> None:
    one, other = (said(deal(contacts), "crm") for contacts in (["7"], ["8"]))
    assert one.id != other.id


@pytest.mark.parametrize(
    "associations", [None, {}, {"contacts": None}, {"companies": {"results": [{"id": "1"}]}}, {"contacts": {"results": []}}]
)
def test_a_deal_without_a_contact_is_its_own(associations: Any) -> None:
    """Which nobody reads where only leads are counted: a counted drop."""
    effects = ingest(deal([], associations=associations), source="crm", world=LEADS)
    assert (facts(effects), counted(effects)) == ([], [("dropped", "crm", "deal_unused")])


@pytest.mark.parametrize("associations", ["151", [], {"contacts": ["151"]}, {"contacts": {"results": "151"}}])
def test_associations_of_another_shape_are_a_dead_letter(associations: Any) -> None:
    _, headers = letter(ingest(deal([], associations=associations), source="crm", world=LEADS))
    assert headers["dead-letter-reason"] == "wrong_shape"


def test_a_contact_that_the_source_does_not_list_is_nobody() -> None:
    crm = {**DEALS_AND_LEADS["crm"], "identifiers": {"deal.objectId": "deal"}}
    world = program(definition(FUNNEL), identity=IDENTITY, sources={"crm": crm})
    assert counted(ingest(deal(["151"]), source="crm", world=world)) == [("dropped", "crm", "deal_unused")]


def test_an_event_that_names_a_deal_happened_to_both() -> None:
    asked = said(demo(properties={"quote": 9}))
    assert (asked.entity, asked.deal) == ("user:7", "deal:9")
    assert said(demo()).deal == ""


def test_an_event_of_a_visitor_that_names_a_deal_is_the_deal_s_where_visitors_are_not_counted() -> None:
    anonymous = demo(userId=None, anonymousId="a", properties={"quote": 9})
    assert counted(ingest(anonymous, world=LEADS)) == [("dropped", "web", "deal_unused")]
    visited = said(anonymous, world=build(subject="visitor"))
    assert (visited.entity, visited.deal) == ("anonymous:a", "deal:9")


def test_an_identify_that_carries_a_deal_is_a_fact_about_each() -> None:
    """Two facts with two ids: what is said of the deal is no value of the lead."""
    lead, its_deal, link = (
        identify(plan="pro", quote=9, quote_stage="sent"),
        ("deal:9", {"deal.stage": "sent"}),
        ("", {"lead.plan": "pro"}),
    )
    found = facts(ingest(lead, world=LEADS))
    assert [(each.entity, each.deal, each.values) for each in found] == [("user:7", *link), ("user:7", *its_deal)]
    assert len({each.id for each in found}) == 2


def test_an_identify_that_says_nothing_of_its_deal_is_about_the_lead_only() -> None:
    assert counted(ingest(identify(plan="pro", quote=9), world=LEADS)) == [("facts", "web", "change")]
    assert counted(ingest(identify(plan="pro", quote_stage="sent"), world=LEADS)) == [("facts", "web", "change")]


def test_a_deal_is_never_stronger_than_a_person() -> None:
    """Whatever the order of the namespaces: what is said of a lead is the lead's."""
    namespaces = sorted(IDENTITY["namespaces"], key=lambda one: one["kind"] != "deal")
    world = program(
        definition(FUNNEL),
        identity={**IDENTITY, "namespaces": namespaces},
        sources=DEALS_AND_LEADS,
        authority={"deal.stage": ["crm", "web"]},
    )
    assert said(identify(plan="pro", quote=9), world=world).entity == "user:7"
    assert said(demo(properties={"quote": 9}), world=world).entity == "user:7"


SHOP: dict[str, Any] = {
    "topics": ["shop"],
    "format": "mapping",
    "session": "visit",
    "mapping": {
        "explode": "batch[*]",
        "records": [
            {
                "where": {"is": "quote"},
                "change": "deal",
                "identifiers": {"no": "deal"},
                "attach": {"customer": "user"},
                "set": {"deal.stage": {"from": "step", "values": {"1": "sent"}, "unlisted": "dead_letter"}},
            },
            {"where": {"is": "void"}, "delete": "deal", "identifiers": {"no": "deal"}, "attach": {"customer": "user"}},
            {"where": {"is": "lost"}, "gap": "lead", "identifiers": {"customer": "user"}},
            {"where": {"is": "demo"}, "event": "Demo", "identifiers": {"customer": "user", "no": "deal"}},
        ],
    },
}
SOLD = program(definition(FUNNEL), identity=IDENTITY, sources={"shop": SHOP})


def test_rule_13_what_a_mapping_attaches_goes_to_its_lead() -> None:
    batch = [{"is": kind, "customer": 7, "no": 9, "step": 1} for kind in ("quote", "void", "lost", "demo")]
    effects = ingest({"batch": batch}, source="shop", world=SOLD)
    assert [(each.kind, each.entity, each.deal, each.values) for each in facts(effects)] == [
        ("change", "user:7", "deal:9", {"deal.stage": "sent"}),
        ("delete", "user:7", "deal:9", {}),
        ("gap", "user:7", "", {}),
        ("event", "user:7", "deal:9", {}),
    ]


def test_what_a_mapping_does_not_list_is_a_dead_letter_and_the_rest_is_not() -> None:
    batch = [{"is": "quote", "customer": 7, "no": 9, "step": step} for step in (1, 2)]
    effects = ingest({"batch": batch}, source="shop", world=SOLD)
    _, headers = letter(effects)
    assert (len(facts(effects)), headers["dead-letter-reason"]) == (1, "unlisted_value")
    assert "element 1: deal.stage is '2'" in headers["dead-letter-sentence"]


def test_a_record_of_no_shape_is_a_counted_drop() -> None:
    assert counted(ingest({"batch": [{"is": "other"}]}, source="shop", world=SOLD)) == [("dropped", "shop", "unmapped_object")]
