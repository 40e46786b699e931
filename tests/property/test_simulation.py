"""The simulation: whatever a seed's schedule does to a worker, what it commits is what `fold` gives and what consumers rely on.

`make test-fast` tries the first few hundred seeds, `make test` thousands, `make simulate` as many as it is told. A seed that ever
failed stays here for ever.
"""

import pytest

from processors.simulation.__main__ import try_seeds
from processors.simulation.arrivals import case_of
from processors.simulation.trial import attempt

FAST, MANY = range(1, 201), range(201, 3_201)
"""Seeds that every run tries, and those that `make test` tries as well."""


def test_the_first_seeds_break_no_promise() -> None:
    figures = try_seeds(FAST)
    assert figures.broken == {}
    assert min(figures.sums.values()) > len(FAST) / 2, "hardly anything happened"


@pytest.mark.simulation
def test_thousands_of_seeds_break_no_promise() -> None:
    assert try_seeds(MANY).broken == {}


def test_a_seed_is_one_case_and_a_case_is_one_run() -> None:
    for seed in range(1, 20):
        assert case_of(seed) == case_of(seed)
        assert attempt(case_of(seed)) == attempt(case_of(seed))
