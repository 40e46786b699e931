"""What is personal is masked, whatever the record looks like; masked identifiers stay tellable apart."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.cli.tables import harmless
from processors.shown.masking import DEEPEST, Mask, mask_of
from tests.unit.topology.ingested import IDENTITY, SOURCES, build, change, identify, ingest, letter
from tests.worlds import application

MASK = Mask(b"0123456789abcdef")
SECRET = "zq-secret-7734"
"""Never part of a name, a type or a digest."""
RECORDS = {"explode": "rows[*]", "time": {"path": "at"}, "records": [{"event": "Demo", "identifiers": {"who": "user"}}]}
"""A mapping of a source's records."""

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.just(SECRET)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "read", "id"]), inner, max_size=3),
    max_leaves=15,
)


@given(trees)
def test_no_value_of_a_raw_record_is_seen(body: Any) -> None:
    masked = json.dumps(MASK.raw(json.dumps(body).encode()))
    assert SECRET not in masked
    assert "7734" not in masked


@given(st.binary(max_size=200))
def test_any_bytes_can_be_shown(content: bytes) -> None:
    for mask in (MASK, Mask(b"k", show=True)):
        json.dumps(mask.raw(content))
    assert MASK.raw(None) is None


def test_of_a_deeply_nested_record_the_shape_ends_somewhere() -> None:
    masked = json.dumps(MASK.raw(b"[" * 300 + b"]" * 300))
    assert masked.count("[") == DEEPEST
    for levels in (600, 5_000, 100_000):
        content = b"[" * levels + b"]" * levels
        json.dumps([[[[MASK.raw(content), Mask(b"k", show=True).raw(content)]]]])


@given(trees)
def test_what_is_personal_in_our_records_is_not_seen(inner: Any) -> None:
    body = {
        "subject": {"kind": "lead", "id": f"contact:{SECRET}"},
        "entity": f"contact:{SECRET}",
        "deal": f"deal:{SECRET}",
        "cause": {"rule": "stages.a", "read": {"lead.plan": inner}, "facts": [{"source": "web", "id": SECRET, "offset": 3}]},
        "values": {"lead.plan": inner},
        "segments": {"origin": SECRET},
        "value": {"amount": SECRET, "currency": "EUR"},
        "stage": "qualified",
    }
    masked = MASK.body(body)
    assert SECRET not in json.dumps(masked)
    assert (masked["stage"], masked["cause"]["rule"], masked["cause"]["facts"][0]["offset"]) == ("qualified", "stages.a", 3)
    assert Mask(b"", show=True).body(body) == body


@given(st.sets(st.text(max_size=20), min_size=2, max_size=30))
def test_masked_identifiers_stay_tellable_apart(values: set[str]) -> None:
    masked = {MASK.identifier(f"contact:{value}") for value in values}
    assert len(masked) == len(values)
    assert all(text.startswith("contact:~") for text in masked)


def test_the_key_is_the_applications_or_new_for_each_run() -> None:
    """Ids can be guessed and hashed by anybody who knows how, so without a key nobody does."""
    keyed = application(identity=IDENTITY)
    same = {mask_of(keyed, show=False).identifier("contact:151") for _ in range(2)}
    other = {mask_of(application(), show=False).identifier("contact:151") for _ in range(2)}
    assert (len(same), len(other), len(same | other)) == (1, 2, 3)
    assert mask_of(keyed, show=True).identifier("contact:151") == "contact:151"


def test_a_snapshots_key_keeps_grain_and_funnel() -> None:
    masked = MASK.lead_key("lead/contact:a/b:c/small")
    assert masked.startswith("lead/contact:~")
    assert masked.endswith("/small")
    assert "a/b" not in masked


@pytest.mark.parametrize(
    ("body", "source"),
    [
        (identify() | {"type": SECRET}, "web"),
        (identify() | {"type": f"{SECRET}, which is not nothing"}, "web"),
        (identify() | {"timestamp": f"{SECRET}\"'" + "x" * 300}, "web"),
        (identify() | {"traits": SECRET}, "web"),
        (change("status", SECRET), "crm"),
        (change("status", {SECRET: SECRET}), "crm"),
        ([change("need", "true"), change("status", SECRET), change("status", f"it's {SECRET}")], "crm"),
        (change("status", "1") | {"occurredAt": SECRET}, "crm"),
        ({"id": 9, "properties": {"dealstage": "x"}, "associations": {"contacts": [7, SECRET]}}, "crm"),
        ({"rows": [SECRET]}, "shop"),
        ({"rows": {"a": SECRET}}, "shop"),
        ({"rows": [{"who": 1, "at": SECRET}]}, "shop"),
    ],
)
def test_a_sentence_quotes_nothing_of_the_record(body: Any, source: str) -> None:
    shop = {"topics": ["shop"], "format": "mapping", "mapping": RECORDS}
    world = build(sources={**SOURCES, "shop": shop})
    sentence = letter(ingest(body, source=source, world=world))[1]["dead-letter-sentence"]
    assert SECRET in sentence, "it would prove nothing"
    assert SECRET not in MASK.sentence(sentence)
    assert Mask(b"", show=True).sentence(sentence) == sentence


def test_what_would_steer_a_terminal_is_escaped() -> None:
    assert harmless("\x1b[2Jü\n\x9b") == "\\x1b[2Jü\\n\\x9b"
    assert msgspec.json.decode(json.dumps(Mask(b"", show=True).raw(b"\x1b[2J"))) == "\x1b[2J"
