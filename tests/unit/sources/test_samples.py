"""Every published payload of the two formats is accepted and says what it says (../shared/samples)."""

import json
from pathlib import Path
from typing import Any

import pytest

from processors.sources.statement import Statement
from schemas.instants import format_instant
from tests.shared_material import shared_files
from tests.unit.sources.records import decode

U, A = {"userId": "97980cfea0067"}, {"anonymousId": "507f191e810c19729de860ea"}
SHOP = {"userId": "019mr8mf4r"}
FEB, DEC = "2015-02-23T22:28:55.111Z", "2015-12-10T04:08:31.905Z"
DEAL = {"deal.objectId": "332507367156"}

# kind, identifiers, time, then the event's name, the properties or the target
EXPECTED: dict[str, list[tuple[str, dict[str, str], str | None, Any]]] = {
    "segment_alias.json": [("link", {"userId": "507f191e81"}, FEB, {"userId": "39239-239239-239239-23923"})],
    "segment_common_fields.json": [("event", A | U, DEC, "Report Submitted")],
    "segment_group.json": [
        (
            "change",
            A | U,
            FEB,
            {
                "traits.name": "Initech",
                "traits.industry": "Technology",
                "traits.employees": 329,
                "traits.plan": "enterprise",
                "traits.total billed": 830,
            },
        )
    ],
    "segment_identify.json": [
        (
            "change",
            A | U,
            FEB,
            {
                "traits.name": "Peter Gibbons",
                "traits.email": "peter@example.com",
                "traits.plan": "premium",
                "traits.logins": 5,
                "traits.address.street": "6th St",
                "traits.address.city": "San Francisco",
                "traits.address.state": "CA",
                "traits.address.postalCode": "94103",
                "traits.address.country": "USA",
            },
        ),
        ("link", U, FEB, A),
    ],
    "segment_page.json": [("event", A | U, FEB, "Page Viewed")],
    "segment_screen.json": [("event", U | {"anonymousId": "3a12eab0-bca7-11e4-8dfc-aa07a5b093db"}, FEB, "Screen Viewed")],
    "segment_semantic_account_deleted.json": [("event", SHOP, None, "Account Deleted")],
    "segment_semantic_order_completed.json": [("event", SHOP, None, "Order Completed")],
    "segment_semantic_signed_up.json": [("event", SHOP, None, "Signed Up")],
    "segment_semantic_trial_started.json": [("event", SHOP, None, "Trial Started")],
    "segment_track.json": [
        (
            "event",
            {"anonymousId": "23adfd82-aa0f-45a7-a756-24f2a7a4c895", "userId": "AiUGstSDIg"},
            "2015-12-12T19:11:01.249Z",
            "Course Clicked",
        )
    ],
    "rudderstack_kafka_track.json": [
        ("event", {"anonymousId": "anonymousId", "userId": "userId"}, "2019-07-18T15:00:00Z", "event")
    ],
    "hubspot_crm_object_contact_morf.json": [
        (
            "change",
            {"contact.objectId": "39580875173"},
            "2024-07-04T10:32:12Z",
            {"email": "john.smith@gmail.com", "firstname": "John", "lastname": "Smith"},
        )
    ],
    "hubspot_crm_object_deal.json": [
        (
            "change",
            {"deal.objectId": "999"},
            None,
            {
                "dealname": "S20 W1 dedupe deal",
                "dealstage": "qualifiedtobuy",
                "pipeline": "default",
                "hubspot_owner_id": "42",
                "amount": "10000.00",
                "closedate": "2026-11-15",
            },
        )
    ],
    "hubspot_webhook_contact_creation.json": [
        (
            "change",
            {"contact.objectId": "508369434347"},
            "2026-06-25T07:19:29.536Z",
            {"createdate": "2026-06-25T07:19:29.536Z"},
        )
    ],
    "hubspot_webhook_contact_deletion.json": [("delete", {"contact.objectId": "508369434347"}, "2026-06-25T07:19:30.538Z", {})],
    "hubspot_webhook_contact_merge.json": [
        ("link", {"contact.objectId": "200"}, "2024-05-07T02:46:40Z", {"contact.objectId": "100"}),
        ("link", {"contact.objectId": "300"}, "2024-05-07T02:46:40Z", {"contact.objectId": "100"}),
    ],
    "hubspot_webhook_contact_propertychange_batch.json": [
        ("change", {"contact.objectId": "1246965"}, "2016-05-02T19:11:47.945Z", {"lifecyclestage": "subscriber"})
    ],
    "hubspot_webhook_deal_lifecycle_batch.json": [
        ("change", DEAL, "2026-06-25T07:19:31.992Z", {"createdate": "2026-06-25T07:19:31.992Z"}),
        ("change", DEAL, "2026-06-25T07:19:32.438Z", {"amount": "2000"}),
        ("change", DEAL, "2026-06-25T07:19:32.793Z", {"dealstage": "qualifiedtobuy"}),
        ("delete", DEAL, "2026-06-25T07:19:33.155Z", {}),
    ],
    "hubspot_webhook_deal_propertychange_dealstage.json": [
        (
            "change",
            {"deal.objectId": "697680835"},
            "2019-04-24T08:30:37.139Z",
            {"dealstage": "1f4f1ec1-8174-49f3-a112-4eaa4748e38e"},
        )
    ],
}


@pytest.mark.parametrize("sample", shared_files("samples/segment_*.json") + shared_files("samples/rudderstack_*.json"))
def test_segment(sample: Path) -> None:
    assert summary("segment", sample) == EXPECTED[sample.name]


@pytest.mark.parametrize("sample", shared_files("samples/hubspot_*.json"))
def test_hubspot(sample: Path) -> None:
    assert summary("hubspot", sample) == EXPECTED[sample.name]


def summary(name: str, sample: Path) -> list[tuple[str, dict[str, str], str | None, Any]]:
    decoded = decode(name, json.loads(sample.read_text()))
    assert not decoded.faults
    return [(one.kind, dict(one.identifiers), _time(one), one.name or one.target or one.properties) for one in decoded.statements]


def _time(statement: Statement) -> str | None:
    return None if statement.occurred_at is None else format_instant(statement.occurred_at)
