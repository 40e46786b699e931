"""`lint` as CSV, and the options of `schema` that exclude each other."""

import csv
from pathlib import Path

import pytest

from processors.configuration.problems import Problem
from tests.unit.cli.called import FUNNEL, call


def test_lint_as_csv(tmp_path: Path) -> None:
    """The lines are the problems and nothing else; the summary goes to standard error."""
    (tmp_path / "funnel.yml").write_text(FUNNEL.replace("subject: lead", "subject: leed"))
    done = call("lint", tmp_path, "--format", "csv")
    header, *lines = list(csv.reader(done.stdout.splitlines()))
    assert (done.exit_code, header) == (1, list(Problem._fields))
    assert [(line[0], line[1], line[3], line[5]) for line in lines] == [(str(tmp_path / "funnel.yml"), "6", "subject", "error")]
    assert "1 error, no warnings" in done.stderr


@pytest.mark.parametrize(
    "options", [("--check", "--write"), ("lead.v1", "--check"), ("lead.v1", "--write"), ("nothing",)], ids=" ".join
)
def test_schema_refuses_what_it_would_have_to_ignore(
    options: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert call("schema", *options).exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_schema_writes_what_it_then_finds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [call("schema", option).exit_code for option in ("--write", "--check")] == [0, 0]
