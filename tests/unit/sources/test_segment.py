"""What the calls of the Segment specification state, and what is left of them when fields are odd or missing."""

import json
from typing import Any

import pytest

from processors.sources.segment import SegmentDecoder
from processors.sources.statement import Decoded, Statement, Undecodable
from schemas.instants import parse_instant
from tests.unit.sources.records import decoder, record


def decode(body: dict[str, Any], *identifiers: str, session: str | None = None) -> Decoded:
    names = identifiers or ("anonymousId", "userId")
    return SegmentDecoder(None, names, session).decode(record(json.dumps(body).encode()))


def only(body: dict[str, Any], *identifiers: str, session: str | None = None) -> Statement:
    (statement,) = decode(body, *identifiers, session=session).statements
    return statement


def refusal(body: dict[str, Any]) -> Undecodable:
    with pytest.raises(Undecodable) as refused:
        decode(body)
    return refused.value


@pytest.mark.parametrize(
    ("call", "unused"),
    [
        ({"type": "track", "event": "Cart Viewed"}, "unmatched"),
        ({"type": "TRACK", "event": "Cart Viewed", "timestamp": "nonsense"}, "unmatched"),
        ({"type": "page", "userId": "u"}, "unmatched"),
        ({"type": "track", "event": "Signed Up", "userId": "u"}, None),
        ({"type": "screen", "userId": "u"}, None),
        ({"type": "identify", "userId": "u"}, None),
    ],
)
def test_an_event_that_no_definition_uses_is_dropped_before_it_is_judged(call: dict[str, Any], unused: str | None) -> None:
    narrow = decoder("segment", used_events=frozenset({"Signed Up", "Screen Viewed"}))
    decoded = narrow.decode(record(json.dumps(call).encode()))
    assert (decoded.unused, len(decoded.statements)) == (unused, 0 if unused else 1)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ('"event":"Cart Viewed","event":"Signed Up"', "Signed Up"),
        ('"event":"Signed Up","event":"Cart Viewed"', None),
        ('"event":"Cart Viewed","\\u0065vent":"Signed Up"', "Signed Up"),
        ('"\\u0065vent":"Signed Up","event":7,"event":"Cart Viewed"', None),
        ('"event":"Signed Up","type":"page"', None),
        ('"type":"page","type":"track","event":"Signed Up"', "Signed Up"),
    ],
)
def test_of_a_key_that_is_written_twice_the_glance_and_the_reading_take_the_last(written: str, name: str | None) -> None:
    """Else a call could be let pass for one event and be another."""
    value = f'{{"type":"track","userId":"u",{written}}}'.encode()
    narrow = decoder("segment", used_events=frozenset({"Signed Up"})).decode(record(value))
    whole = decoder("segment").decode(record(value))
    assert [statement.name for statement in narrow.statements] == ([] if name is None else [name])
    assert [statement.name for statement in whole.statements if statement.name == "Signed Up"] == ([name] if name else [])


def test_an_event_carries_what_definitions_may_read() -> None:
    context = {"campaign": {"source": "google"}, "sessionId": 1782371969536, "page": {"path": "/"}}
    track = only({"type": "track", "userId": "u", "event": "E", "properties": {"plan": {"tier": "pro"}}, "context": context})
    assert track.event == {
        "properties": {"plan": {"tier": "pro"}},
        "context": context,
        "campaign": {"source": "google"},
        "session_id": "1782371969536",
    }
    page = only({"type": "Page", "userId": "u", "name": "Home", "properties": {"sid": "s1"}}, "userId", session="properties.sid")
    assert (page.name, page.event["page"], page.event["session_id"]) == ("Page Viewed", "Home", "s1")


def test_a_login_states_its_properties_and_a_link_of_its_own() -> None:
    body = {"type": "identify", "userId": "u", "anonymousId": "a", "messageId": "m", "traits": {"plan": "pro", "tags": [1]}}
    change, link = decode(body).statements
    assert (change.kind, change.about, change.id, change.properties) == ("change", "lead", "m", {"traits.plan": "pro"})
    assert (link.kind, link.id, link.identifiers, link.target) == ("link", "m/link", {"userId": "u"}, {"anonymousId": "a"})
    assert only({**body, "anonymousId": None}).kind == "change"
    assert only(body, "userId").kind == "change"


def test_traits_are_named_by_their_path_and_key_order_settles_nothing() -> None:
    body = {"type": "identify", "userId": "u", "context": {"traits": {"plan": "free", "a": None}}}
    assert only(body).properties == {"context.traits.plan": "free", "context.traits.a": None}
    nested: dict[str, Any] = {"a": {"b": 1}, "a.b": 2}
    either = [only({**body, "traits": dict(items)}).properties for items in (nested.items(), reversed(nested.items()))]
    assert either[0] == either[1]


def test_a_group_call_is_about_the_account() -> None:
    body = {"type": "group", "userId": "u", "groupId": 12, "traits": {"plan": "team"}}
    group = only(body, "userId", "groupId", "context.groupId")
    assert (group.about, group.identifiers, group.properties) == (
        "account",
        {"userId": "u", "groupId": "12"},
        {"traits.plan": "team"},
    )


def test_an_alias_of_a_visitor_names_it_as_one() -> None:
    body = {"type": "alias", "userId": "u", "previousId": "a", "anonymousId": "a"}
    assert only(body).target == {"anonymousId": "a"}
    assert only({**body, "anonymousId": "b"}).target == {"userId": "a"}
    assert decode({"type": "alias", "userId": "u", "previousId": "u"}).unused == "self_link"
    assert refusal({"type": "alias", "userId": "u"}).reason == "no_identifier"


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        ("u-1", "u-1"),
        (" u-1\n", "u-1"),
        (151, "151"),
        (151.0, "151"),
        ("Zoë", "Zoë"),
        ("u\xa01", "u\xa01"),
        ("x" * 512, "x" * 512),
        (10**511, "1" + "0" * 511),
        *[
            (refused, None)
            for refused in ("", "  ", "x" * 513, "u\x00", "u\x7f1", "u\x85v", None, True, 1.5, 2e300, [1], {"a": 1}, 10**512)
        ],
    ],
)
def test_what_is_taken_as_an_identifier(sent: object, taken: str | None) -> None:
    statement = only(
        {"type": "track", "event": "E", "anonymousId": "a", "traits": {"email": sent}}, "anonymousId", "traits.email"
    )
    assert statement.identifiers == {"anonymousId": "a"} | ({} if taken is None else {"traits.email": taken})


def test_a_call_about_nobody_names_where_it_was_looked_for() -> None:
    refused = refusal({"type": "track", "event": "E", "userId": "", "email": "a@b.example"})
    assert refused.reason == "no_identifier"
    assert "anonymousId, userId" in refused.sentence


@pytest.mark.parametrize(
    ("times", "taken"),
    [
        ({"timestamp": "2026-01-01T10:00:00.123456789+01:00", "originalTimestamp": "2025-01-01"}, "2026-01-01T09:00:00.123456Z"),
        ({"timestamp": "", "originalTimestamp": "2025-01-01T00:00:00Z"}, "2025-01-01T00:00:00Z"),
        ({"timestamp": "2025-01-01 10:00", "originalTimestamp": "nonsense"}, "2025-01-01T10:00:00Z"),
    ],
)
def test_which_time_counts(times: dict[str, str], taken: str) -> None:
    assert only({"type": "track", "event": "E", "userId": "u", **times}).occurred_at == parse_instant(taken)


@pytest.mark.parametrize(
    "time", ["yesterday", "10000-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", 1782371969536, [1]]
)
def test_a_time_that_is_none_is_refused_and_quoted(time: object) -> None:
    refused = refusal({"type": "track", "event": "E", "userId": "u", "timestamp": time})
    assert refused.reason == "wrong_time"
    assert json.dumps(time, separators=(",", ":")) in refused.sentence


@pytest.mark.parametrize(
    "change",
    [
        {"type": "merge"},
        {"type": 1},
        {"type": None},
        {"event": None},
        {"event": ""},
        {"event": ["E"]},
        {"context": "x"},
        {"properties": [1]},
    ],
)
def test_other_shapes_are_refused(change: dict[str, Any]) -> None:
    assert refusal({"type": "track", "event": "E", "userId": "u"} | change).reason == "wrong_shape"


def test_a_retry_through_another_network_is_the_same_call() -> None:
    """A retry gets another corrected `timestamp` and the server sees another address; the client's own time tells."""
    body = {"type": "track", "event": "E", "userId": "u", "originalTimestamp": "2026-01-01T10:00:00Z"}
    first = only({**body, "timestamp": "2026-01-01T10:00:01Z", "context": {"ip": "10.0.0.1", "locale": "en"}})
    retry = only({**body, "timestamp": "2026-01-01T10:00:02Z", "context": {"locale": "en", "ip": "10.0.0.2"}})
    raw = only({**body, "timestamp": "2026-01-01T10:00:00Z", "originalTimestamp": None, "context": {"locale": "en"}})
    assert first.fingerprint == retry.fingerprint == raw.fingerprint
    assert first.fingerprint != only({**body, "context": {"locale": "de"}}).fingerprint


def test_an_identifier_outside_the_specification_tells_calls_apart() -> None:
    body = {"type": "track", "event": "E", "crm": {"id": 1}}
    other = {**body, "crm": {"id": 2}}
    assert only(body, "crm.id").fingerprint != only(other, "crm.id").fingerprint
