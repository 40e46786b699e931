"""The simulation: whatever a seed's schedule does to a worker, what it commits is what `fold` gives and what consumers rely on.

`make test-fast` tries the first hundred seeds, `make test` thousands, `make simulate` as many as it is told. What a seed has
found once stays in `test_found_by_simulation.py`.
"""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from processors.configuration.application import load_application
from processors.configuration.definitions import load_definitions
from processors.configuration.problems import errors
from processors.simulation.__main__ import explained, main, try_seeds
from processors.simulation.application import APPLICATION
from processors.simulation.arrivals import case_of
from processors.simulation.definitions import funnels
from processors.simulation.dice import Dice
from processors.simulation.schedule import Case, described
from processors.simulation.shrinking import shortest
from processors.simulation.trial import attempt
from processors.topology import history
from processors.topology.effects import Effects
from processors.topology.ingest import Ingest

FAST, MANY = range(1, 101), range(101, 3_101)
"""Seeds that every run tries, and those that `make test` tries as well."""


def test_the_first_seeds_break_no_promise() -> None:
    figures = try_seeds(FAST)
    assert figures.broken == {}
    assert all(happened > len(FAST) / 2 for happened in figures.sums.values()), "hardly anything happened"


@pytest.mark.simulation
def test_thousands_of_seeds_break_no_promise() -> None:
    assert try_seeds(MANY).broken == {}


def test_a_seed_is_one_case_and_a_case_is_one_run() -> None:
    for seed in range(1, 8):
        assert case_of(seed) == case_of(seed)
        assert attempt(case_of(seed)) == attempt(case_of(seed))


def test_what_chance_defines_is_what_lint_accepts(tmp_path: Path) -> None:
    """A case that no user could have would show nothing."""
    folder, config = tmp_path / "funnels", tmp_path / "funnelstream.yml"
    _write(config, APPLICATION)
    for seed in range(15):
        written = funnels(Dice(seed))
        folder.mkdir(exist_ok=True)
        for file in folder.iterdir():
            file.unlink()
        for number, funnel in enumerate(written):
            _write(folder / f"{number}.yml", funnel)
        application, problems = load_application(config, {})
        assert application is not None, problems
        found = load_definitions([folder], application)[1]
        assert errors([*problems, *found]) == [], seed


def _write(file: Path, content: object) -> None:
    with file.open("w") as stream:
        YAML(typ="safe").dump(content, stream)


@pytest.fixture
def _forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """A planted bug: a record from the web that carries no id of its own makes no fact, and no one hears of it."""
    ingest = Ingest.__call__

    def forget(self: Ingest, record: object) -> object:
        effects = ingest(self, record)  # type: ignore[arg-type]  # the record of a source, as it comes
        if record.source == "web" and b"messageId" not in record.value:  # type: ignore[attr-defined]
            return Effects()
        return effects

    monkeypatch.setattr(Ingest, "__call__", forget)


@pytest.mark.usefixtures("_forgetful")
def test_the_shortest_case_is_short_and_fails_in_the_same_way() -> None:
    long = next(case for seed in range(1, 100) if attempt(case := case_of(seed)).broken is not None)
    short = shortest(long)
    assert attempt(short).broken is not None
    assert attempt(short).broken.promise == attempt(long).broken.promise == "nothing disappears"  # type: ignore[union-attr]
    assert len(short.steps) == 1 < len(long.steps)
    assert len(short.funnels) == short.partitions == 1


@pytest.mark.usefixtures("_forgetful")
def test_a_broken_promise_is_printed_with_its_seed_and_its_shortest_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "30", "--jobs", "1"]) == 4
    printed = capsys.readouterr().out
    assert "BROKEN: nothing disappears" in printed
    assert "ends as nothing" in printed
    assert "1 promises broken" in printed
    seed = printed.split("Try the whole of it again: python -m processors.simulation --first-seed ")[1].split()[0]
    assert f"Seed {seed}, in its shortest form, breaks" in printed
    assert "\n".join(explained(int(seed))) in printed


def test_seeds_that_break_nothing_end_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "3", "--first-seed", "5", "--jobs", "1"]) == 0
    assert capsys.readouterr().out.startswith("3 seeds in ")


def test_tight_limits_are_those_of_one_trial_only() -> None:
    page = history.PAGE
    attempt(next(case for seed in range(50) if (case := case_of(seed)).tight))
    assert page == history.PAGE


def test_a_case_is_described_by_everything_that_happens_in_it() -> None:
    case: Case = case_of(7)
    lines = list(described(case))
    assert [line.split()[0] for line in lines[-len(case.steps) :]] == [str(number + 1) for number in range(len(case.steps))]
