"""`funnelstream replay`: where its time comes from, and how it ends on what it cannot use."""

import json
from typing import Any

import pytest

from processors.engine.stop import BUG, ENVIRONMENT, INPUT, Stop
from processors.simulation.replay import LOOKED_AHEAD
from processors.sources.segment import SegmentDecoder
from processors.topology.advance import Advance
from processors.topology.ingest import Ingest
from tests.unit.cli.called import World, call, demo, stopped

FIRST, SECOND = "2026-01-05T10:00:00Z", "2026-01-06T10:00:00Z"
CUSTOMER = {
    "subscriptionType": "contact.propertyChange",
    "objectId": 2,
    "occurredAt": 1767434400000,
    "propertyName": "lifecyclestage",
    "propertyValue": "customer",
}
"""On 2026-01-03 at 10:00."""
PROFILE = {"id": "3", "properties": {"email": "a@example.com", "lifecyclestage": "customer"}, "updatedAt": SECOND}


def test_the_same_files_give_the_same_bytes(world: World) -> None:
    web = [b"{broken", demo(1, None), demo(1, FIRST), demo(2, SECOND)]
    inputs = {"web": web, "crm": [b"", b"\xff", CUSTOMER]}
    one, two = (
        {file.name: file.read_bytes() for file in world.replay(out=out, **inputs).iterdir() if file.is_file()}
        for out in ("out", "other")
    )
    assert one == two
    assert all(one[name] for name in ("transitions.ndjson", "conversions.ndjson", "leads.ndjson", "dead-letters.ndjson"))


@pytest.mark.parametrize(
    ("web", "crm", "at"),
    [
        ([demo(1, None), demo(1, FIRST)], [], FIRST),
        ([demo(1, None), demo(1, SECOND)], [b"{broken", CUSTOMER], "2026-01-03T10:00:00Z"),
        ([demo(1, None), demo(1, "0001-01-01T00:00:00Z"), demo(1, FIRST)], [], FIRST),
        ([demo(1, None)], [], "2020-02-02T00:00:00Z"),
        ([b"{broken"] * LOOKED_AHEAD + [demo(1, None), demo(1, FIRST)], [], "2020-02-02T00:00:00Z"),
    ],
    ids=["own file", "other file", "before limits.past", "no times", "too far ahead"],
)
def test_records_before_the_first_time_take_it(world: World, web: list[Any], crm: list[Any], at: str) -> None:
    """The earliest of the files' first times, and never before limits.past; every record that was looked at is there."""
    with (world.folder / "test.yml").open("a") as configuration:
        configuration.write("limits: {past: 2020-02-02}\n")
    world.replay(web=web, crm=crm)
    bodies = [line["value"] for line in world.bodies("conversions.ndjson")]
    assert min(body["effective_at"] for body in bodies) == at
    letters = world.bodies("dead-letters.ndjson")
    assert len(letters) == sum(line == b"{broken" for line in (*web, *crm)) + ("0001" in json.dumps(str(web)))


@pytest.mark.parametrize(
    ("web", "said"),
    [
        (
            [demo(1, None)],
            [
                "not used: 1 record happened before 2020-01-01T00:00:00Z, the first effective_from: only values set are kept",
                "1 record that names no time was taken at 1990-01-01T00:00:00Z",
            ],
        ),
        (
            [demo(1, None), demo(2, FIRST), demo(3, SECOND), demo(4, None), b"{broken"],
            [f"2 records that name no time were taken between {FIRST} and {SECOND}"],
        ),
        ([demo(1, FIRST)], []),
    ],
    ids=["no time anywhere", "times of others", "every record has its own"],
)
def test_times_that_nobody_wrote_are_told(world: World, web: list[Any], said: list[str]) -> None:
    """README's first record, in a file, gives no transition: the replay says why, and what gives it its time."""
    lines = call(*world.arguments(web=web)).stdout.splitlines()[1:-1]
    told = [line for line in lines if "dead letters" not in line]
    assert len(told) == len(said)
    assert all(line.startswith(start) for line, start in zip(told, said, strict=True))
    assert all("--envelope give each its Kafka time" in line for line in told if "names no time" in line)


def test_a_kafka_time_out_of_range_is_a_dead_letter_and_no_time(world: World) -> None:
    said = [(1, 10**18), (2, -(10**30)), (3, 1767607200000)]
    lines = [{"value": demo(user, FIRST), "timestamp": timestamp} for user, timestamp in said]
    world.replay("--envelope", web=lines)
    assert [letter["headers"]["dead-letter-reason"] for letter in world.bodies("dead-letters.ndjson")] == ["kafka_time"] * 2
    (conversion,) = world.bodies("conversions.ndjson")
    assert (conversion["value"]["subject"]["id"], conversion["value"]["recorded_at"]) == ("user:3", FIRST)


@pytest.mark.parametrize(
    "line",
    [b"{", b"[]", b"{}", b'{"timestamp": 1e999}', b'{"timestamp": 1, "headers": [1]}', b"[" * 100_000, b'{"timestamp": "x"}'],
    ids=["broken", "array", "no time", "no number", "headers", "deep", "text"],
)
def test_a_line_that_is_no_envelope_is_named(world: World, line: bytes) -> None:
    lines = [{"value": demo(1, FIRST), "timestamp": 1767607200000}, line]
    code, sentence = stopped(*world.arguments("--envelope", web=lines))
    assert (code, "web.ndjson:2: the line is no envelope" in sentence) == (INPUT, True)


@pytest.mark.parametrize(("owner", "half"), [(SegmentDecoder, "decode"), (Ingest, "__call__"), (Advance, "__call__")])
def test_an_error_of_the_core_is_our_bug_and_names_the_line(
    world: World, monkeypatch: pytest.MonkeyPatch, owner: type, half: str
) -> None:
    def fails(*_: object) -> None:
        raise KeyError("surprise")

    monkeypatch.setattr(owner, half, fails)
    done = call(*world.arguments(web=[b"", demo(1, FIRST)]))
    assert isinstance(done.exception, Stop)
    assert done.exception.code == BUG
    assert "web.ndjson:2: the record could not be processed (KeyError)" in done.exception.sentence
    assert "KeyError: 'surprise'" in done.stderr, "the lines that a report of the bug needs"


def test_out_is_a_file(world: World) -> None:
    code, sentence = stopped(*world.arguments(out="funnel.yml", web=[]))
    assert (code, "funnel.yml is a file" in sentence) == (INPUT, True)


def test_a_file_of_the_folder_cannot_be_written(world: World) -> None:
    (world.folder / "out" / "leads.ndjson").mkdir(parents=True)
    (world.folder / "out" / "funnels.json").write_text("[]")
    code, sentence = stopped(*world.arguments("--overwrite", web=[demo(1, FIRST)]))
    assert (code, "leads.ndjson cannot be read or written" in sentence) == (ENVIRONMENT, True)


def test_a_snapshot_moves_a_stage_and_counts_no_conversion(world: World) -> None:
    world.replay(crm=[PROFILE])
    (moved,) = world.bodies("transitions.ndjson")
    assert (moved["value"]["to"]["stage"], moved["value"]["provenance"]) == ("customer", "snapshot")
    assert world.bodies("conversions.ndjson") == []


def test_a_format_that_is_not_built_is_said_beside_what_is_missing_because_of_it(world: World) -> None:
    configuration = world.folder / "test.yml"
    configuration.write_text(
        configuration.read_text().replace(
            "format: hubspot, identifiers: {contact.objectId", "format: salesforce, identifiers: {Id"
        )
    )
    done = call(*world.arguments(web=[]))
    assert isinstance(done.exception, Stop)
    assert (done.exception.code, "this format is not built yet: " in done.stderr) == (INPUT, True)
    assert "lead.lifecycle_stage is no field of any source" in done.stderr
