"""`funnelstream docs`: the catalogue says who answers, what counts, how, and where it is used."""

from pathlib import Path

import pytest

from processors.engine.stop import ENVIRONMENT
from tests.unit.cli.called import call, stopped
from tests.unit.cli.described import write


@pytest.fixture
def catalogue(tmp_path: Path) -> str:
    done = call("docs", write(tmp_path))
    assert done.exit_code == 0, done.output
    return done.stdout


def cells(catalogue: str, beginning: str) -> list[str]:
    """The cells of the one line that begins so."""
    (line,) = [line for line in catalogue.splitlines() if line.startswith(beginning)]
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_every_version_with_its_reason(catalogue: str) -> None:
    assert cells(catalogue, "| 2 | 2026")[1:4] == ["2026-03-01T00:00:00Z", "revops", "Deals \\| count."]
    assert cells(catalogue, "| 1 | 2026-01-01T00:00:00Z | growth")[3] == "First."
    assert "revops answers for it. It counts per lead, and also per deal." in catalogue


@pytest.mark.parametrize(
    ("beginning", "rest"),
    [
        (
            "| `talk` |",
            ["Sales talked.", "event Call or Visit, while lead.score is at least 5", "every match counts", "-", "sales"],
        ),
        (
            "| `free_sign_up` |",
            [
                "Opened an account.",
                "event Signed Up where event.properties.plan is free or trial",
                "once per 1d from the last counted match",
                "sign_up",
                "marketing",
            ],
        ),
        ("| `paid_sign_up` |", ["Bought at once.", "event Signed Up", "once per lead", "sign_up", "product"]),
    ],
)
def test_what_counts_how_and_who_answers(catalogue: str, beginning: str, rest: list[str]) -> None:
    assert cells(catalogue, beginning)[1:6] == rest


def test_where_a_conversion_is_used(catalogue: str) -> None:
    """In stages, in rates that begin or end at them, and a shared one in every funnel."""
    assert cells(catalogue, "| `talk` |")[6] == "`sql`; rate sql to won; rate end to sql"
    assert cells(catalogue, "| `demo_request` |")[6] == "sales: `end`, `sql`, rate sql to won, rate end to sql; web: `asked`"
    assert cells(catalogue, "| `paid_sign_up` |")[6] == "nowhere"
    assert "Shared conversions, version 3, used by `sales` and `web`." in catalogue


@pytest.mark.parametrize(
    "line",
    [
        '| 1 | `end` | Says "yes" & asks. | when: conversion demo_request | '
        "optional: passing it is no skip; ends 30d after its last signal |",
        "| 2 | `sql` | - | while: talk or demo_request has happened and not (deal.stage is lost) | "
        "entered at deal.created_at; kept when its criteria lapse; expected to be left within 5d |",
        "| 3 | `again` | - | when: event Recycled | starts the later stages anew |",
        "| `paused` | Said no for now. | while: lead.status is paused | - |",
        "| `lost` | lost | - | while: deal.stage is lost, or deal.stage is below lead_in in steps | - |",
        "- A move back is flagged as a violation.",
        "- A new signal after an outcome starts a new path.",
        "- Each entry keeps deal.amount in deal.currency.",
        "- Order of steps: none, lead_in.",
        "- `mql` of an earlier version is now `sql`.",
        "- `sal` of an earlier version is gone.",
        "| `source` | event.campaign.source, else lead.source | of the first touch, a touch is event Call | the 7 largest |",
        "| `sql` to `won` | 90d | week | lead | those who reached both, first entries |",
        "| `end` to `sql` | any time | month | lead | those who were in both, every entry |",
    ],
)
def test_stages_outcomes_policies_segments_and_rates_in_words(catalogue: str, line: str) -> None:
    assert line in catalogue.splitlines()


def test_one_file_is_described_alone_and_written_where_it_is_wanted(tmp_path: Path) -> None:
    write(tmp_path)
    call("docs", tmp_path / "web.yml", "--out", tmp_path / "web.md")
    text = (tmp_path / "web.md").read_text()
    assert [line for line in text.splitlines() if line.startswith("## ")] == ["## web"]
    assert "| `demo_request` (from [shared](#shared)) |" in text
    code, sentence = stopped("docs", tmp_path, "--out", tmp_path / "no" / "where.md")
    assert (code, "where.md cannot be written" in sentence) == (ENVIRONMENT, True)
