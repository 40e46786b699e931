"""`funnelstream report`: what it counts of a folder, and that it names the line it cannot read."""

import csv
import json
from pathlib import Path

import pytest

from processors.cli.replay import outlines
from processors.engine.stop import ENVIRONMENT, INPUT
from processors.metrics.census import Census
from schemas.definitions import Funnel
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


@pytest.mark.parametrize("name", ["transitions", "conversions", "leads"])
@pytest.mark.parametrize(
    "broken",
    [b'{"key": "lead/us', b"", b"[]", b"\xff", b'{"key": "k"}', b'{"key": "k", "value": {}}', b'{"key": "k", "value": 1}'],
    ids=["truncated", "empty", "array", "bytes", "no value", "bare", "number"],
)
def test_a_line_that_is_no_record_is_named(replayed: Path, name: str, broken: bytes) -> None:
    file = replayed / f"{name}.ndjson"
    first = file.read_bytes().splitlines()[0]
    file.write_bytes(first + b"\n" + broken + b"\n")
    code, sentence = stopped("report", replayed)
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


def test_versions_of_one_funnel_are_one_report_with_what_only_earlier_ones_had() -> None:
    def version(number: int, *stages: str) -> Funnel:
        written = {"funnel": "web", "version": number, "owner": "o", "reason": "r", "subject": "lead", "effective_from": number}
        return Funnel.model_validate({**written, "stages": [{"name": stage, "when": {"event": "A"}} for stage in stages]})

    [outline] = outlines([version(1, "mql", "sal", "sql"), version(2, "lead", "sql")])
    assert (outline.funnel, outline.version, outline.stages) == ("web", 2, ["lead", "sql", "mql", "sal"])


def test_rule_13_leads_and_deals_are_counted_apart() -> None:
    """One lead with a won and an open deal is one lead that is open, and two deals."""
    funnel = Funnel.model_validate(
        {
            "funnel": "web",
            "version": 1,
            "owner": "o",
            "reason": "r",
            "effective_from": "2026-01-01",
            "subject": "lead",
            "also": ["deal"],
            "stages": [{"name": "open", "while": {"deal.stage": "open"}}],
            "outcomes": [{"name": "won", "result": "won", "while": {"deal.stage": "won"}}],
        }
    )
    leads, deals = [Census(outline) for outline in outlines([funnel])]
    for deal, place, to in ((None, "stage", "open"), ("deal:A", "outcome", "won"), ("deal:B", "stage", "open")):
        kind = "deal" if deal else "lead"
        body = {"funnel": "web", "revision": 1, "op": "announce", "kind": "advance", "skipped": [], "deal": deal}
        body |= {"transition_id": f"{deal}", "subject": {"kind": kind, "id": "user:1"}, "to": {place: to}}
        for census in (leads, deals):
            census.transition(body)
            census.lead(f"{kind}/{deal or 'user:1'}/web", {"position": {place: to}})
    counts = [
        [(each.name, each.touched, each.now) for each in (*census.stages(), *census.outcomes())] for census in (leads, deals)
    ]
    assert counts == [[("open", 1, 1), ("won", 0, 0)], [("open", 1, 1), ("won", 1, 1)]]
    assert [census.people() for census in (leads, deals)] == [1, 2]
