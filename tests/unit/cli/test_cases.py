"""`funnelstream test`: the shared cases pass, and a funnel that was edited wrongly fails with a readable difference."""

import json
import shutil
from pathlib import Path

import pytest

from processors.engine.stop import BUG, ENVIRONMENT, INPUT
from processors.topology.advance import Advance
from processors.topology.effects import Effects, FactsRecord, Rows
from tests.shared_material import ROOT, shared_files
from tests.small_funnel import SMALL
from tests.unit.cli.called import call, stopped

CASES = """\
funnel: small
start: 2026-01-01
tests:
  - name: asked once
    given: [{at: d1, event: Demo}, {at: d2, event: Demo}]
    as_of: d40
    expect:
      path: [{at: d1, kind: advance, to: asked}]
      published: [{op: announce, to: asked}]
      conversions: {demo: {counted: 2}}
  - name: nothing happened
    given: [{at: d1, event: Other}]
    expect: {path: []}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "small.yml").write_text(SMALL)
    (tmp_path / "small.test.yml").write_text(CASES)
    return tmp_path


@pytest.mark.parametrize("file", shared_files("cases/*.test.yml"))
def test_the_shared_cases_are_as_expected(file: Path) -> None:
    done = call("test", file)
    assert done.exit_code == 0, done.output


def test_the_funnels_that_ship_keep_what_they_promise_and_a_wrong_edit_fails(tmp_path: Path) -> None:
    assert call("test", ROOT / "funnels").exit_code == 0
    copy = shutil.copytree(ROOT / "funnels", tmp_path / "funnels")
    edited = copy / "prospecting.yml"
    edited.write_text(edited.read_text().replace("after: 30d", "after: 20d"))
    done = call("test", copy)
    assert done.exit_code == INPUT
    assert "at: d30 expected, d20 came" in done.stdout


def test_a_file_and_a_folder(folder: Path) -> None:
    for path in (folder, folder / "small.test.yml"):
        done = call("test", path)
        assert (done.exit_code, done.stdout.splitlines()) == (
            0,
            [f"{folder / 'small.test.yml'}: 2 cases, as expected", "all 2 as expected"],
        )


def edited(folder: Path) -> None:
    """The funnel as somebody edited it wrongly: what entered a stage has an end now, and counts once."""
    text = SMALL.replace("count: every", "count: once_per_lead")
    (folder / "small.yml").write_text(
        text.replace("conversion: demo}}", "conversion: demo}, expires: {after: 30d, anchor: first}}")
    )


def test_a_difference_is_readable(folder: Path) -> None:
    edited(folder)
    done = call("test", folder)
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    assert done.exit_code == INPUT
    assert lines[0] == f"{folder / 'small.test.yml'}: 2 cases, 1 not as expected"
    assert lines[2] == f"{folder / 'small.test.yml'}:4: asked once"
    words = [line.split() for line in lines]
    assert ["at", "d1,", "kind", "advance,", "to", "asked", "d1", "advance", "none", ">", "asked,", "entry", "1"] in words
    assert ["+", "(nothing)", "d31", "expire", "asked", ">", "none", "not", "expected"] in words
    assert "  conversion demo: 2 counted expected, 1 came" in lines
    assert lines[-1] == "1 of 2 failed"


def test_an_event_that_no_rule_names_is_warned_of(folder: Path) -> None:
    done = call("test", folder)
    (said,) = done.stderr.splitlines()
    assert said.startswith(f"warning: {folder / 'small.test.yml'}:12:")
    assert said.endswith("no rule of small names the event Other")
    assert done.exit_code == 0


def test_as_of_takes_the_place_of_the_cases_own(folder: Path) -> None:
    edited(folder)
    (folder / "small.test.yml").write_text(CASES.replace("counted: 2", "counted: 1"))
    assert [call("test", folder, "--as-of", until).exit_code for until in ("d30", "2026-01-31", "d31", "soon")] == [
        0,
        0,
        INPUT,
        2,
    ]


def test_for_programs(folder: Path) -> None:
    edited(folder)
    done = call("test", folder, "--format", "json")
    failed, passed = json.loads(done.stdout)
    assert (done.exit_code, failed["passed"], passed["passed"]) == (INPUT, False, True)
    assert (failed["case"], failed["line"]) == ("asked once", 4)
    assert failed["path"][0] == {
        "expected": {"at": "d1", "kind": "advance", "to": "asked"},
        "came": {"at": "d1", "kind": "advance", "from": None, "to": "asked", "entry": 1, "skipped": [], "flags": [], "op": ""},
        "differing": [],
    }
    assert (failed["path"][1]["expected"], failed["path"][1]["came"]["kind"]) == (None, "expire")
    assert failed["conversions"] == [{"conversion": "demo", "key": "counted", "expected": 2, "came": 1}]


def test_mistakes_of_all_files_are_told_at_once(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / f"{name}.test.yml").write_text(CASES.replace("to: asked", "to: askd"))
    done = call("test", folder)
    said = [line for line in done.stderr.splitlines() if not line.startswith("warning: ")]
    assert [line.partition(": ")[0] for line in said] == [
        f"{folder}/{name}.test.yml:{place}" for name in "ab" for place in ("8:42", "9:38")
    ]
    assert stopped("test", folder)[0] == INPUT


def test_definitions_with_mistakes_and_what_is_not_there(folder: Path) -> None:
    assert stopped("test", folder / "none.test.yml")[0] == ENVIRONMENT
    assert call("test", folder / "small.yml").exit_code == 2
    (folder / "broken.yml").write_text("funnel: broken\n")
    assert stopped("test", folder)[0] == INPUT
    assert stopped("test", folder / "nowhere")[0] == ENVIRONMENT


def test_what_is_not_built_is_named_and_refused_where_nothing_can_be_tried(folder: Path) -> None:
    later = folder / "later.yml"
    later.write_text(SMALL.replace("funnel: small", "funnel: later").replace("subject: lead", "subject: lead\nalso: [visitor]"))
    done = call("test", folder)
    assert (done.exit_code, done.stderr.startswith(f"warning: {later}:7:8: also[0]: also account is not built yet")) == (0, True)
    later.write_text(SMALL.replace("funnel: small", "funnel: later").replace("subject: lead", "subject: account"))
    assert stopped("test", folder)[0] == INPUT


def test_a_disagreement_within_the_core_is_our_bug(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    advance = Advance.__call__

    def forgetful(self: Advance, record: FactsRecord, rows: Rows) -> Effects:
        effects = advance(self, record, rows)
        effects.published = []
        return effects

    monkeypatch.setattr(Advance, "__call__", forgetful)
    code, sentence = stopped("test", folder)
    assert (code, "this is a bug in funnelstream" in sentence) == (BUG, True)
