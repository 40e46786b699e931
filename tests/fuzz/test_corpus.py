"""Every input that is kept, run once: what a fuzzer found stays mended."""

from pathlib import Path
from random import Random

import pytest

from tests.fuzz.mutation import mutate
from tests.fuzz.one import BROKEN, blindly
from tests.fuzz.reach import keep, reach
from tests.fuzz.targets import LARGEST_INPUT, TARGETS, Target

INPUTS = [pytest.param(target, file, id=f"{target.name}-{file.name}") for target in TARGETS.values() for file in target.inputs()]


@pytest.mark.parametrize(("target", "file"), INPUTS)
def test_an_input_that_was_kept_breaks_nothing(target: Target, file: Path) -> None:
    target.run(file.read_bytes())


@pytest.mark.parametrize("name", TARGETS)
def test_a_corpus_is_small(name: str) -> None:
    files = TARGETS[name].inputs()
    assert 3 <= len(files) <= 400
    assert all(file.stat().st_size <= LARGEST_INPUT for file in files)


def test_mutations_stay_within_bounds_and_differ() -> None:
    data = (TARGETS["segment"].corpus / "signup.ndjson").read_bytes()
    mutated = {mutate(data, ["word"], [b"other"], Random(seed), 500) for seed in range(200)}
    assert len(mutated) > 150
    assert max(map(len, mutated)) <= 500


def test_of_what_is_found_only_what_reaches_something_new_is_kept(tmp_path: Path) -> None:
    planted = Target("planted", TARGETS["segment"].run, (), tmp_path)
    planted.corpus.mkdir(parents=True)
    found = {
        "again": b"{ ",
        "new": b'{"type":"track","event":"Demo","userId":"1"}',
        "larger": b'{"type":"track","event":"Demo","userId":"21"}',
    }
    for name, data in found.items():
        (tmp_path / name).write_bytes(data)
    (planted.corpus / "known").write_bytes(b"{")
    assert keep(planted, [tmp_path / name for name in found]) == 1
    assert {file.name for file in planted.corpus.iterdir()} == {"known", "new"}


def test_what_an_input_reaches_does_not_depend_on_those_before_it() -> None:
    target = TARGETS["segment"]
    data = b'{"type":"track","event":"Demo","userId":"4711","timestamp":"2026-01-01T00:00:01Z"}'
    assert len(first := reach(target, data)) > 50
    assert reach(target, data) == first


def test_an_input_that_breaks_a_promise_is_left_as_a_file(tmp_path: Path) -> None:
    """The loop for platforms without atheris; with it libFuzzer does the same."""

    def run(data: bytes) -> None:
        assert b"boom" not in data

    planted = Target("planted", run, ("boom",), tmp_path)
    planted.corpus.mkdir(parents=True)
    (planted.corpus / "sound").write_bytes(b"a b c")
    assert blindly(planted, 60, Random(1)) == BROKEN
    (left,) = planted.regressions.iterdir()
    assert b"boom" in left.read_bytes()
    assert blindly(planted._replace(run=len), 0.1, Random(1)) == 0  # type: ignore[arg-type]  # nothing it takes raises
