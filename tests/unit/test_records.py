"""What is published is what the published models say, over random histories and hostile texts (design, section 9)."""

import json
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from processors.topology.effects import Publish
from processors.topology.program import Program
from schemas.facts import Coordinates, Fact
from schemas.publications import json_schema, published_models
from tests.property.test_history import histories, programs
from tests.unit.stages.notation import definition
from tests.worlds import History, fact, program

MODELS = {"transitions": "transition.v1", "conversions": "conversion.v1", "leads": "lead.v1", "metrics": "metric.v1"}
COUNTED = ("counted", "advanced", "touched_every", "touched_first", "reached_first", "standing", "entered_us", "furthest")
TIMED = ("ended", "timed", "total_us", "buckets")
"""Fields of a metric record that are left out where they are 0, as COUNTED are."""
ATTRIBUTES = ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "ce_subject", "content-type"]


def check(record: Publish) -> dict[str, Any]:
    """The body of a record, held against its model; a dead letter and a tombstone have none."""
    body = json.loads(record.value or b"{}")
    if record.topic not in MODELS or record.value is None:
        return body
    model = published_models()[MODELS[record.topic]]
    parsed = model.model_validate_json(record.value)
    assert model.model_validate(parsed.model_dump(by_alias=True)) == parsed
    for place in filter(None, (body.get("position"), body.get("from"), body.get("to"))):
        assert len({"stage", "outcome", "detour"} & place.keys()) == 1
    return body


def check_headers(record: Publish, body: dict[str, Any]) -> None:
    """CloudEvents 1.0, binary mode: every attribute once, as UTF-8."""
    assert [name for name, _ in record.headers] == ATTRIBUTES
    said = {name: (value or b"").decode() for name, value in record.headers}
    assert said["ce_specversion"] == "1.0"
    assert said["ce_type"] == f"funnelstream.{MODELS[record.topic]}"
    assert (said["ce_source"], said["content-type"]) == ("/funnelstream/test", "application/json")
    if record.topic == "metrics":
        assert said["ce_subject"] == body["funnel"]
        return
    assert said["ce_subject"] == body["subject"]["id"]
    if record.topic == "leads":
        assert record.key == f"{body['subject']['kind']}/{body['subject']['id']}/{body['funnel']}".encode()
        assert (said["ce_id"], said["ce_time"]) == (f"{record.key.decode()}/{body['sequence']}", body["recorded_at"])
        return
    assert record.key == body["subject"]["id"].encode()
    identity = body.get("transition_id") or body["conversion_id"]
    assert (said["ce_id"], said["ce_time"]) == (f"{identity}/{body['revision']}", body["effective_at"])


@settings(max_examples=150)
@given(programs, histories)
def test_every_record_is_what_its_model_says(world: Program, facts: list[Fact]) -> None:
    seen: set[str] = set()
    for record in History(world).take(facts).published:
        body = check(record)
        if record.topic in MODELS and record.value is not None:
            check_headers(record, body)
            assert record.topic == "leads" or f"{record.headers[1][1]!r}" not in seen, "ce_id names one record"
            seen.add(f"{record.headers[1][1]!r}")


@settings(max_examples=50)
@given(programs, histories)
def test_a_correction_names_what_it_takes_the_place_of(world: Program, facts: list[Fact]) -> None:
    """Rule 19: `supersedes` is the ce_id of a revision that was published; an announcement has none."""
    run = History(world).take(facts)
    for topic in ("transitions", "conversions"):
        published: set[str] = set()
        for body in run.bodies(topic):
            identity = body.get("transition_id") or body["conversion_id"]
            assert (body["op"] == "announce") is (body["supersedes"] == [])
            assert published.issuperset(body["supersedes"])
            published.add(f"{identity}/{body['revision']}")


HOSTILE = program(
    definition(
        """
conversions: [{name: signup, description: "-", when: {event: Signup, event.properties.plan: {exists: true}}}]
stages: [{name: a, when: {conversion: signup}}, {name: b, while: {lead.plan: {exists: true}}}]
"""
    )
)
texts: Sequence[str] = [
    '"',
    "\\",
    "</script>",
    "\x00\x1f\x7f",
    "\u2028\u2029",
    "\U0001d518\U0010ffff",
    "\r\nce_id: x",
    "{}",
    "a" * 5_000,
]


@settings(max_examples=100)
@given(st.text(min_size=1) | st.sampled_from(texts), st.text() | st.sampled_from(texts))
@example("user:\r\n", '"')
def test_hostile_texts_stay_data(text: str, other: str) -> None:
    """Values, ids, topics and identifiers come from outside; every record stays one JSON document that says them back."""
    said = [
        msgspec.structs.replace(
            event, entity=f"user:{text}", coordinates=Coordinates(other, 0, 1), change_source=other, fingerprint=index
        )
        for index, event in (
            (b"2", fact(1, "Signup", id=text + "e", plan=text)),
            (b"2", fact(2, id=text + "c", plan=text)),
            (b"1", fact(2, id=text + "c", plan=other or "x")),
        )
    ]
    bodies = [check(record) for record in History(HOSTILE).take(said).published]
    conversion = next(body for body in bodies if "conversion_id" in body)
    assert conversion["subject"]["id"] == f"user:{text}"
    assert conversion["cause"]["read"] == {"event": "Signup", "event.properties.plan": text}
    (evidence,) = conversion["cause"]["facts"]
    assert (evidence["id"], evidence["topic"], evidence["change_source"]) == (text + "e", other, other)
    (letter,) = [body for body in bodies if "fingerprint" in body]
    assert (letter["entity"], letter["values"]) == (f"user:{text}", {"lead.plan": text})


@pytest.mark.parametrize("name", published_models())
def test_the_json_schema_accepts_what_is_published_and_nothing_less(name: str) -> None:
    schema = json_schema(name)
    Draft202012Validator.check_schema(schema)
    run = History(HOSTILE).take([fact(1, "Signup", plan="x"), fact(2, plan="pro"), fact(3, plan="")])
    topic = next(topic for topic, model in MODELS.items() if model == name)
    validator = Draft202012Validator(schema)
    assert run.bodies(topic)
    for body in run.bodies(topic):
        assert list(validator.iter_errors(body)) == []
        optional = (*COUNTED, *TIMED) if name == "metric.v1" else ()
        for missing in [field for field in body if field not in optional]:
            assert not validator.is_valid({key: value for key, value in body.items() if key != missing}), missing
