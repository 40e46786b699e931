"""Records of any shape, read as the source's mapping says (definitions, Application configuration)."""

import json
from typing import Any

import pytest

from processors.sources.mapping import MappingDecoder
from processors.sources.statement import Decoded, Statement, Undecodable
from schemas.instants import parse_instant
from schemas.mapping import RecordMapping
from tests.unit.sources.records import SHOP, decode, record

PAID = {"entry": 1, "kind": "paid", "customer": 7, "sum": "9.50", "at": 1767225600000}
QUOTE = {"kind": "quote", "customer": 7, "number": 9, "step": "sent", "at": 1767225600000}


def decoded(body: Any, session: str | None = None, used: frozenset[str] | None = None, **changes: Any) -> Decoded:
    mapping = RecordMapping.model_validate({**SHOP, **changes})
    return MappingDecoder(mapping, used, session).decode(record(json.dumps(body).encode()))


def only(body: Any, **changes: Any) -> Statement:
    (statement,) = decoded(body, **changes).statements
    return statement


def refusal(body: Any, **changes: Any) -> Undecodable:
    with pytest.raises(Undecodable) as refused:
        decoded(body, **changes)
    return refused.value


def shape(**keys: Any) -> list[dict[str, Any]]:
    return [{"identifiers": {"customer": "user"}, **keys}]


def test_an_event() -> None:
    paid = only(PAID)
    assert (paid.kind, paid.name, paid.identifiers) == ("event", "Order Paid", {"user": "7"})
    assert (paid.event, paid.properties) == ({"properties": {"revenue": "9.50"}}, {})
    assert (paid.id, paid.occurred_at, paid.provenance) == ("1", parse_instant("2026-01-01"), "live")


def test_a_change_of_a_deal_names_the_deal_and_its_lead() -> None:
    """Rule 13: `attach` in the same record gives the lead."""
    quote = only(QUOTE)
    assert (quote.kind, quote.about, quote.properties) == ("change", "deal", {"deal.stage": "sent"})
    assert quote.identifiers == {"quote": "9", "user": "7"}
    assert only({**QUOTE, "customer": None}).identifiers == {"quote": "9"}
    assert only({**QUOTE, "kind": "void"}).kind == "delete"


@pytest.mark.parametrize(("key", "kind"), [("delete", "delete"), ("restore", "restore"), ("gap", "gap"), ("change", "change")])
@pytest.mark.parametrize("grain", ["lead", "deal", "account"])
def test_what_a_record_says_and_about_what(key: str, kind: str, grain: str) -> None:
    said = only(PAID, records=shape(**{key: grain}))
    assert (said.kind, said.about, said.name) == (kind, grain, "")


@pytest.mark.parametrize(
    ("body", "properties"),
    [
        ({"step": None}, {"deal.stage": None}),
        ({}, {}),
        ({"step": {"name": "sent"}}, {}),
        ({"step": ["sent"]}, {}),
        ({"step": 3}, {"deal.stage": 3}),
    ],
)
def test_a_missing_key_says_nothing_and_null_that_a_field_is_missing(body: dict[str, Any], properties: dict[str, Any]) -> None:
    """A record that carries only what changed must not clear the rest."""
    rest = {key: value for key, value in QUOTE.items() if key != "step"}
    assert only(rest | body).properties == properties


@pytest.mark.parametrize(
    ("where", "body", "fits"),
    [
        ({}, {}, True),
        ({"a": 1}, {"a": 1.0}, True),
        ({"a": 1}, {"a": True}, False),
        ({"a": True}, {"a": True}, True),
        ({"a": True}, {"a": 1}, False),
        ({"a": "1"}, {"a": 1}, False),
        ({"a": ["x", "y"]}, {"a": "y"}, True),
        ({"a": ["x", "y"]}, {"a": ["y"]}, False),
        ({"a.b": "x"}, {"a": {"b": "x"}}, True),
        ({"a.b": "x"}, {"a": "x"}, False),
        ({"a": "x", "b": "y"}, {"a": "x"}, False),
        ({"a": "x", "b": "y"}, {"a": "x", "b": "y"}, True),
    ],
)
def test_where_tells_records_apart(where: dict[str, Any], body: dict[str, Any], fits: bool) -> None:
    """Equal as JSON: a number is no text and no truth; objects and lists are equal to nothing."""
    told = decoded({**body, "customer": 7}, records=shape(where=where, event="E"))
    assert (len(told.statements), told.unused) == ((1, None) if fits else (0, "unmapped_object"))


def test_the_first_shape_that_fits_says_what_a_record_is() -> None:
    records = [*shape(where={"kind": "paid"}, event="First"), *shape(event="Second")]
    assert [only({**PAID, "kind": kind}, records=records).name for kind in ("paid", "other")] == ["First", "Second"]


def test_an_event_that_no_definition_uses_is_dropped() -> None:
    assert decoded(PAID, used=frozenset({"Other"})).unused == "unmatched"
    assert decoded(QUOTE, used=frozenset()).statements


def test_of_two_identifiers_of_one_namespace_the_first_with_a_value_counts() -> None:
    records = [{"event": "E", "identifiers": {"buyer.id": "user", "customer": "user"}}]
    assert only({"buyer": {"id": 8}, "customer": 7}, records=records).identifiers == {"user": "8"}
    assert only({"buyer": {}, "customer": 7}, records=records).identifiers == {"user": "7"}


def test_one_path_may_be_a_customer_s_and_a_deal_s() -> None:
    records = [
        {"where": {"kind": "customer"}, "change": "lead", "identifiers": {"id": "user"}},
        {"where": {"kind": "quote"}, "change": "deal", "identifiers": {"id": "quote"}},
    ]
    assert [only({"kind": kind, "id": 7}, records=records).identifiers for kind in ("customer", "quote")] == [
        {"user": "7"},
        {"quote": "7"},
    ]


@pytest.mark.parametrize(
    ("unit", "sent", "taken"),
    [
        ("ms", 1767225600000, "2026-01-01"),
        ("ms", "1767225600000", "2026-01-01"),
        ("s", 1767225600, "2026-01-01"),
        ("s", 1767225600.25, "2026-01-01T00:00:00.25Z"),
        ("us", 1767225600000000, "2026-01-01"),
        ("ns", 1767225600000000999, "2026-01-01"),
        ("ns", "1767225600000000999", "2026-01-01"),
        ("s", "2026-01-01T00:00:00Z", "2026-01-01"),
        ("s", None, None),
        ("s", "", None),
    ],
)
def test_when_it_happened(unit: str, sent: Any, taken: str | None) -> None:
    occurred_at = only({**PAID, "at": sent}, time={"path": "at", "unit": unit}).occurred_at
    assert occurred_at == (None if taken is None else parse_instant(taken))


@pytest.mark.parametrize("sent", [True, 1e300, 10**40, "soon", [], {}, 0.5])
def test_a_time_that_is_none_is_refused(sent: Any) -> None:
    assert refusal({**PAID, "at": sent}).reason == "wrong_time"


def test_without_a_time_the_broker_s_stands_in() -> None:
    assert only(PAID, time=None).occurred_at is None
    assert only({key: value for key, value in PAID.items() if key != "at"}).occurred_at is None


def test_without_an_id_the_whole_content_is_it() -> None:
    """Rule 20: two orders over one amount are two; with an id two copies agree in what is taken of them."""
    one, other = ({**PAID, "entry": None, "order": number} for number in (1, 2))
    assert only(one).id is None
    assert only(one).fingerprint != only(other).fingerprint
    assert only({**PAID, "attempt": 1}) == only({**PAID, "attempt": 2})


def test_the_session_of_an_event() -> None:
    assert only({**PAID, "visit": {"id": "s1"}}, session="visit.id").event["session_id"] == "s1"
    assert "session_id" not in only(PAID, session="visit.id").event


def test_a_whole_object_is_a_snapshot() -> None:
    """Rule 21."""
    assert only(PAID, records=shape(change="lead", set={"lead.plan": "plan"}, snapshot=True)).provenance == "snapshot"


def test_an_import_is_a_backfill() -> None:
    """Rules 19 and 30."""
    assert only(PAID, records=shape(event="E", backfill=True)).provenance == "backfill"


@pytest.mark.parametrize(
    ("explode", "body"),
    [
        ("[*]", [PAID, QUOTE]),
        ("batch[*]", {"batch": [PAID, QUOTE], "sent": 1}),
        ("data.batch[*]", {"data": {"batch": [PAID, QUOTE]}}),
        ("pages[*].rows[*]", {"pages": [{"rows": [PAID]}, {"rows": []}, {"rows": [QUOTE]}]}),
        ("[*].rows[*]", [{"rows": [PAID, QUOTE]}]),
    ],
)
def test_every_element_of_a_list_is_a_record(explode: str, body: Any) -> None:
    found = decoded(body, explode=explode).statements
    assert [(statement.kind, statement.element) for statement in found] == [("event", 0), ("change", 1)]


@pytest.mark.parametrize("explode", ["pages[*][*]", "pages", "[*].rows", ".rows[*]", "pages[0].rows[*]", ""])
def test_what_leads_to_no_elements_is_refused(explode: str) -> None:
    with pytest.raises(ValueError, match="leads to no elements"):
        RecordMapping.model_validate({**SHOP, "explode": explode})


def test_a_bad_element_leaves_the_others_alone() -> None:
    mixed = decoded([7, PAID, {"kind": "paid"}, {"kind": "other"}, {**QUOTE, "at": "soon"}], explode="[*]")
    assert [statement.element for statement in mixed.statements] == [1]
    assert [(index, fault.reason) for index, fault in mixed.faults] == [
        (0, "wrong_shape"),
        (2, "no_identifier"),
        (4, "wrong_time"),
    ]


@pytest.mark.parametrize(
    ("body", "reason", "says"),
    [
        ({}, "wrong_shape", "batch[*] is missing, not a list"),
        ({"batch": {"a": 1}}, "wrong_shape", 'batch[*] is {"a":1}, not a list'),
        ({"batch": []}, "empty", "no elements"),
        ({"batch": [{"kind": "paid"}]}, "no_identifier", "Element 0: The record has no usable value at any of its identifiers"),
    ],
)
def test_what_cannot_be_exploded_is_refused(body: Any, reason: str, says: str) -> None:
    refused = refusal(body, explode="batch[*]")
    assert refused.reason == reason
    assert says in refused.sentence


def test_nobody_is_named_by_paths() -> None:
    assert "(number, customer)" in refusal({"kind": "quote", "step": "x"}).sentence
    assert decode("mapping", {"kind": "other"}).unused == "unmapped_object"
