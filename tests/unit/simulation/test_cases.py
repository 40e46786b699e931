"""Cases run through fold and topology: every key of a given/expect file does what it says, and the two must agree."""

from typing import Any

import pytest
from ruamel.yaml import YAML

from processors.simulation.cases import CaseRunner, Ran, field_types
from processors.simulation.compared import Comparison, compare
from processors.topology.advance import Advance
from processors.topology.effects import Effects, FactsRecord, Rows
from schemas.cases import Case
from schemas.definitions import Funnel
from schemas.instants import DAY, parse_instant

START = parse_instant("2026-01-01")
FUNNEL = """
funnel: sales
version: 1
owner: o
reason: r
effective_from: 2026-01-01
subject: lead
also: [deal]
conversions:
  - {name: visit, description: d, when: {event: Visit}, count: once_per_session}
  - {name: paid, description: d, when: {event: Paid, event.properties.plan: pro}}
stages:
  - {name: seen, when: {conversion: visit}, expires: {after: 10d, anchor: last}}
  - {name: fit, while: {lead.need: true, lead.score: {above: 5}, lead.since: {before: '2027-01-01'}}, at: lead.met}
  - {name: pro, when: {conversion: paid}}
  - {name: open, while: {deal.stage: open}}
outcomes: [{name: won, result: won, while: {deal.is_won: true}}]
value: {amount: deal.worth, currency: deal.currency}
"""

OPENED = ["1 advance open", "2 withdraw None", "3 advance open"]


@pytest.fixture(scope="module")
def runner() -> CaseRunner:
    return CaseRunner([Funnel.model_validate(_yaml(FUNNEL))])


def _yaml(text: str) -> Any:
    return YAML(typ="safe", pure=True).load(text)


def case(given: str, expect: str = "{path: []}", **more: Any) -> Case:
    return Case.model_validate({"name": "a", "given": _yaml(given), "expect": _yaml(expect), **more})


def run(runner: CaseRunner, *arguments: Any, as_of: int | None = None, **more: Any) -> Ran:
    ran = runner.run("sales", START, case(*arguments, **more), as_of)
    assert ran.disagreement == []
    return ran


def path(ran: Ran) -> list[str]:
    return [f"{(seen.at - START) / DAY:g} {seen.kind} {seen.to}" for seen in ran.path]


def test_types_follow_from_names_and_from_what_the_tests_take_values_for() -> None:
    assert field_types([Funnel.model_validate(_yaml(FUNNEL))]) == {
        "lead.need": "bool",
        "lead.score": "number",
        "lead.since": "time",
        "lead.met": "time",
        "deal.stage": "text",
        "deal.is_won": "bool",
        "deal.worth": "decimal",
        "deal.currency": "text",
    }


@pytest.mark.parametrize(
    ("given", "moves"),
    [
        ("{at: d1, event: Visit}", ["1 advance seen", "11 expire None"]),
        ("{at: d1, event: Paid, props: {event.properties.plan: pro}}", ["1 advance pro"]),
        ("{at: d1, event: Paid, props: {event.properties.plan: free}}", []),
        ("{at: d3, set: {lead.need: true, lead.score: 7, lead.since: d1, lead.met: d2}}", ["2 advance fit"]),
        ("{at: d3, set: {lead.need: true, lead.score: 7, lead.since: d400}}", []),
        ("{at: d1, deal: A, set: {deal.stage: open}}", ["1 advance open"]),
        (
            "{at: d1, deal: A, set: {deal.stage: open}}, {at: d2, deal: A, set: {deal.stage: null}}",
            ["1 advance open", "2 regress None"],
        ),
        ("{at: d1, deal: A, set: {deal.stage: open}}, {at: d2, deal: A, delete: true}", OPENED[:2]),
        (
            "{at: d1, deal: A, set: {deal.stage: open}}, {at: d2, deal: A, delete: true}, {at: d3, deal: A, restore: true}",
            OPENED,
        ),
        (
            "{at: d1, event: Paid, props: {event.properties.plan: pro}}, {at: d2, delete: true}",
            ["1 advance pro", "2 withdraw None"],
        ),
        ("{at: d1, id: x, event: Visit}, {at: d1, id: x, event: Visit}", ["1 advance seen", "11 expire None"]),
    ],
)
def test_records(runner: CaseRunner, given: str, moves: list[str]) -> None:
    """Every key of `given` does what it says."""
    assert path(run(runner, f"[{given}]", as_of=START + 20 * DAY)) == moves


def test_what_arrives_late_is_published_as_a_correction(runner: CaseRunner) -> None:
    given = "[{at: d0, event: Visit}, {at: d5, arrives: d12, event: Visit}]"
    published = [
        f"{seen.op} {seen.kind} {(seen.at - START) / DAY:g}" for seen in run(runner, given, as_of=START + 30 * DAY).published
    ]
    assert published == ["announce advance 0", "announce expire 10", "retract expire 10", "announce expire 15"]


def test_time_passes_until_the_last_arrival_where_no_as_of_says_otherwise(runner: CaseRunner) -> None:
    given = "[{at: d0, event: Visit}, {at: d1, arrives: d12, set: {lead.score: 1}}]"
    assert path(run(runner, given)) == ["0 advance seen", "10 expire None"]
    assert path(run(runner, given, as_of=START + 11 * DAY)) == ["0 advance seen", "10 expire None"]
    assert path(run(runner, given, as_of=START + 9 * DAY)) == ["0 advance seen"]


def test_records_that_arrive_after_as_of_are_not_there_yet(runner: CaseRunner) -> None:
    given = "[{at: d0, event: Visit}, {at: d1, arrives: d3, event: Paid, props: {event.properties.plan: pro}}]"
    assert path(run(runner, given, as_of=START + 2 * DAY)) == ["0 advance seen"]
    assert path(run(runner, given, as_of=START + 3 * DAY)) == ["0 advance seen", "1 advance pro"]


def test_sessions_count_once(runner: CaseRunner) -> None:
    given = "[{at: d0, session: 1, event: Visit}, {at: d0.1, session: 1, event: Visit}, {at: d0.2, session: 2, event: Visit}]"
    assert run(runner, given).conversions == {("visit", "counted"): 2, ("visit", "repeat"): 1}


def test_a_deal_has_a_history_of_its_own(runner: CaseRunner) -> None:
    opened = "{at: d0, deal: A, set: {deal.stage: open}}, {at: d1, deal: B, set: {deal.stage: open}}"
    given = f"[{opened}, {{at: d2, deal: A, set: {{deal.is_won: true}}}}]"
    assert path(run(runner, given)) == ["0 advance open"]
    ran = run(runner, given, subject={"deal": "A"})
    assert path(ran) == ["0 advance open", "2 outcome won"]
    assert [seen.to for seen in ran.published] == ["open", "won"]


@pytest.mark.parametrize("lost", ["transitions", "conversions"])
def test_a_topology_that_disagrees_with_the_fold_is_noticed(
    runner: CaseRunner, monkeypatch: pytest.MonkeyPatch, lost: str
) -> None:
    """The planted bug loses what one record publishes."""
    advance = Advance.__call__

    def forgetful(self: Advance, record: FactsRecord, rows: Rows) -> Effects:
        effects = advance(self, record, rows)
        effects.published = [each for each in effects.published if each.topic != lost]
        return effects

    monkeypatch.setattr(Advance, "__call__", forgetful)
    given = case("[{at: d0, event: Visit}]", "{conversions: {visit: {counted: 1}}}")
    ran = runner.run("sales", START, given)
    assert len(ran.disagreement) == 1
    assert ran.disagreement[0].startswith("the fold has ")
    assert not compare(given, START, ran).passed


def compared(runner: CaseRunner, expect: str) -> Comparison:
    """What comes is d1 seen, d2 pro and d3 open."""
    paid = "{at: d2, event: Paid, props: {event.properties.plan: pro}}"
    given = f"[{{at: d1, event: Visit}}, {paid}, {{at: d3, deal: A, set: {{deal.stage: open}}}}]"
    asked = case(given, expect)
    return compare(asked, START, runner.run("sales", START, asked))


@pytest.mark.parametrize(
    ("expect", "rows"),
    [
        ("[{at: d1, to: seen}, {to: pro}, {from: pro, to: open}]", ["=", "=", "="]),
        ("[{to: pro}, {to: open}]", ["+seen", "=", "="]),
        ("[{to: seen}, {to: fit}, {to: pro}, {to: open}]", ["=", "-fit", "=", "="]),
        ("[{to: seen}, {at: d9, to: pro}, {to: open, entry: 2}]", ["=", "at", "entry"]),
        ("[{to: seen}, {to: won, kind: outcome}, {to: open}]", ["=", "kind,to", "="]),
        ("[{from: null, to: seen, skipped: [], flags: []}, {}, {kind: advance}]", ["=", "=", "="]),
        ("[]", ["+seen", "+pro", "+open"]),
    ],
)
def test_expected_and_actual_steps_are_put_side_by_side(runner: CaseRunner, expect: str, rows: list[str]) -> None:
    """One step too few or too many shifts no other."""
    comparison = compared(runner, f"{{path: {expect}}}")
    found = []
    for row in comparison.path:
        extra = f"+{row.came.to}" if row.came is not None else "?"
        absent = f"-{row.expected.to}" if row.expected is not None else "?"
        pair = "=" if row.agrees else ",".join(row.differing)
        found.append(extra if row.expected is None else absent if row.came is None else pair)
    assert found == rows
    assert comparison.passed == (set(rows) == {"="})


@pytest.mark.parametrize(
    ("expect", "passed"),
    [
        ("{published: [{op: announce, to: seen}, {to: pro}, {to: open}]}", True),
        ("{published: [{op: retract, to: seen}, {to: pro}, {to: open}]}", False),
        ("{conversions: {visit: {counted: 1, repeat: 0}, paid: {counted: 1}}}", True),
        ("{conversions: {visit: {counted: 2}}}", False),
        ("{conversions: {visit: {repeat: 1}}}", False),
    ],
)
def test_published_operations_and_counts(runner: CaseRunner, expect: str, passed: bool) -> None:
    assert compared(runner, expect).passed == passed
