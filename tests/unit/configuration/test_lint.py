"""`funnelstream lint`: what it prints and how it exits."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from processors.cli.lint import lint
from processors.cli.loading import load, load_exchange_rates
from processors.engine.stop import Stop
from tests.unit.configuration.marked import HEADER, STAGES, configuration

DESCRIBED = HEADER + "stages: [{name: mql, description: d, when: {event: A}}]\n"


def run(*arguments: object) -> Result:
    app = typer.Typer()
    app.command()(lint)
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "d").mkdir()
    (tmp_path / "application.yml").write_text(configuration(""))
    return tmp_path


def test_a_file_without_mistakes(folder: Path) -> None:
    (folder / "d" / "web.yml").write_text(DESCRIBED)
    result = run(folder / "d", "--deny-warnings")
    assert (result.exit_code, result.stdout) == (0, "no errors, no warnings\n")


def test_warnings_fail_only_when_denied(folder: Path) -> None:
    (folder / "d" / "web.yml").write_text(HEADER + STAGES)
    result = run(folder / "d")
    warning, summary = result.stdout.splitlines()
    assert warning.startswith(f"{folder / 'd' / 'web.yml'}:7:10: stages.mql: stage mql has no description: write ")
    assert (result.exit_code, warning[-9:], summary) == (0, "(warning)", "no errors, 1 warning")
    assert run(folder / "d", "--deny-warnings").exit_code == 1


def test_configuration_and_definitions_are_checked_together(folder: Path) -> None:
    (folder / "d" / "web.yml").write_text(DESCRIBED.replace("when: {event: A}", "while: {lead.plan: x}"))
    assert run(folder / "d").exit_code == 0
    result = run("--config", folder / "application.yml", "--format", "json")
    (problem,) = json.loads(result.stdout)
    assert (result.exit_code, problem["key"], problem["line"]) == (1, "stages.mql.while.lead.plan", 7)
    (folder / "application.yml").write_text(configuration("log: {level: loud}\n"))
    result = run(folder / "d", "--config", folder / "application.yml")
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (1, "1 error, no warnings")


def test_the_exchange_rates_that_a_configuration_names_are_checked_with_it(folder: Path) -> None:
    """Beside the configuration, as all that it names; the same mistakes end a command that converts amounts."""
    (folder / "d" / "web.yml").write_text(DESCRIBED)
    (folder / "application.yml").write_text(configuration("money: {reporting: EUR, rates: rates.csv}\n"))
    (folder / "rates.csv").write_text("date,currency,rate\n2026-01-01,USD,0.85\n2026-02-01,USD,0.84\n")
    assert run("--config", folder / "application.yml").stdout == "no errors, no warnings\n"
    money = load(folder / "application.yml").application.money
    assert money is not None
    assert [str(each.rate) for each in load_exchange_rates(money)] == ["0.85", "0.84"]
    (folder / "rates.csv").write_text("date,currency,rate\n2026-01-01,USD,none\n")
    result = run("--config", folder / "application.yml")
    told = f"{folder / 'rates.csv'}:2:16: rate: 'none' is no rate: write a decimal number with a point, such as 0.9245"
    assert (result.exit_code, result.stdout.splitlines()) == (1, [told, "1 error, no warnings"])
    with pytest.raises(Stop, match="1 mistake in the exchange rates") as stop:
        load_exchange_rates(money)
    (folder / "rates.csv").unlink()
    missing = run("--config", folder / "application.yml").exception
    with pytest.raises(Stop, match=r"rates.csv cannot be read: .*; write the path of the rates under `money.rates`") as absent:
        load_exchange_rates(money)
    assert isinstance(missing, Stop)
    assert (stop.value.code, absent.value.code, missing.code) == (1, 3, 3)


def test_what_is_missing_is_the_environments_fault_and_no_arguments_are_usage(folder: Path) -> None:
    missing = run(folder / "nowhere")
    assert isinstance(missing.exception, Stop)
    assert (missing.exception.code, "nowhere cannot be read" in missing.exception.sentence) == (3, True)
    assert run().exit_code == 2
