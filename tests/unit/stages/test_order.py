"""Which facts count, in which order, and what is named as the cause (semantics, rules 18 to 20; design, section 9)."""

import itertools

import msgspec
import pytest

from processors.stages.fold import accept, fold
from schemas.facts import Coordinates, Fact, fact_key
from schemas.instants import HOUR
from tests.unit.stages.notation import STEPS, conversions, definition, line, live, path, steps, world
from tests.worlds import START, fact, program

LATE = STEPS + "policies: {lateness: 10h}"


def moved(said: Fact, **changes: object) -> Fact:
    """The same fact with other attributes, the id included."""
    return msgspec.structs.replace(said, **changes)


@pytest.mark.parametrize("arrival", list(itertools.permutations(range(3))))
def test_rule_18_a_late_older_value_never_overwrites_a_newer_one(arrival: tuple[int, ...]) -> None:
    facts = steps("a b c")
    assert path(STEPS, *(facts[index] for index in arrival)) == path(STEPS, *facts)


@pytest.mark.parametrize(
    ("last", "facts"),
    [
        ("b", [fact(1, id="z", order=0, step="a"), fact(1, id="a", order=1, step="b")]),
        ("b", [fact(1, id="a", step="a"), fact(1, id="b", step="b")]),
        ("b", [fact(1, id="a", source="crm", step="a"), fact(1, id="a", source="web", step="b")]),
    ],
    ids=["the payload's order", "then the id", "then the source"],
)
def test_rule_18_of_one_instant_the_last_in_order_wins_whatever_arrives_first(last: str, facts: list[Fact]) -> None:
    for arrival in (facts, facts[::-1]):
        (move,) = live(STEPS, *arrival).moves
        assert line(move).split(">")[1].startswith(f"{last}#")


def test_rule_18_all_facts_of_an_instant_are_one_evaluation() -> None:
    """Set and cleared at one instant is no entry."""
    assert path(STEPS, fact(1, id="a", step="b"), fact(1, id="b", step="")) == []


@pytest.mark.parametrize(
    ("late_by", "provenance", "used"),
    [(10, "live", True), (10 + 1e-9, "live", False), (500, "backfill", True), (500, "snapshot", True)],
)
def test_rule_19_too_late_is_not_used_and_a_backfill_never_is(late_by: float, provenance: str, used: bool) -> None:
    """Lateness is from event time to the broker's time of the record, and decides by itself."""
    late = moved(fact(1, late_by=late_by, step="a"), provenance=provenance)
    assert bool(path(LATE, late)) is used


def test_rules_19_and_20_of_two_copies_the_one_in_time_counts() -> None:
    for copies in itertools.permutations([fact(1, late_by=30, step="a"), fact(1, late_by=2, step="a")]):
        assert path(LATE, *copies) == ["1 advance ->a#1"]


def test_rule_20_of_one_id_the_smallest_fingerprint_counts_whatever_arrives_first() -> None:
    """Then the broker's time, then the coordinates, so every arrival order accepts the same record."""
    first = moved(fact(1, id="x", step="a"), fingerprint=b"1")
    rivals = [
        first,
        moved(first, broker_time=first.broker_time + 1, coordinates=Coordinates("a", 0, 0)),
        moved(first, coordinates=Coordinates("zzz", 0, 0)),
        moved(fact(1, id="x", step="b"), fingerprint=b"2", broker_time=0),
    ]
    for arrival in itertools.permutations(rivals):
        assert accept(arrival) == {fact_key("web", "x"): first}
    assert len(accept([first, moved(first, source="crm")])) == 2, "an id is unique per source"


def test_before_effective_from_only_values_are_kept() -> None:
    """Evaluation: no conversion, no latch, no memory; what is true is judged at the first fact from then on."""
    later = world(
        """
effective_from: 2026-01-01T05:00:00Z
conversions: [{name: demo, description: Demo., when: {event: Demo}}]
stages:
  - {name: a, when: {event: Demo}}
  - {name: b, while: {lead.step: b}}
  - {name: c, while: {happened: demo}}
policies: {skip: allow}
"""
    )
    before = [fact(1, "Demo"), fact(2, step="b"), fact(4.9, "Demo")]
    assert path(later, *before) == []
    assert path(later, *before, fact(5, other="x")) == []  # a field that nothing reads is no fact of this funnel
    assert path(later, *before, fact(5, step="b")) == ["5 advance ->b#1 skipped a"]
    assert conversions(later, *before, fact(5, "Demo")) == ["5 demo counted advanced"]


def test_the_version_with_the_largest_effective_from_applies() -> None:
    """Evaluation: V = the version with the largest effective_from at or before the instant."""
    old = definition(STEPS)
    new = definition(STEPS.replace("{name: a,", "{name: new_a,"), version=2, effective_from=START + 2 * HOUR)
    for written in ((old, new), (new, old)):
        (lineage,) = program(*written).funnels
        assert [line(move) for move in fold(steps("a x a"), lineage).moves] == [
            "0 advance ->a#1",
            "1 regress a>-",
            "2 advance ->new_a#1",
        ]


AUTHORITY = {"lead.step": ["crm", "web"]}


def test_authority_the_strongest_source_with_a_value_wins() -> None:
    """Definitions, authority: the first with a value wins, whenever it said so; a source that takes its value back leaves it."""
    ruled = program(definition(STEPS), authority=AUTHORITY)
    said = [fact(0, step="a"), fact(1, source="crm", step="b"), fact(2, step="c"), fact(3, source="crm", step="")]
    assert path(ruled, *said) == [
        "0 advance ->a#1",
        "1 advance a>b#1",
        "3 advance b>c#1",
    ]
    assert path(STEPS, *said) == ["0 advance ->a#1", "1 advance a>b#1", "2 advance b>c#1", "3 regress c>-"]


def test_authority_takes_false_and_zero_for_values() -> None:
    """Operators: missing is never set, null or ''."""
    needs = "stages: [{name: open, while: {lead.need: false}}, {name: some, while: {lead.score: {below: 1}}}]"
    ruled = program(definition(needs), authority={"lead.need": ["crm", "web"], "lead.score": ["crm", "web"]})
    assert path(ruled, fact(0, need=True, score=5), fact(1, source="crm", need=False, score=0)) == [
        "1 advance ->open#1",
        "1 advance open>some#1",
    ]


CAUSES = """
conversions: [{name: demo, description: Demo., when: {event: Demo, event.properties.hard: true}}]
stages:
  - {name: a, when: [{event: Talk, if: {lead.fit: "yes"}}, {conversion: demo}]}
  - {name: b, while: {lead.step: b, lead.need: true}}
"""
FIT = fact(1, id="2", fit="yes")
DEMO = {"conversion": "demo", "event": "Demo", "event.properties.hard": True}


@pytest.mark.parametrize(
    ("rule", "facts", "cause", "read"),
    [
        (
            "the lowest of two it reads",
            [fact(1, id="1", other="x"), FIT, fact(1, "Talk", id="3")],
            "2",
            {"lead.fit": "yes"},
        ),
        ("an event it fires on", [fact(0, fit="yes"), fact(1, "Talk", id="1")], "1", {"lead.fit": "yes", "event": "Talk"}),
        ("a conversion it reads", [fact(1, "Demo", id="1", hard=True)], "1", DEMO),
        ("no event that does not fire", [fact(1, "Demo", id="1"), fact(1, "Demo", id="2", hard=True)], "2", DEMO),
    ],
)
def test_the_cause_is_the_lowest_fact_of_its_instant_that_the_rule_read(
    rule: str, facts: list[Fact], cause: str, read: dict[str, object]
) -> None:
    """Design, section 9; `read` is what the rule read of the state and of the causing event."""
    for arrival in (facts, facts[::-1]):
        (move,) = live(CAUSES, *arrival).moves
        assert move.cause == fact_key("web", cause), rule
        assert (move.rule, move.read) == ("stages.a", read)


def test_the_cause_of_a_withdrawal_is_the_deletion() -> None:
    gone = [fact(1, id="0", need=True), fact(1, "delete", id="gone")]
    withdrawn = live(STEPS.replace("lead.step: b", "lead.need: true"), *steps("a"), *gone).moves[-1]
    assert (withdrawn.cause, withdrawn.read) == (fact_key("web", "gone"), {"lead.step": "a", "record": "delete"})


def test_where_the_rule_read_no_fact_of_the_instant_the_lowest_is_the_cause() -> None:
    """What held during a detour is entered when the detour ends: neither fact of that instant says so."""
    detour = STEPS.replace("lead.step: a", "lead.step: [a, b]") + "detours: [{name: parked, while: {lead.status: parked}}]"
    ends = [fact(3, id="2", source="crm", status=""), fact(3, id="1", status="")]
    returned, advanced = live(detour, fact(0, step="a"), fact(1, status="parked"), fact(2, step="b"), *ends).moves[-2:]
    assert returned.cause == fact_key("web", "1")
    assert (line(advanced), advanced.cause) == ("3 advance a>b#1", fact_key("web", "1"))


def test_evidence_names_only_fields_that_the_subject_has() -> None:
    (move,) = live(CAUSES.replace("lead.need: true", "lead.need: {exists: false}"), fact(1, step="b", score=1)).moves
    assert move.read == {"lead.step": "b"}
