"""What HubSpot's webhook events and CRM objects state; in arrays, each element for itself."""

import json
from typing import Any

import pytest

from processors.sources.hubspot import HubSpotDecoder
from processors.sources.statement import Statement, Undecodable
from schemas.instants import parse_instant
from tests.unit.sources.records import IDENTIFIERS, decode, record


def event(subscription: str, **fields: Any) -> dict[str, Any]:
    return {"subscriptionType": subscription, "portalId": 33, "objectId": 151, "occurredAt": 1462216307945, **fields}


def only(body: object) -> Statement:
    (statement,) = decode("hubspot", body).statements
    return statement


def refusal(body: object) -> Undecodable:
    with pytest.raises(Undecodable) as refused:
        decode("hubspot", body)
    return refused.value


@pytest.mark.parametrize(
    ("action", "kind"),
    [("creation", "change"), ("deletion", "delete"), ("restore", "restore"), ("privacyDeletion", "erase")],
)
@pytest.mark.parametrize(
    ("crm", "type_id", "about"), [("contact", "0-1", "lead"), ("company", "0-2", "account"), ("deal", "0-3", "deal")]
)
def test_actions_on_objects(action: str, kind: str, crm: str, type_id: str, about: str) -> None:
    statement = only(event(f"{crm}.{action}"))
    assert (statement.kind, statement.about, statement.identifiers) == (kind, about, {f"{crm}.objectId": "151"})
    assert only(event(f"object.{action}", objectTypeId=type_id)) == statement


def test_a_property_change_says_who_changed_it() -> None:
    body = event("contact.propertyChange", propertyName="lifecyclestage", propertyValue="lead", changeSource="CRM_UI")
    change = only(body)
    assert (change.kind, change.properties, change.change_source) == ("change", {"lifecyclestage": "lead"}, "CRM_UI")
    assert (change.occurred_at, change.provenance) == (parse_instant("2016-05-02T19:11:47.945Z"), "live")
    assert change.id == change.fingerprint.hex()
    older = {name: value for name, value in body.items() if name != "subscriptionType"} | {"eventType": "contact.propertyChange"}
    assert only(older) == change


def test_an_import_is_a_backfill() -> None:
    """Rule 30: marked, so that alerts can leave it out; who changed it is kept all the same."""
    body = event("contact.propertyChange", propertyName="lifecyclestage", propertyValue="lead")
    imported, by_hand = only(body | {"changeSource": "IMPORT"}), only(body | {"changeSource": "CRM_UI"})
    assert (imported.provenance, imported.change_source, by_hand.provenance) == ("backfill", "IMPORT", "live")


@pytest.mark.parametrize("cleared", ["", None])
def test_a_stage_set_at_the_instant_of_its_clear_stands_last(cleared: str | None) -> None:
    """Whatever the hashes: an order by id alone would leave a lead without a stage, by chance."""
    moved = {"propertyName": "lifecyclestage"}
    created = only(event("contact.creation"))
    for stage in ("lead", "customer", "1", "2", "3", "4"):
        clear = only(event("contact.propertyChange", **moved, propertyValue=cleared))
        put = only(event("contact.propertyChange", **moved, propertyValue=stage))
        assert max((clear, put, created), key=lambda one: (one.source_order, one.id)) is put


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        (1462216307945, "2016-05-02T19:11:47.945Z"),
        ("1462216307945", "2016-05-02T19:11:47.945Z"),
        (1.462216307945e12, "2016-05-02T19:11:47.945Z"),
        ("2016-05-02T19:11:47.945Z", "2016-05-02T19:11:47.945Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (None, None),
        ("", None),
    ],
)
def test_when_it_happened(sent: object, taken: str | None) -> None:
    assert only(event("contact.deletion", occurredAt=sent)).occurred_at == (None if taken is None else parse_instant(taken))


@pytest.mark.parametrize("time", [True, 1e300, 10**40, -(10**17), "soon", [], 0.5])
def test_a_time_that_is_none_is_refused(time: object) -> None:
    assert refusal(event("contact.deletion", occurredAt=time)).reason == "wrong_time"


def test_a_merge_links_every_loser_to_the_survivor() -> None:
    merge = event("contact.merge", objectId=100, primaryObjectId=100, mergedObjectIds=[200, 300, 200], newObjectId=None)
    assert [(one.identifiers["contact.objectId"], one.target) for one in decode("hubspot", merge).statements] == [
        ("200", {"contact.objectId": "100"}),
        ("300", {"contact.objectId": "100"}),
    ]
    created = decode("hubspot", merge | {"newObjectId": 400}).statements
    assert {one.identifiers["contact.objectId"] for one in created} == {"100", "200", "300"}
    assert {one.target["contact.objectId"] for one in created} == {"400"}


def test_the_links_of_a_merge_are_in_a_fixed_order() -> None:
    """Not in the order of a set, which is another in every process."""
    merged = [str(number) for number in range(200, 240)]
    merge = event("contact.merge", primaryObjectId=100, mergedObjectIds=merged[::-1])
    assert [one.identifiers["contact.objectId"] for one in decode("hubspot", merge).statements] == merged


@pytest.mark.parametrize(
    "body",
    [
        event("contact.propertyChange", propertyName="plan"),
        event("contact.propertyChange", propertyName="", propertyValue="pro"),
        event("contact.propertyChange", propertyName="plan", propertyValue={"tier": "pro"}),
        event("contact.propertyChange", propertyName="plan", propertyValue=["pro"]),
        event("contact.merge", primaryObjectId=100, mergedObjectIds="200"),
        event("contact.merge", primaryObjectId=None, mergedObjectIds=[200]),
        event("deal.associationChange", fromObjectId=7, toObjectId=151),
        {"subscriptionType": ["contact.creation"], "objectId": 151},
        {"id": "9", "properties": ["email"]},
        "contact.creation",
    ],
)
def test_other_shapes_are_refused(body: object) -> None:
    assert refusal(body).reason == "wrong_shape"


@pytest.mark.parametrize(
    "body",
    [
        event("contact.deletion", objectId=None),
        event("contact.merge", primaryObjectId=100, mergedObjectIds=[100, None]),
        {"subscriptionType": "deal.associationChange", "associationType": "DEAL_TO_CONTACT", "fromObjectId": 7},
    ],
)
def test_what_is_about_nobody_is_refused(body: object) -> None:
    assert refusal(body).reason == "no_identifier"


def association(kind: str, first: int, second: int, **fields: Any) -> dict[str, Any]:
    ends = {"associationType": kind, "fromObjectId": first, "toObjectId": second, "associationRemoved": False}
    return (
        {"subscriptionType": f"{kind.split('_', maxsplit=1)[0].lower()}.associationChange", "portalId": 33, "occurredAt": 5}
        | ends
        | fields
    )


def test_both_sides_of_an_association_are_one_attach() -> None:
    attach = only(association("DEAL_TO_CONTACT", 7, 151))
    assert (attach.kind, attach.about) == ("attach", "deal")
    assert (attach.identifiers, attach.target) == ({"deal.objectId": "7"}, {"contact.objectId": "151"})
    assert only(association("CONTACT_TO_DEAL", 151, 7)) == attach
    typed = {
        "fromObjectTypeId": "0-1",
        "toObjectTypeId": "0-3",
        "associationType": None,
        "subscriptionType": "object.associationChange",
    }
    assert only(association("CONTACT_TO_DEAL", 151, 7) | typed) == attach


def test_a_removed_association_detaches_and_says_from_whom() -> None:
    detach = only(association("DEAL_TO_CONTACT", 7, 151, associationRemoved=True))
    assert (detach.kind, detach.target, detach.properties) == ("attach", {}, {"contact.objectId": "151"})
    assert detach.id != only(association("DEAL_TO_CONTACT", 7, 151)).id


@pytest.mark.parametrize(
    ("body", "unused"),
    [
        (event("ticket.creation"), "unsupported_type"),
        (event("contact.somethingNew", occurredAt="soon"), "unsupported_type"),
        (event("object.creation", objectTypeId="0-5"), "unsupported_type"),
        (association("DEAL_TO_COMPANY", 1, 2), "unsupported_type"),
        ([event("ticket.creation"), event("conversation.creation")], "unsupported_type"),
    ],
)
def test_types_that_no_funnel_knows_are_counted_drops(body: object, unused: str) -> None:
    decoded = decode("hubspot", body)
    assert (decoded.unused, len(decoded.statements), len(decoded.faults)) == (unused, 0, 0)


def test_objects_that_the_source_does_not_map_are_counted_drops() -> None:
    contacts_only = HubSpotDecoder(["contact.objectId"])
    by_email = HubSpotDecoder(["contact.properties.email", "deal.objectId"])
    merge = event("contact.merge", primaryObjectId=1, mergedObjectIds=[2])
    assert by_email.decode(record(json.dumps(merge).encode())).unused == "unmapped_object"
    for body in (event("deal.creation"), {"id": "1", "properties": {"dealstage": "x"}}, association("DEAL_TO_CONTACT", 7, 151)):
        assert contacts_only.decode(record(json.dumps(body).encode())).unused == "unmapped_object"


def test_a_bad_element_leaves_the_others_alone() -> None:
    bad = event("contact.propertyChange")
    decoded = decode(
        "hubspot", [event("contact.deletion"), bad, event("ticket.creation"), 7, event("deal.deletion", objectId=" ")]
    )
    assert [statement.kind for statement in decoded.statements] == ["delete"]
    assert [(index, fault.reason) for index, fault in decoded.faults] == [
        (1, "wrong_shape"),
        (3, "wrong_shape"),
        (4, "no_identifier"),
    ]


def test_an_array_without_a_usable_element_is_refused_for_its_first() -> None:
    assert refusal([]).reason == "empty"
    refused = refusal([event("ticket.creation"), event("contact.deletion", objectId=None), 7])
    assert refused.reason == "no_identifier"
    assert "Element 1" in refused.sentence
    assert "contact.objectId" in refused.sentence


@pytest.mark.parametrize(
    ("properties", "about"),
    [
        ({"dealstage": "won", "email": "x"}, "deal"),
        ({"domain": "b.example", "lifecyclestage": "lead"}, "account"),
        ({"domain": "b.example", "email": None}, "lead"),
        ({"lifecyclestage": "lead"}, "lead"),
    ],
)
def test_an_object_is_told_by_its_properties(properties: dict[str, Any], about: str) -> None:
    snapshot = only({"id": "9", "properties": properties})
    assert (snapshot.about, snapshot.provenance, snapshot.properties, snapshot.id) == (about, "snapshot", properties, None)
    named = only({"id": 9, "objectTypeId": "0-2", "properties": properties})
    assert named.about == "account"


def test_an_object_that_says_nothing_of_itself_is_refused_with_the_mend() -> None:
    refused = refusal({"id": "9", "properties": {"name": "Initech"}})
    assert refused.reason == "wrong_shape"
    assert "objectTypeId" in refused.sentence


def test_an_archived_object_is_deleted_when_it_was_archived() -> None:
    body = {"id": "9", "properties": {"email": "a@b.example"}, "archived": True, "updatedAt": "2026-01-01T00:00:00Z"}
    assert (only(body).kind, only(body).properties) == ("delete", {})
    assert only(body).occurred_at == parse_instant("2026-01-01")
    assert only(body | {"archived_at": "2026-01-02T00:00:00Z"}).occurred_at == parse_instant("2026-01-02")


def test_a_property_can_be_an_identifier() -> None:
    by_email = HubSpotDecoder([*IDENTIFIERS["hubspot"], "contact.properties.email"])
    bodies = (
        {"id": "9", "properties": {"email": " a@b.example", "tags": ["x"]}},
        event("contact.propertyChange", objectId=9, propertyName="email", propertyValue="a@b.example"),
    )
    for body in bodies:
        (statement,) = by_email.decode(record(json.dumps(body).encode())).statements
        assert statement.identifiers == {"contact.objectId": "9", "contact.properties.email": "a@b.example"}
        assert "tags" not in statement.properties
