"""Records that cannot be used are kept whole, once, with the reason and where they lay (design, section 9)."""

import json
from hashlib import sha256

from schemas.instants import DAY, MILLISECOND
from tests.unit.topology.ingested import build, change, counted, demo, facts, ingest, letter, webhook
from tests.worlds import START


def test_a_dead_letter_is_the_record_untouched_and_says_where_it_lay() -> None:
    """Design, section 9; the headers of the record stay in front."""
    effects = ingest(b"\xff\x00 no json", headers=[("traceparent", b"00-1"), ("x", b"\xff")])
    (record,) = effects.published
    assert (record.key, record.value, record.headers[:2]) == (
        b"key",
        b"\xff\x00 no json",
        [("traceparent", b"00-1"), ("x", b"\xff")],
    )
    said = {name: (value or b"").decode() for name, value in record.headers[2:]}
    sentence = said.pop("dead-letter-sentence")
    assert sentence.endswith(".")
    assert said == {
        "dead-letter-reason": "not_utf8",
        "dead-letter-source": "web",
        "dead-letter-topic": "web.topic",
        "dead-letter-partition": "3",
        "dead-letter-offset": "42",
        "dead-letter-time": "2026-01-01T00:00:00Z",
    }
    assert counted(effects) == [("dead_letters", "web", "not_utf8")]


def test_a_tombstone_is_a_dead_letter() -> None:
    assert letter(ingest(None))[1]["dead-letter-reason"] == "empty"


def test_an_oversized_record_is_known_by_size_digest_and_beginning() -> None:
    """Over limits.record_bytes: coordinates, size, sha256 and the first 64 KiB; one byte less is decoded."""
    small = build(limits={"record_bytes": 100_000})
    body = json.dumps(demo()).ljust(100_001).encode()
    value, headers = letter(ingest(body, world=small))
    assert value == body[:65_536]
    assert (headers["dead-letter-reason"], headers["dead-letter-size"]) == ("too_large", "100001")
    assert headers["dead-letter-sha256"] == sha256(body).hexdigest()
    assert headers["dead-letter-offset"] == "42"
    assert len(facts(ingest(body[:-1], world=small))) == 1


def test_of_an_array_with_a_bad_element_the_good_ones_become_facts() -> None:
    """Design, section 9: the record is kept whole, once, with the bad indexes in the reason."""
    body = [change("need", "true"), "nonsense", change("score", 5), change("need", {}), change("need", "x", objectId=152)]
    effects = ingest(body, source="crm")
    assert [(said.entity, said.values) for said in facts(effects)] == [
        ("contact:151", {"lead.need": True}),
        ("contact:151", {"lead.score": 5}),
        ("contact:152", {"lead.need": None}),
    ]
    value, headers = letter(effects)
    assert json.loads(value or b"") == body
    assert headers["dead-letter-reason"] == "wrong_shape"
    assert "element 1: " in headers["dead-letter-sentence"]
    assert "element 3: " in headers["dead-letter-sentence"]


def test_elements_that_only_ingest_refuses_are_kept_with_the_others() -> None:
    """One dead letter whoever found the fault; facts of the same record stand before it."""
    late = change("need", "false", occurredAt=(START + 2 * DAY) // MILLISECOND)
    effects = ingest([change("need", "true"), late, change("status", "9")], source="crm")
    assert [record.topic for record in effects.published] == ["facts", "dead_letters"]
    sentence = letter(effects)[1]["dead-letter-sentence"]
    assert "element 1: Its time 2026-01-03" in sentence
    assert "element 2: status is '9'" in sentence


def test_one_bad_element_beside_good_ones_is_named_by_its_place() -> None:
    effects = ingest([change("need", "true"), change("status", "9")], source="crm")
    assert letter(effects)[1]["dead-letter-sentence"].startswith("element 1: ")
    assert letter(ingest(change("status", "9"), source="crm"))[1]["dead-letter-sentence"].startswith("status is")


def test_an_erasure_is_kept_until_it_can_be_done() -> None:
    """Nothing is parsed and silently ignored."""
    effects = ingest(webhook("contact.privacyDeletion"), source="crm")
    assert letter(effects)[1]["dead-letter-reason"] == "erasure_not_built"
