"""Dead letters read back are what was set aside, and go back as they came; whatever else lies in their topic harms nobody."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.sources.statement import SourceRecord
from processors.topology.effects import Effects, Headers
from processors.topology.ingest import Ingest
from processors.topology.letters import (
    DeadLetter,
    Place,
    Receipt,
    Stored,
    read,
    receipt_headers,
    replayed_headers,
    replayed_timestamp,
)
from schemas.facts import Coordinates
from schemas.instants import MILLISECOND, SECOND
from tests.unit.topology.ingested import LEADS, build, demo, ingest
from tests.worlds import START, History, fact

AT = START + 5 * SECOND
names = st.sampled_from(["trace", "dead-letter-reason", "dead-letter-replay", "dead-letter-size", "dead-letter-receipt", ""])
headers = st.lists(st.tuples(names, st.none() | st.binary(max_size=20) | st.sampled_from([b"3", b"9" * 30])), max_size=6)


def letters_of(effects: Effects, *, offset: int = 7) -> list[DeadLetter]:
    published = [record for record in effects.published if record.topic == "dead_letters"]
    found = [read(Stored(2, offset, AT, record.key, record.value, record.headers)) for record in published]
    assert all(isinstance(letter, DeadLetter) for letter in found)
    return [letter for letter in found if isinstance(letter, DeadLetter)]


def letter(body: Any = b"nonsense", **options: Any) -> DeadLetter:
    (found,) = letters_of(ingest(body, **options))
    return found


@given(headers, st.none() | st.binary(max_size=30))
def test_a_source_record_is_read_back_as_it_came_whatever_its_headers_are(own: Headers, key: bytes | None) -> None:
    """Headers of the same names that came with it are its own; ours begin behind them."""
    effects = Ingest(LEADS)(SourceRecord("web", "web.events", 3, 42, START, key, b"\xff", own))
    (found,) = letters_of(effects)
    assert (found.key, found.value, found.headers) == (key, b"\xff", own)
    assert (found.place, found.at, found.time) == (Place(2, 7), AT, START)
    assert (found.reason, found.source, found.origin) == ("not_utf8", "web", Coordinates("web.events", 3, 42))


def test_what_goes_back_says_that_it_is_a_replay_and_the_next_letter_knows() -> None:
    first = letter(headers=[("trace", b"1")])
    assert (first.replays, replayed_headers(first)) == (0, [("trace", b"1"), ("dead-letter-replay", b"1")])
    second = letter(headers=replayed_headers(first))
    assert (second.replays, replayed_headers(second)) == (1, [("trace", b"1"), ("dead-letter-replay", b"2")])


@pytest.mark.parametrize(
    ("at", "sent"), [(START, START // MILLISECOND), (-5 * MILLISECOND, -5), (0, 1), (10**18, 10**15)], ids=str
)
def test_the_kafka_time_goes_back_too(at: int, sent: int) -> None:
    """Rule 19; 0 means now to a client, and a time that no calendar has is kept as a number."""
    assert replayed_timestamp(letter(at=at)) == sent


def test_a_receipt_names_its_letter() -> None:
    sent = letter()
    assert read(Stored(2, 9, AT, sent.key, None, receipt_headers(sent, "web.events/3"))) == Receipt(sent.place)


def test_a_letter_knows_whether_it_is_whole() -> None:
    """Over limits.record_bytes only 64 KiB are kept, which may be all of it; Kafka may refuse even a letter."""
    body = json.dumps(demo()).encode()
    small, large = build(limits={"record_bytes": 1_000}), body.ljust(70_000)
    assert not letter(body.ljust(1_001), world=small).is_short
    short = letter(large, world=small)
    assert (short.is_short, short.size, len(short.value or b"")) == (True, 70_000, 65_536)
    assert not letter().is_short


def test_a_conflict_is_a_letter_too() -> None:
    run = History(build()).take([fact(1, "Demo", id="x"), fact(1, "Demo", id="x", content="other")])
    (found,) = [found for effects in run.effects for found in letters_of(effects)]
    assert (found.reason, found.key, found.source) == ("conflicting_duplicate", b"user:1", "web")


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["dead-letter-reason", "dead-letter-receipt", "dead-letter-receipt-of", "dead-letter-partition", "x"])
            | st.text(max_size=8),
            st.none() | st.binary(max_size=30) | st.sampled_from([b"3/4", b"-1/4", b"3/x", "٣/٤".encode()]),
        ),
        max_size=8,
    )
)
def test_whatever_lies_in_the_topic_is_read_without_an_exception(foreign: Headers) -> None:
    found = read(Stored(0, 0, AT, None, b"", foreign))
    assert not isinstance(found, DeadLetter), "none of these headers say where a source record lay"
    assert found is None or found.of.partition >= 0
