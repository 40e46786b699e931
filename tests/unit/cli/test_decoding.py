"""Every record of our topics can be shown: what it says, whom it is about, and nothing personal unless asked for."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.cli.decoding import Shown, shown
from processors.cli.tap import Filters, Role
from processors.engine.mark import KEY, Mark, encode
from processors.shown.masking import Mask
from processors.topology.letters import Stored, receipt_headers
from processors.topology.program import Program
from schemas.application import OwnTopics
from schemas.facts import entity_key
from tests.unit.cli.letterings import letter
from tests.unit.stages.notation import definition
from tests.unit.topology.ingested import ingest
from tests.worlds import START, History, fact, program

FUNNEL = """
conversions: [{name: asked, description: d, when: {event: Demo, event.properties.plan: {exists: true}}}]
stages: [{name: a, when: {conversion: asked}}, {name: b, while: {lead.plan: s3cret-plan}}]
"""
WORLD: Program = program(definition(FUNNEL, funnel="small"))
MASKS = {False: Mask(b"key"), True: Mask(b"key", show=True)}
FACTS = [fact(1, "Demo", id="s3cret-id", plan="s3cret-text"), fact(2, plan="s3cret-plan"), fact(3, "delete")]
RUN = History(WORLD).take(FACTS)
PERSONAL = ("s3cret", "user:1")


def stored(key: bytes | None, value: bytes | None, headers: object = ()) -> Stored:
    return Stored(1, 2, START, key, value, headers)  # type: ignore[arg-type]


def published(topic: str, *, show: bool = False) -> list[Shown]:
    return [
        shown(topic, stored(record.key, record.value, record.headers), MASKS[show])
        for record in RUN.published
        if record.topic == topic
    ]


def rows(*, show: bool = False) -> dict[str, Shown]:
    """The last row of each kind."""
    written = {key: value for effects in RUN.effects for key, value in effects.rows.items()}
    return {chr(key[0]): shown("changelog", stored(key, value), MASKS[show]) for key, value in written.items()}


def facts(*, show: bool = False) -> list[Shown]:
    return [shown("facts", stored(each.entity.encode(), msgspec.msgpack.encode(each)), MASKS[show]) for each in FACTS]


def everything(*, show: bool = False) -> list[Shown]:
    of_topics = [each for topic in ("transitions", "conversions", "leads") for each in published(topic, show=show)]
    return [*of_topics, *facts(show=show), *rows(show=show).values()]


def test_nothing_personal_is_shown_unless_asked_for() -> None:
    masked, plain = (json.dumps(everything(show=show), default=repr) for show in (False, True))
    assert all(word in plain for word in (*PERSONAL, "s3cret-id", "s3cret-text", "s3cret-plan"))
    assert not [word for word in PERSONAL if word in masked.replace(repr(entity_key("user:1")), "")]


def test_transitions_and_conversions_say_in_a_line_what_happened() -> None:
    assert [each.line.partition("  ")[2] for each in published("transitions")] == [
        "advance no place → a, small v1, at 2026-01-01T01:00:00Z (announce, revision 1, sequence 1)",
        "advance a → b, small v1, at 2026-01-01T02:00:00Z (announce, revision 1, sequence 2)",
        "withdraw b → no place, small v1, at 2026-01-01T03:00:00Z (announce, revision 1, sequence 3)",
    ]
    assert [each.line.partition("  ")[2] for each in published("conversions")] == [
        "asked counted, advanced, small v1, at 2026-01-01T01:00:00Z (announce, revision 1)"
    ]


def test_snapshots_facts_and_rows_say_what_they_are() -> None:
    said = [each.line.split("  ", 1)[1] for each in published("leads")]
    assert said == ["stands at a since 2026-01-01T01:00:00Z", "stands at b since 2026-01-01T02:00:00Z", "gone"]
    assert [each.line.split("  ", 1)[1] for each in facts()] == [
        "event Demo at 2026-01-01T01:00:00Z: event.properties.plan=<text 11>",
        "change web at 2026-01-01T02:00:00Z: lead.plan=<text 11>",
        "delete web at 2026-01-01T03:00:00Z",
    ]
    lines = {kind: each.line.split("  ", 1)[1] for kind, each in rows(show=True).items()}
    assert lines == {
        "e": "user:1 has published 3 transitions",
        "f": "user:1  delete  at 2026-01-01T03:00:00Z, 1 published",
        "h": "up to 2026-01-01T03:00:00Z: at no place",
    }
    assert rows()["f"].value["fact"]["entity"].startswith("user:~")


def test_the_engines_own_row_and_deleted_rows_can_be_shown() -> None:
    written = {"facts": 7, "definitions": "sha256:0", "partitions": 4, "reached": 5, "rows": 2, "versions": {"web/1": "sha256:1"}}
    mark = shown("changelog", stored(KEY, encode(Mark(7, "sha256:0", 4, 5, 2, {"web/1": "sha256:1"}, "id"))), MASKS[False])
    assert mark.value == written | {"topic": "id"}
    deleted = shown("changelog", stored(b"e" + entity_key("user:1"), None), MASKS[False])
    assert (deleted.value, deleted.entity) == (None, entity_key("user:1"))
    assert deleted.line.endswith("deleted")


def test_dead_letters_and_receipts_are_told_apart() -> None:
    (record,) = ingest(b"s3cret").published
    lying = shown("dead_letters", stored(record.key, record.value, record.headers), MASKS[False])
    assert lying.line.startswith("1/2  not_json of web: The record is not JSON")
    assert lying.value["value"] == "<6 bytes>"
    receipt = shown("dead_letters", stored(b"k", None, receipt_headers(letter("3/42"), "web.events/0")), MASKS[False])
    assert (receipt.line, receipt.value) == ("receipt: 3/42 was sent back", {"receipt_of": "3/42"})
    assert shown("dead_letters", stored(b"k", b"?"), MASKS[False]).line == "neither a dead letter nor a receipt"


@pytest.mark.parametrize(
    ("filters", "lines"),
    [
        (Filters(), 13),
        (Filters(entity=entity_key("user:1")), 13),
        (Filters(entity=entity_key("user:2")), 0),
        (Filters(funnel="small"), 7),
        (Filters(funnel="other"), 0),
        (Filters(stage="a"), 3),
        (Filters(stage="b"), 3),
        (Filters(conversion="asked"), 1),
        (Filters(stage="a", conversion="asked"), 0),
    ],
)
def test_filters_let_through_what_says_all_they_ask_for(filters: Filters, lines: int) -> None:
    """A record that names no stage or conversion passes no filter for one."""
    assert sum(map(filters.let, everything())) == lines


@given(
    st.sampled_from(list(Role)),
    st.none() | st.binary(max_size=40) | st.sampled_from([b"e" + bytes(16), b"f" + bytes(32), b"h" + bytes(24), KEY, b"a/b"]),
    st.none() | st.binary(max_size=60) | st.sampled_from([b"{}", b"null", b"[1]", b"\x90", b"\x91\xa4fact", b'{"subject": 3}']),
    st.booleans(),
)
def test_whatever_lies_on_our_topics_is_shown_without_an_exception(
    role: Role, key: bytes | None, value: bytes | None, show: bool
) -> None:
    found = shown(role, stored(key, value), MASKS[show])
    json.dumps([found.key, found.value])
    assert found.line


def test_every_topic_of_ours_can_be_tapped() -> None:
    assert sorted(Role) == sorted(OwnTopics._fields)
