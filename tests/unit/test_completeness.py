"""The guard of the other tests: a session that left out what it had to run must not be green."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.completeness import ABSENCES, Case, complaints
from tests.shared_material import ABSENT, ROOT

pytestmark = pytest.mark.slow

BROKER = Case("tests/kafka/test_a.py::test_a", kafka=True)
SOAK = Case("tests/chaos/test_b.py::test_b", kafka=True, soak=True)
RULES = Case("tests/unit/test_d.py::test_d")
LEFT = """\
import pytest

@pytest.mark.kafka
def test_one():
    pass

@pytest.mark.kafka
@pytest.mark.fuzz
def test_two():
    pass

def test_three():
    pass
"""
READER = Case("tests/unit/test_c.py::test_c", shared=True)


def _complaints(
    selected: list[Case],
    deselected: Sequence[Case] = (),
    skips: dict[str, str] | None = None,
    *,
    present: bool = True,
    kafka: bool = True,
    chosen: bool = False,
) -> list[str]:
    return complaints(selected, deselected, skips or {}, shared_present=present, require_kafka=kafka, chosen=chosen)


def test_complete_sessions_draw_no_complaint() -> None:
    assert _complaints([BROKER, READER], [SOAK]) == []
    assert _complaints([SOAK], [BROKER, READER]) == []
    assert _complaints([READER], [BROKER, SOAK], kafka=False) == []
    assert _complaints([BROKER, READER], skips={READER.nodeid: ABSENT}, present=False) == []


@pytest.mark.parametrize("name", ["promtool", "chromium", "atheris"])
def test_what_a_machine_is_without_is_counted_and_no_complaint(tmp_path: Path, name: str) -> None:
    assert _complaints([BROKER, RULES], skips={RULES.nodeid: ABSENCES[name]}) == []
    (tmp_path / "test_skipped.py").write_text(f"import pytest\n\ndef test_one():\n    pytest.skip({ABSENCES[name]!r})\n")
    ended = _session(tmp_path)
    assert f"{name}: ABSENT, 1 TESTS DID NOT RUN: {ABSENCES[name]}" in ended.stdout


@pytest.mark.parametrize(
    ("selected", "deselected", "skips", "named"),
    [
        ([BROKER], [], {BROKER.nodeid: "no broker"}, BROKER),
        ([BROKER, READER], [], {READER.nodeid: "not today"}, READER),
        ([BROKER, READER], [], {READER.nodeid: ABSENT}, READER),
        ([BROKER], [Case("tests/kafka/test_d.py::test_d", kafka=True)], {}, Case("tests/kafka/test_d.py::test_d")),
        ([BROKER], [], {"tests/unit/test_module.py": "could not import 'x'"}, Case("tests/unit/test_module.py")),
    ],
    ids=[
        "broker test skipped",
        "skip without leave",
        "shared skip with shared there",
        "broker test deselected",
        "module skipped",
    ],
)
def test_what_was_left_out_is_named(selected: list[Case], deselected: list[Case], skips: dict[str, str], named: Case) -> None:
    assert named.nodeid in "\n".join(_complaints(selected, deselected, skips))


@pytest.mark.parametrize("processes", ["0", "2"])
def test_a_broker_test_that_is_left_out_is_named_in_however_many_processes(tmp_path: Path, processes: str) -> None:
    (tmp_path / "test_left.py").write_text(LEFT)
    ended = _session(tmp_path, "--require-kafka", "-n", processes, "-m", "not fuzz")
    assert ended.returncode == 1, ended.stdout
    assert "INCOMPLETE: test_left.py::test_two was deselected, and it needs the broker" in ended.stdout


@pytest.mark.parametrize("choice", [("-k", "three"), ("test_left.py::test_one",)], ids=["name", "path"])
def test_whoever_chooses_tests_by_name_or_path_knows_what_is_left_out(tmp_path: Path, choice: tuple[str, ...]) -> None:
    (tmp_path / "test_left.py").write_text(LEFT)
    ended = _session(tmp_path, "--require-kafka", *choice)
    assert (ended.returncode, "INCOMPLETE" in ended.stdout, "1 passed" in ended.stdout) == (0, False, True), ended.stdout
    assert _complaints([BROKER], skips={BROKER.nodeid: "no broker"}, chosen=True), "a skip is nobody's choice"


def test_a_session_without_a_single_broker_test_proves_nothing_about_kafka() -> None:
    assert _complaints([READER])
    assert _complaints([SOAK], skips={SOAK.nodeid: ABSENT}, present=False)


def test_a_skipped_reader_fails_any_session_that_has_the_shared_material() -> None:
    assert _complaints([READER], skips={READER.nodeid: "not today"}, kafka=False)
    assert not _complaints([READER], skips={READER.nodeid: ABSENT}, present=False, kafka=False)


@pytest.mark.parametrize(("option", "exit_code"), [((), 0), (("--require-kafka",), 1), (("--require-kafka", "-n", "1"), 1)])
def test_the_session_ends_with_the_verdict(tmp_path: Path, option: tuple[str, ...], exit_code: int) -> None:
    (tmp_path / "test_skipped.py").write_text(
        "import pytest\n\ndef test_one():\n    pass\n\ndef test_two():\n    pytest.skip('not today')\n"
    )
    ended = _session(tmp_path, *option)
    assert ended.returncode == exit_code, ended.stdout
    assert ("INCOMPLETE: test_skipped.py::test_two was skipped: not today" in ended.stdout) == bool(option)


def _session(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """A session of its own over the tests in a folder, in the frame of ours; no path is given, as in a plain run."""
    frame = ["-p", "tests.conftest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(folder), "-o", "testpaths=."]
    command = [sys.executable, "-m", "pytest", *frame, *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
