"""A bounded run of every fuzzer, as part of `make test`; `make fuzz` runs them at length."""

import tempfile
from pathlib import Path

import pytest

from tests.fuzz import guidance
from tests.fuzz.__main__ import fuzz
from tests.fuzz.guidance import ATHERIS_ABSENT, guided, require_guidance
from tests.fuzz.targets import TARGETS

pytestmark = pytest.mark.fuzz
SECONDS = 4
"""For each target."""


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_breaks_a_promise(name: str) -> None:
    require_guidance()
    done = fuzz(TARGETS[name], SECONDS)
    assert not done.left, f"broken by {done.left[0]}; replay it: pytest tests/fuzz/test_corpus.py -k {done.left[0].name}"
    assert done.tried > 0
    assert done.edges, "atheris is here, and watches nothing"


def test_a_run_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """libFuzzer ends its process before Python can delete temporary files."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)  # else the answer of before is remembered
    fuzz(TARGETS["definitions"], 1)
    assert [*tmp_path.iterdir()] == []


@pytest.mark.parametrize("name", TARGETS)
def test_without_coverage_nothing_does_either(name: str) -> None:
    done = fuzz(TARGETS[name], 1 if guided() else SECONDS, blind=True)
    assert (done.left, done.edges) == ([], None)
    assert done.tried > 0


def test_where_coverage_is_lost_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """A skip for a reason that the summary counts; a failure where .ci/run has found an atheris before."""
    monkeypatch.setattr(guidance, "guided", lambda: False)
    monkeypatch.delenv("FUNNELSTREAM_REQUIRE_ATHERIS", raising=False)
    with pytest.raises(pytest.skip.Exception, match="^" + ATHERIS_ABSENT[:20]):
        require_guidance()
    monkeypatch.setenv("FUNNELSTREAM_REQUIRE_ATHERIS", "1")
    with pytest.raises(pytest.fail.Exception, match="is set, and atheris is not installed"):
        require_guidance()
