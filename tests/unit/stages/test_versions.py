"""Several versions of one funnel in one history: prospective, quiet at the seam, nothing lost that has a name (rule 23)."""

from typing import Any

import pytest

from schemas.facts import Fact
from schemas.instants import HOUR
from tests.given_expect import assert_any_order
from tests.unit.stages.notation import definition, line, live
from tests.worlds import START, fact, program

FIRST = """
stages:
  - {name: a, when: {event: Ask}}
  - {name: b, while: {lead.step: [b, c]}}
  - {name: c, while: {lead.step: c}}
outcomes: [{name: won, result: won, while: {lead.step: won}}]
policies: {skip: allow}
"""
SEAM = 10


def world(second: str) -> Any:
    """Two versions; the second applies from hour 10."""
    return program(definition(FIRST), definition(second, version=2, effective_from=START + SEAM * HOUR))


def paths(second: str, *facts: Fact) -> list[str]:
    """The moves, each with the version that made it, the same in every order of arrival."""
    lived = world(second)
    assert_any_order(lived, facts, START + 99 * HOUR, 5)
    return [f"v{move.version} {line(move)}" for move in live(lived, *facts).moves]


STRICTER = FIRST.replace("[b, c]", "c")
RENAMED = FIRST.replace("name: b", "name: better") + "retired: {b: better}"
REMOVED = FIRST.replace("  - {name: b, while: {lead.step: [b, c]}}\n", "") + "retired: {b: remove}"
EXPIRING = FIRST.replace("when: {event: Ask}", "when: {event: Ask}, expires: {after: 5h, anchor: first}")


@pytest.mark.parametrize(
    ("rule", "second", "facts", "moves"),
    [
        ("what was before keeps its version", STRICTER, [fact(1, step="b")], ["v1 1 advance ->b#1 skipped a"]),
        (
            "the seam moves nobody, the next fact does",
            STRICTER,
            [fact(1, step="b"), fact(12, "Ask")],
            ["v1 1 advance ->b#1 skipped a", "v2 12 regress b>a#1"],
        ),
        (
            "exactly at the start the new one applies",
            STRICTER,
            [fact(SEAM, step="b"), fact(SEAM + 1, "Ask")],
            ["v2 11 advance ->a#1"],
        ),
        (
            "a latch is carried over by the stage's name",
            STRICTER,
            [fact(1, "Ask"), fact(12, step="c")],
            ["v1 1 advance ->a#1", "v2 12 advance a>b#1", "v2 12 advance b>c#1"],
        ),
        (
            "a renamed stage keeps its entries",
            RENAMED,
            [fact(1, step="b"), fact(12, step="x"), fact(13, step="b")],
            ["v1 1 advance ->b#1 skipped a", "v2 12 regress better>-", "v2 13 advance ->better#2 skipped a"],
        ),
        (
            "a removed one gives way to the nearest before it",
            REMOVED,
            [fact(1, "Ask"), fact(2, step="b"), fact(12, step="c")],
            ["v1 1 advance ->a#1", "v1 2 advance a>b#1", "v2 12 advance a>c#1"],
        ),
        (
            "an outcome is no new one",
            STRICTER,
            [fact(1, step="won"), fact(12, "Ask")],
            ["v1 1 outcome ->won#1 skipped a,b,c"],
        ),
        (
            "a timer that only the new one knows ends at the seam's first fact",
            EXPIRING,
            [fact(1, "Ask"), fact(12, step="x")],
            ["v1 1 advance ->a#1", "v2 12 regress a>-"],
        ),
    ],
)
def test_rule_23_a_version_applies_from_its_start(rule: str, second: str, facts: list[Fact], moves: list[str]) -> None:
    assert paths(second, *facts) == moves, rule


def test_rules_19_and_23_a_late_fact_is_judged_by_the_version_of_its_time() -> None:
    late = fact(2, step="b", late_by=20)
    assert paths(STRICTER, fact(1, "Ask"), fact(12, "Ask"), late)[1] == "v1 2 advance a>b#1"


def test_rule_23_preview_is_the_new_version_alone() -> None:
    """What a restate would give, from the first fact on."""
    alone = program(definition(STRICTER, version=2))
    assert [line(move) for move in live(alone, fact(1, step="b"), fact(2, "Ask")).moves] == ["2 advance ->a#1"]
