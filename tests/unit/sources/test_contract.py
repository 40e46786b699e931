"""The contract that every decoder keeps (`processors.sources.statement.Decoder`), shown by examples of each format."""

import json
from typing import Any, NamedTuple

import pytest

from processors.sources import FORMATS, decoder_for
from processors.sources.statement import Undecodable
from schemas.mapping import RecordMapping
from tests.unit.sources.records import SHOP, decoder, outcome, record


class Example(NamedTuple):
    format: str
    body: dict[str, Any]
    transport: dict[str, Any]
    """Fields of delivery that another copy may carry."""
    content: list[dict[str, Any]]
    """Changes that make it say something else."""


CALL = {"userId": "u-1", "anonymousId": "a-1", "originalTimestamp": "2026-01-01T09:59:58Z", "timestamp": "2026-01-01T10:00:00Z"}
ENVELOPE = {"sentAt": "2026-01-01T10:00:09Z", "receivedAt": "2026-01-01T10:00:10Z", "integrations": {"All": True}, "version": 2}
EVENT = {"portalId": 33, "objectId": 151, "occurredAt": 1462216307945, "changeSource": "CRM_UI"}
DELIVERY = {"attemptNumber": 3, "eventId": 7, "subscriptionId": 8, "appId": 9, "sourceId": "userId:1"}

EXAMPLES = [
    Example(
        "segment",
        {"type": "track", "event": "Signed Up", "properties": {"plan": "pro", "seats": [1, 2]}, **CALL},
        ENVELOPE | {"channel": "browser", "_metadata": {"retries": 1}, "request_ip": "10.0.0.1"},
        [
            {"event": "Signed In"},
            {"properties": {"plan": "free"}},
            {"userId": "u-2"},
            {"originalTimestamp": "2026-01-01T09:00:00Z"},
        ],
    ),
    Example("segment", {"type": "page", "name": "Home", **CALL}, ENVELOPE, [{"name": "Pricing"}, {"type": "screen"}]),
    Example("segment", {"type": "identify", "traits": {"plan": "pro"}, **CALL}, ENVELOPE, [{"traits": {}}, {"type": "group"}]),
    Example("segment", {"type": "alias", "previousId": "u-0", **CALL}, ENVELOPE, [{"previousId": "u-9"}]),
    Example(
        "hubspot",
        {"subscriptionType": "contact.propertyChange", "propertyName": "lifecyclestage", "propertyValue": "lead", **EVENT},
        DELIVERY,
        [
            {"propertyValue": "customer"},
            {"propertyName": "plan"},
            {"occurredAt": 1462216307946},
            {"portalId": 34},
            {"objectId": 1},
        ],
    ),
    Example("hubspot", {"subscriptionType": "deal.deletion", **EVENT}, DELIVERY, [{"subscriptionType": "deal.restore"}]),
    Example(
        "hubspot",
        {"subscriptionType": "contact.merge", "primaryObjectId": 151, "mergedObjectIds": [200, 300], **EVENT},
        DELIVERY | {"numberOfPropertiesMoved": 4},
        [{"mergedObjectIds": [200, 301]}, {"newObjectId": 400}],
    ),
    Example(
        "hubspot",
        {"id": "39", "properties": {"email": "a@b.example", "firstname": None}, "updatedAt": "2026-01-01T10:00:00Z"},
        {"createdAt": "2020-01-01T00:00:00Z", "archived": False, "recently_updated_property_names": ["email"]},
        [{"properties": {"email": "a@c.example"}}, {"updatedAt": "2026-01-02T10:00:00Z"}, {"archived": True}],
    ),
    Example(
        "mapping",
        {"entry": 1, "kind": "paid", "customer": 7, "sum": "9.50", "at": 1767225600000},
        {"attempt": 2, "sent_at": 1767225609000},
        [{"sum": "9.51"}, {"customer": 8}, {"at": 1767225600001}],
    ),
    Example(
        "mapping",
        {"kind": "quote", "customer": 7, "number": 9, "step": "sent", "at": 1767225600000},
        {},
        [{"step": None}, {"number": 8}, {"kind": "void"}, {"unread": 1}],
    ),
]


def test_every_format_has_an_example() -> None:
    assert {example.format for example in EXAMPLES} == set(FORMATS)


@pytest.mark.parametrize("example", EXAMPLES)
def test_delivery_key_order_and_white_space_do_not_count(example: Example) -> None:
    delivered_again = dict(reversed((example.body | example.transport).items()))
    first = decoder(example.format).decode(record(json.dumps(example.body, separators=(",", ":")).encode()))
    second = decoder(example.format).decode(record(json.dumps(delivered_again, indent=3).encode(), partition=7, offset=99))
    assert first.statements
    assert first == second


@pytest.mark.parametrize("example", EXAMPLES)
def test_content_counts(example: Example) -> None:
    bodies = [example.body, *({**example.body, **change} for change in example.content)]
    statements = [decoder(example.format).decode(record(json.dumps(body).encode())).statements for body in bodies]
    fingerprints = {tuple(statement.fingerprint for statement in one) for one in statements}
    assert len(fingerprints) == len(bodies)


@pytest.mark.parametrize("example", EXAMPLES)
def test_no_two_statements_share_an_id(example: Example) -> None:
    decoded = decoder(example.format).decode(record(json.dumps({**example.body, "messageId": "m-1"}).encode()))
    ids = [statement.id or statement.fingerprint.hex() for statement in decoded.statements]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("example", EXAMPLES)
def test_nothing_is_kept_between_records(example: Example) -> None:
    reused = decoder(example.format)
    value = json.dumps(example.body).encode()
    alone = outcome(reused.decode, value)
    for other in (b"{", b"[]", json.dumps({**example.body, **example.content[0]}).encode()):
        outcome(reused.decode, other)
    assert outcome(reused.decode, value) == alone


def nested(levels: int) -> bytes:
    return b'{"a":' * levels + b"1" + b"}" * levels


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b"\xff\xfe{}", "not_utf8"),
        (b'{"type":"track","event":"E","userId":"\xff"}', "not_utf8"),
        (b"{", "not_json"),
        (b'{"type":"page"} {}', "not_json"),
        (b"\x00\x00\x00\x00\x01{}", "not_json"),
        (b'{"type":"track","event":NaN}', "not_json"),
        (b'{"type":"track","event":"\\ud800"}', "not_json"),
        (b"7", "wrong_shape"),
        (b"null", "wrong_shape"),
        (b"{}", "wrong_shape"),
        pytest.param(b'{"type":"identify","traits":' + b"[" * 200_000, "too_deep", id="unclosed"),
        pytest.param(b'{"type":"identify","traits":' + nested(200_000) + b"}", "too_deep", id="deep"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(name: str, value: bytes | None, reason: str) -> None:
    with pytest.raises(Undecodable) as refused:
        decoder(name).decode(record(value))
    assert refused.value.reason == reason
    assert refused.value.sentence.endswith(".")


@pytest.mark.parametrize("name", FORMATS)
def test_a_record_of_a_schema_registry_is_told_as_such(name: str) -> None:
    with pytest.raises(Undecodable, match="schema registry"):
        decoder(name).decode(record(b'\x00\x00\x00\x00\x01{"type":"track"}'))


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_limit_of_nesting_is_exact(example: Example) -> None:
    def with_levels(levels: int) -> bytes:
        return json.dumps(example.body)[:-1].encode() + b',"more":' + nested(levels - 1) + b"}"

    assert decoder(example.format, nesting=20).decode(record(with_levels(20))).statements
    with pytest.raises(Undecodable, match="more than 20 levels"):
        decoder(example.format, nesting=20).decode(record(with_levels(21)))


@pytest.mark.parametrize("name", FORMATS)
def test_listed_identifiers_only(name: str) -> None:
    """A source that lists no identifier of a record finds nobody in it."""
    records = [{**shape, "identifiers": {"no.such.path": "user"}, "attach": {}} for shape in SHOP["records"]]
    mapping = RecordMapping.model_validate({"records": records}) if name == "mapping" else None
    blind = decoder_for(name, used_events=None, identifiers=["no.such.path"], session=None, mapping=mapping)
    for example in (one for one in EXAMPLES if one.format == name):
        result = outcome(blind.decode, json.dumps(example.body).encode())
        assert result in ("no_identifier", ([], [], "unmapped_object"))


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(ValueError, match=r"carrier-pigeon; there are segment, hubspot, mapping"):
        decoder_for("carrier-pigeon", used_events=None, identifiers=[], session=None)


@pytest.mark.parametrize(("name", "reason"), [("hubspot", "empty"), ("segment", "wrong_shape"), ("mapping", "wrong_shape")])
def test_an_empty_array_is_empty_only_where_a_record_may_be_an_array(name: str, reason: str) -> None:
    assert outcome(decoder(name).decode, b"[]") == reason
