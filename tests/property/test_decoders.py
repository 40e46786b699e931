"""Decoders against whatever a topic may hold: they raise `Undecodable` and nothing else, and what they give can be written."""

import functools
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.sources import FORMATS, decoder_for
from processors.sources.statement import Decoded, Decoder, Statement, Undecodable
from schemas.instants import format_instant
from schemas.mapping import RecordMapping
from tests.unit.sources.records import SHOP, outcome, record

Bodies = st.SearchStrategy[Any]

WITHOUT_ID, LISTS_IN_LISTS = "mapping without id", "mapping of lists in lists"


def mapping(explode: str | None, unit: str, **changes: Any) -> RecordMapping:
    return RecordMapping.model_validate({**SHOP, "explode": explode, "time": {"path": "at", "unit": unit}, **changes})


MAPPINGS = {
    "mapping": (mapping(None, "ms"), mapping("[*]", "s")),
    WITHOUT_ID: (mapping(None, "us", id=None), mapping("[*]", "us", id=None)),
    LISTS_IN_LISTS: (mapping("batch[*].lines[*]", "ns", id=None), mapping("[*]", "ns")),
}
"""By the name of a decoder how it reads a record that is an object, and one that is an array."""
FORMAT = {name: name for name in FORMATS} | dict.fromkeys(MAPPINGS, "mapping")
"""By the name of a decoder its format: of `mapping` there are as many decoders as there are mappings."""

IDENTIFIERS = {
    "segment": ("anonymousId", "userId", "groupId", "traits.email", "context.traits.email", "a.b.c", "", "."),
    "hubspot": ("contact.objectId", "deal.objectId", "company.objectId", "contact.properties.email", "contact.", "deal"),
    "mapping": ("user", "quote"),
}
SEGMENT = "type event name userId anonymousId groupId previousId messageId timestamp originalTimestamp properties context traits"
HUBSPOT = (
    "subscriptionType eventType objectId objectTypeId portalId propertyName propertyValue occurredAt mergedObjectIds properties"
)
OBJECTS = (
    "primaryObjectId newObjectId associationType fromObjectId toObjectId associationRemoved id updatedAt archived archivedAt"
)
NAMES = {
    "segment": f"{SEGMENT} campaign sessionId ip email a a.b traits.email".split(" "),
    "hubspot": f"{HUBSPOT} {OBJECTS} email dealstage changeSource".split(" "),
    "mapping": ["entry", "at", "kind", "customer", "number", "sum", "step", "batch", "a", "lines"],
}
SOUND: dict[str, list[dict[str, Any]]] = {
    "segment": [{"userId": "u-1"}, {"anonymousId": "a-1"}, {"previousId": "u-0"}, {"event": "Signed Up"}, {"messageId": "m-1"}],
    "hubspot": [
        {"objectId": 151},
        {"propertyName": "email", "propertyValue": ""},
        {"primaryObjectId": 1, "mergedObjectIds": [2, 3]},
    ],
    "mapping": [{"customer": "u-1"}, {"number": 9}, {"at": 1462216307945}, {"entry": "e-1"}, {"step": None}],
}
"""Parts that make many records whole, so that what lies behind the first checks is reached."""
KINDS: dict[str, list[dict[str, Any]]] = {
    "segment": [{"type": call} for call in ("track", "page", "screen", "identify", "group", "alias", "Track", "merge")],
    "hubspot": [
        {"id": "1", "properties": {"email": "a@b.example"}},
        {"subscriptionType": "deal.associationChange", "associationType": "DEAL_TO_CONTACT", "fromObjectId": 7, "toObjectId": 1},
        *(
            {"subscriptionType": f"{crm}.{action}"}
            for crm in ("contact", "deal", "company", "object", "ticket")
            for action in ("propertyChange", "creation", "deletion", "merge", "privacyDeletion")
        ),
    ],
    "mapping": [{"kind": kind} for kind in ("paid", "quote", "offer", "void", "", "other")],
}
WORDS = ["", "u-1", " 7 ", "\x00", "x" * 513, "true", "Signed Up", "0-1", "0-3", "CONTACT_TO_DEAL", "1462216307945", "9" * 18]
TIMES = ["2026-01-01T10:00:00Z", "2026-01-01", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"]
# As JSON text, since no Python value stands for some of it: numbers of any size, and what parsers disagree on.
ODD = ["1e400", "-1e-400", "9" * 4300, "-" + "9" * 4300, "9" * 4400, "1E15", "1.0", "NaN", "-Infinity"]
ODD += ['"\\ud800"', '"\\udfff\\ud800"']

scalars: Bodies = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
scalars |= st.text(max_size=9) | st.sampled_from(WORDS + TIMES)


@functools.cache
def trees(name: str) -> Bodies:
    """Decoded JSON: records of the format's kinds, alone or in an array, with fields of any shape."""
    keys = st.sampled_from(NAMES[name]) | st.text(max_size=3)

    def grown(inner: Bodies) -> Bodies:
        return st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4)

    fields = st.dictionaries(keys, st.recursive(scalars, grown, max_leaves=8), max_size=5)
    objects = st.fixed_dictionaries({}, optional=dict.fromkeys(("properties", "context", "traits"), fields))
    sound = st.lists(st.sampled_from(SOUND[name]), max_size=3)
    bodies = st.builds(merged, fields | objects, sound, st.sampled_from(KINDS[name]))
    return bodies | st.lists(bodies | scalars, max_size=3)


def merged(fields: dict[str, Any], sound: list[dict[str, Any]], kind: dict[str, Any]) -> dict[str, Any]:
    return functools.reduce(dict.__or__, [fields, *sound, kind])


@functools.cache
def texts(name: str) -> Bodies:
    """JSON text with repeated keys, numbers of any size and texts that UTF-8 cannot carry."""
    keys = st.sampled_from(NAMES[name]).map(json.dumps)
    values = scalars.map(json.dumps) | st.sampled_from(ODD)
    values |= st.lists(values, max_size=2).map(lambda inner: f"[{','.join(inner)}]")
    values |= st.builds('{{{}:{},"properties":{}}}'.format, keys, values, values)
    kinds = st.sampled_from(KINDS[name]).map(pairs)
    sound = st.sampled_from(SOUND[name]).map(pairs)
    fields = st.lists(sound | st.builds("{}:{}".format, keys, values), max_size=8)
    bodies = st.builds(lambda kind, given: f"{{{','.join([kind, *given])}}}", kinds, fields)
    return bodies | bodies.map(lambda body: f"[{body},{body}]")


def pairs(body: dict[str, Any]) -> str:
    return json.dumps(body)[1:-1]


def decoder(name: str, value: bytes = b"") -> Decoder:
    """A decoder of the name; of a mapping one that takes arrays where the value is one."""
    used = frozenset({"Signed Up", "Page Viewed", "Order Paid"})
    one, many = MAPPINGS.get(name, (None, None))
    mapping = many if value[:1] == b"[" else one
    return decoder_for(FORMAT[name], used_events=used, identifiers=IDENTIFIERS[FORMAT[name]], session=None, mapping=mapping)


def written(name: str, text: str) -> bytes:
    """A body as the source sends it: where elements lie in lists of lists, in one of them."""
    if name != LISTS_IN_LISTS:
        return text.encode()
    lines = text if text.startswith("[") else f"[{text}]"
    return f'{{"batch":[{{"lines":[]}},{{"lines":{lines}}}]}}'.encode()


@pytest.mark.parametrize("name", FORMAT)
@given(value=st.binary())
def test_any_bytes(name: str, value: bytes) -> None:
    check(name, value)


@pytest.mark.parametrize("name", FORMAT)
@given(data=st.data())
def test_any_json(name: str, data: st.DataObject) -> None:
    check(name, written(name, data.draw(texts(FORMAT[name]))))


@pytest.mark.parametrize("name", FORMAT)
@given(data=st.data())
def test_key_order_settles_nothing(name: str, data: st.DataObject) -> None:
    tree = data.draw(trees(FORMAT[name]))
    forwards, turned = written(name, json.dumps(tree)), written(name, json.dumps(backwards(tree)))
    check(name, forwards)
    assert outcome(decoder(name, forwards).decode, forwards) == outcome(decoder(name, turned).decode, turned)


def backwards(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {key: backwards(value) for key, value in reversed(tree.items())}
    return [backwards(child) for child in tree] if isinstance(tree, list) else tree


def check(name: str, value: bytes) -> None:
    try:
        decoded = decoder(name, value).decode(record(value))
    except Undecodable as fault:
        check_fault(fault)
        return
    check_ends(decoded)
    for statement in decoded.statements:
        check_statement(statement, set(IDENTIFIERS[FORMAT[name]]))
    for _, element_fault in decoded.faults:
        check_fault(element_fault)


def check_ends(decoded: Decoded) -> None:
    """A record ends as statements or as a counted drop, never as nothing; and no id stands for two contents (rule 20)."""
    assert bool(decoded.statements) != (decoded.unused is not None)
    said = [msgspec.structs.replace(statement, element=0) for statement in decoded.statements]
    contents = {(statement.id or statement.fingerprint.hex()): statement for statement in said}
    assert all(contents[statement.id or statement.fingerprint.hex()] == statement for statement in said)


def check_statement(statement: Statement, listed: set[str]) -> None:
    assert statement.identifiers
    assert {*statement.identifiers, *statement.target} <= listed
    for text in (*statement.identifiers.values(), *statement.target.values()):
        assert 0 < len(text) <= 512
        assert text == text.strip()
    assert statement.occurred_at is None or format_instant(statement.occurred_at)
    assert len(statement.fingerprint) == 16
    assert not any(isinstance(value, dict | list) for value in statement.properties.values())
    assert bool(statement.name) == (statement.kind == "event")
    msgspec.json.encode(statement)  # every text can be written as UTF-8, every number as digits


def check_fault(fault: Undecodable) -> None:
    assert fault.reason.isidentifier()
    fault.sentence.encode()
    assert len(fault.sentence) < 600
