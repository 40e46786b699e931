"""A bounded run of every fuzzer, as part of `make test`; `make fuzz` runs them at length."""

import pytest

from tests.fuzz.__main__ import fuzz
from tests.fuzz.one import guided
from tests.fuzz.targets import TARGETS

pytestmark = pytest.mark.fuzz
SECONDS = 4
"""For each target."""


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_breaks_a_promise(name: str) -> None:
    done = fuzz(TARGETS[name], SECONDS)
    assert not done.left, f"broken by {done.left[0]}; replay it: pytest tests/fuzz/test_corpus.py -k {done.left[0].name}"
    assert done.tried > 0
    assert (done.edges is not None) is guided()


def test_without_coverage_it_runs_as_well() -> None:
    done = fuzz(TARGETS["hubspot"], 1, blind=True)
    assert (done.left, done.edges) == ([], None)
    assert done.tried > 0
