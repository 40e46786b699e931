"""`funnelstream report`: what it counts of a folder, and that it names the line it cannot read."""

import csv
import json
from pathlib import Path

import pytest

from processors.engine.stop import ENVIRONMENT, INPUT
from tests.unit.cli.called import World, call, demo, stopped


@pytest.fixture
def replayed(world: World) -> Path:
    return world.replay(web=[demo(1, "2026-01-05T10:00:00Z"), demo(2, "2026-01-06T10:00:00Z")])


def test_the_formats_agree(replayed: Path) -> None:
    rows = json.loads(call("report", replayed, "--format", "json").stdout)
    assert [(row["name"], row["reached"], row["counted"]) for row in rows] == [
        ("asked", 2, None),
        ("customer", 0, None),
        ("demo", None, 2),
    ]
    lines = list(csv.DictReader(call("report", replayed, "--format", "csv").stdout.splitlines()))
    assert lines == [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
    assert "small v1: 2 leads" in call("report", replayed).stdout


BROKEN = {
    "truncated": b'{"key": "lead/us',
    "empty": b"",
    "array": b"[]",
    "bytes": b"\xff",
    "no value": b'{"key": "k"}',
    "bare": b'{"key": "k", "value": {}}',
    "number": b'{"key": "k", "value": 1}',
}


@pytest.mark.parametrize("name", ["metrics", "transitions", "conversions", "leads"])
@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_line_that_is_no_record_is_named(replayed: Path, name: str, broken: bytes) -> None:
    file = replayed / f"{name}.ndjson"
    first = file.read_bytes().splitlines()[0]
    file.write_bytes(first + b"\n" + broken + b"\n")
    code, sentence = stopped("report", replayed, *([] if name == "metrics" else ["--reconcile"]))
    assert (code, sentence.startswith(f"{file}:2 is no record that replay wrote: ")) == (INPUT, True)
    assert sentence.endswith("run replay again.")


@pytest.mark.parametrize("broken", [b"", b"[{", b"{}", b"\xff", b'[["small", 1]]'])
def test_an_outline_that_replay_did_not_write_is_named(replayed: Path, broken: bytes) -> None:
    (replayed / "funnels.json").write_bytes(broken)
    code, sentence = stopped("report", replayed)
    assert (code, sentence.startswith(f"{replayed / 'funnels.json'}:1 is no outline")) == (INPUT, True)


def test_a_folder_that_is_none_of_replays(tmp_path: Path) -> None:
    code, sentence = stopped("report", tmp_path)
    assert (code, "funnels.json" in sentence) == (ENVIRONMENT, True)
