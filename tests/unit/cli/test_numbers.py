"""Numbers from a replay: scenarios s and u exactly as written, segments, money, versions, and the recount of all of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from processors.engine.stop import INPUT, Stop
from tests.unit.cli.called import CONFIGURATION, World, call, stopped

FUNNEL = """\
funnel: sales
version: 1
owner: o
reason: r
effective_from: 2025-01-01T00:00:00Z
subject: lead
conversions:
  - name: order
    description: d
    when: {event: Order}
    value: {amount: event.properties.total, currency: event.properties.currency}
stages:
  - {name: a, when: {event: A}}
  - {name: b, when: {event: B}}
outcomes:
  - {name: won, result: won, while: {lead.status: won}}
  - {name: lost, result: lost, while: {lead.status: lost}}
policies: {lateness: 30d}
segments: {plan: {value: event.properties.plan, rule: first_touch, top: 2}}
value: {amount: lead.amount, currency: lead.currency}
rates:
  - {from: a, to: b, within: 60d, cohort: month}
  - {from: a, to: won}
"""
SECOND = (
    FUNNEL.replace("version: 1", "version: 2").replace("reason: r", "reason: Sales asked.").replace("2025-01-01", "2026-01-20")
)


@pytest.fixture
def sales(world: World) -> World:
    (world.folder / "funnel.yml").write_text(FUNNEL)
    (world.folder / "rates.csv").write_text("date,currency,rate\n2025-01-01,USD,0.5\n2026-03-01,USD,0.25\n")
    fields = "lead.status: {from: traits.status}, lead.currency: {from: traits.currency}"
    fields += ", lead.amount: {from: traits.amount, type: decimal}"
    web = "identifiers: {userId: user}"
    configuration = CONFIGURATION.partition("  crm:")[0].replace(web, f"{web}, fields: {{{fields}}}")
    (world.folder / "test.yml").write_text(configuration + "money: {reporting: EUR, rates: rates.csv}\n")
    return world


def happened(user: str, day: str, event: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "track",
        "event": event,
        "userId": user,
        "messageId": f"{user} {day} {event}",
        **_at(day),
        "properties": properties,
    }


def became(user: str, day: str, **traits: Any) -> dict[str, Any]:
    return {"type": "identify", "userId": user, "messageId": f"{user} {day} {traits}", **_at(day), "traits": traits}


def _at(day: str) -> dict[str, str]:
    return {"timestamp": f"{day}T12:00:00Z"}


def rows(folder: Path, *options: str) -> list[dict[str, Any]]:
    """What a report says, after the recount has agreed with it."""
    assert "all equal" in call("report", folder, "--reconcile").stdout
    found: list[dict[str, Any]] = json.loads(call("report", folder, *options, "--format", "json").stdout)
    return found


JANUARY = ("--from", "2026-01-01", "--to", "2026-01-31")


def scenario_u() -> Iterator[dict[str, Any]]:
    """10 leads enter A in January, 3 reach B in January, 4 more in February; 5 others, in A before, reach B in January."""
    for number in range(5):
        yield happened(f"before{number}", f"2025-12-{10 + number}", "A")
        yield happened(f"before{number}", f"2026-01-{10 + number}", "B")
    for number in range(10):
        yield happened(f"new{number}", f"2026-01-{10 + number}", "A")
    for number in range(7):
        yield happened(f"new{number}", "2026-01-25" if number < 3 else "2026-02-10", "B")


@pytest.mark.parametrize(
    ("as_of", "maturity"),
    [
        ("2026-02-20", (10, 3, False)),
        ("2026-03-31", (0, 0, False)),
        ("2026-05-01T23:59:59Z", (0, 0, False)),
        ("2026-05-02", (0, 0, True)),
    ],
)
def test_scenario_u(sales: World, as_of: str, maturity: tuple[int, int, bool]) -> None:
    events = sorted(scenario_u(), key=lambda event: str(event["timestamp"]))
    folder = sales.replay("--as-of", as_of, web=events)
    found = {(row["rate"], row["method"]): row for row in rows(folder, "--rates", *JANUARY)}
    period, cohort = found["a->b within 60d", "period"], found["a->b within 60d", "cohort"]
    assert (period["part"], period["whole"], period["share"]) == (8, 10, 0.8)
    assert (cohort["part"], cohort["whole"], cohort["share"]) == (7, 10, 0.7)
    assert (cohort["inside"], cohort["undecided"], cohort["final"]) == maturity
    by_month = {row["first"]: row for row in rows(folder, "--cohorts", "--rate", "a->b within 60d")}
    assert (by_month["2025-12-01"]["share"], by_month["2026-01-01"]["share"]) == (1.0, 0.7)
    shown = call("report", folder, "--cohorts", "--rate", "a->b within 60d").stdout
    assert ("final" if maturity[2] else "so far") in next(line for line in shown.splitlines() if "2026-01-01" in line)


def test_scenario_s(sales: World) -> None:
    """Won in January, reopened in February, lost in March: as reported 1 win in January, restated 0; counted once, as lost."""
    web = [happened("1", "2026-01-05", "A"), became("1", "2026-01-15", status="won")]
    web += [became("1", "2026-02-10", status="open"), happened("1", "2026-02-11", "A"), became("1", "2026-03-05", status="lost")]
    (sales.folder / "funnel.yml").write_text(FUNNEL.replace("lateness: 30d", "lateness: 30d, after_outcome: reenter"))
    folder = sales.replay(web=web)
    january = {row["name"]: row for row in rows(folder, *JANUARY)}
    assert (january["won"]["touched_every_reported"], january["won"]["remained"]) == (1, 0)
    [ended] = [row for row in rows(folder, "--as-reported", *JANUARY) if row["kind"] == "ended"]
    assert (ended["name"], ended["reported"], ended["restated"], ended["reason"]) == ("won", 1, 0, "moved_on")
    [win_rate] = [row for row in rows(folder, "--rates") if row["rate"] == "win rate"]
    assert (win_rate["part"], win_rate["whole"]) == (0, 1)
    [declared] = [row for row in rows(folder, "--rates") if (row["rate"], row["method"]) == ("a->won", "cohort")]
    assert (declared["part"], declared["whole"]) == (0, 1)


def test_rule_23_a_version_that_begins_within_the_period_is_annotated(sales: World) -> None:
    (sales.folder / "second.yml").write_text(SECOND)
    (sales.folder / "test.yml").write_text((sales.folder / "test.yml").read_text().replace("funnel.yml", "definitions"))
    (sales.folder / "definitions").mkdir()
    for name in ("funnel.yml", "second.yml"):
        (sales.folder / name).rename(sales.folder / "definitions" / name)
    folder = sales.replay(web=[happened("1", "2026-01-05", "A"), happened("2", "2026-01-25", "A")])
    assert {row["name"]: row["reached"] for row in rows(folder, *JANUARY)}["a"] == 2
    assert "version 2 began on 2026-01-20: Sales asked." in call("report", folder, *JANUARY).stdout
    assert "began on" not in call("report", folder, "--from", "2026-02-01").stdout


def test_a_segment_is_folded_and_a_blank_is_none(sales: World) -> None:
    plans = ["other", "pro", None, "pro", "free", "other", "team"]
    folder = sales.replay(web=[happened(f"u{number}", "2026-01-05", "A", plan=plan) for number, plan in enumerate(plans)])
    found = [(row["segment_value"], row["folded"], row["reached"]) for row in rows(folder, "--by", "plan") if row["name"] == "a"]
    assert found == [("other", 0, 2), ("pro", 0, 2), ("(other)", 3, 3)]
    assert "(other) (3 values)" in call("report", folder, "--by", "plan").stdout
    blank = sales.replay(web=[happened("1", "2026-01-05", "A", plan="")], out="blank")
    assert {row["segment_value"] for row in rows(blank, "--by", "plan")} == {"(none)"}


def test_rule_28_money_is_converted_when_it_is_read(sales: World) -> None:
    web = [
        became("1", "2026-01-04", amount="100.10", currency="USD"),
        happened("1", "2026-01-05", "A"),
        became("2", "2026-01-04", amount="7", currency="XYZ"),
        happened("2", "2026-01-05", "A"),
        became("1", "2026-01-15", status="won"),
        happened("2", "2026-03-02", "Order", total="1.5", currency="USD"),
    ]
    folder = sales.replay(web=web)
    found = {row["name"]: row for row in rows(folder)}
    assert (found["a"]["amounts"], found["a"]["amount"], found["a"]["excluded"]) == (
        {"USD": "100.1", "XYZ": "7"},
        "50.05",
        {"XYZ": "7"},
    )
    assert (found["won"]["held_amount"], found["a"]["held_amount"], found["order"]["amount"]) == ("50.05", "0", "0.375")
    [weighted] = [row for row in rows(folder, "--rates", "--rate", "a->won") if row["method"] == "cohort"]
    assert (weighted["share"], weighted["weighted_rate"], weighted["weighted_excluded"]) == (0.5, 1.0, {"XYZ": "7"})
    assert "(without 7 XYZ: no rate)" in call("report", folder).stdout


def test_corrections_empty_a_bucket_and_say_why(sales: World) -> None:
    """A late B before the A: what was passed on the way to B was not there."""
    folder = sales.replay(
        web=[happened("1", "2026-01-05", "B"), happened("1", "2026-01-04", "A"), happened("2", "2026-01-06", "C")]
    )
    corrected = {(row["name"], row["field"]): row for row in rows(folder, "--corrections")}
    assert (corrected["a", "inferred"]["reason"], corrected["a", "inferred"]["retracted"]) == ("late", 1)
    assert "late" in call("report", folder, "--corrections").stdout


def test_a_rate_over_an_empty_period_is_no_data(sales: World) -> None:
    folder = sales.replay(web=[happened("1", "2026-01-05", "A")])
    empty = ("--from", "2020-01-01", "--to", "2020-01-31")
    assert {row["share"] for row in rows(folder, "--rates", *empty)} == {None}
    shown = call("report", folder, "--rates", *empty).stdout
    assert ("no data" in shown, "0.0%" in shown) == (True, False)


def test_a_number_that_is_wrong_is_named(sales: World) -> None:
    folder = sales.replay(web=[happened("1", "2026-01-05", "A")])
    file = folder / "metrics.ndjson"
    file.write_text(file.read_text().replace('"touched_every":1', '"touched_every":2'))
    code, sentence = stopped("report", folder, "--reconcile")
    assert (code, " differ; they are listed above" in sentence) == (INPUT, True)
    done = call("report", folder, "--reconcile", "--format", "json")
    [all_together, by_plan] = json.loads(done.stdout)
    assert (all_together["name"], all_together["number"], all_together["published"], all_together["recounted"]) == (
        *("a", "touched_every"),
        *("2", "1"),
    )
    assert (by_plan["segment"], by_plan["segment_value"]) == ("plan", "(none)")
    assert isinstance(done.exception, Stop)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--by", "colour"], "no funnel has the segment 'colour'; there is plan"),
        (["--rate", "a->c"], "'a->c' is no declared rate; there is a->b within 60d; a->won"),
        (["--funnel", "x"], "'x' is no funnel here; there is sales"),
        (["--from", "january"], "'january' is no day, such as 2026-01-31"),
        (["--from", "2026-02-01", "--to", "2026-01-01"], "2026-01-01 is before 2026-02-01"),
        (["--as-of", "noon"], "'noon' is no ISO 8601 time"),
        (["--rates", "--cohorts"], "ask for one of"),
        (["--as-reported"], "say which days"),
    ],
)
def test_what_cannot_be_asked_is_said(sales: World, options: list[str], said: str) -> None:
    folder = sales.replay(web=[happened("1", "2026-01-05", "A")])
    done = call("report", folder, *options)
    assert (done.exit_code, said in " ".join(done.output.replace("│", " ").split())) == (2, True)


@pytest.mark.parametrize("view", [[], ["--rates"], ["--cohorts"], ["--corrections"], ["--as-reported", "--from", "2026-01-06"]])
def test_every_view_is_the_same_in_csv(sales: World, view: list[str]) -> None:
    web = [happened("1", "2026-01-05", "B"), happened("2", "2026-01-06", "A"), happened("1", "2026-01-04", "A")]
    folder = sales.replay(web=web)
    found = rows(folder, *view)
    header, *lines = call("report", folder, *view, "--format", "csv").stdout.splitlines()
    assert (header.split(","), len(lines)) == (list(found[0]), len(found))
    assert len({tuple(row) for row in found}) == 1
