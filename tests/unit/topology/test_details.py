"""Details that a reader of a transition relies on, each found once by looking for it: evidence, flags, indexes, digests."""

import json

import pytest

from processors.classification.predicates import compile_test
from schemas.conditions import FieldTest
from schemas.instants import HOUR
from tests.unit.stages.notation import STEPS, conversions, definition, live, path, steps, world
from tests.unit.topology.ingested import change, demo, ingest, letter, webhook
from tests.unit.topology.test_advance import SIGNALS, moved, snapshots
from tests.worlds import START, History, fact, program

CONDITIONAL = """
conversions: [{name: demo, description: Demo., when: {event: Demo, event.properties.plan: pro, if: {lead.fit: 'yes'}}}]
stages: [{name: m, when: {conversion: demo}}]
"""
BOTH = """
conversions: [{name: demo, description: Demo., when: {event: Demo}}]
stages: [{name: m, while: {happened: demo, lead.fit: 'yes'}}]
"""
RECYCLING = """
stages:
  - {name: m, when: {event: Recycle}, resets: true}
  - {name: n, when: {event: Signup}}
  - {name: o, while: {lead.fit: 'yes'}}
"""
REENTERING = """
stages: [{name: m, when: {event: Signup}}, {name: n, when: {event: Talk}}]
outcomes: [{name: won, result: won, while: {lead.status: customer}}]
policies: {after_outcome: reenter}
"""


@pytest.mark.parametrize("body", [b"no json", json.dumps(demo()).encode(), json.dumps(demo(timestamp=None)).encode()])
def test_a_kafka_time_in_another_unit_is_a_dead_letter(body: bytes) -> None:
    """A producer that writes microseconds where milliseconds belong must not stop the worker (invariant 7)."""
    effects = ingest(body, at=START * 1000)
    assert letter(effects)[1]["dead-letter-reason"] == "kafka_time"
    assert letter(effects)[1]["dead-letter-time"] == str(START * 1000)


def test_a_null_header_stays_null() -> None:
    assert ingest(b"x", headers=[("h", None)]).published[0].headers[0] == ("h", None)


@pytest.mark.parametrize("first", ["nonsense", webhook("contact.merge", primaryObjectId=1, mergedObjectIds=[2, 3])])
def test_a_bad_element_is_named_by_its_place_in_the_array(first: object) -> None:
    """Design, section 9: whatever stands before it, an unusable element, or one that makes two statements."""
    told = letter(ingest([first, change("need", "true"), change("status", "9")], source="crm"))[1]
    assert "element 2: status" in told["dead-letter-sentence"]


def test_the_snapshot_drops_criteria_lapsed_when_they_hold_again() -> None:
    """No transition says so, and still the lead's flags are other ones."""
    took = History(world(SIGNALS)).take([fact(0, fit="yes"), fact(1, fit="no"), fact(2, fit="yes")])
    assert [(snapshot or {})["flags"] for snapshot in snapshots(took)] == [[], ["criteria_lapsed"], []]


def test_a_customer_is_flagged_in_a_funnel_that_reads_no_deals_too() -> None:
    took = History(world(REENTERING)).take([fact(0, "Signup"), fact(1, status="customer"), fact(2, "Talk", deal="A")])
    assert [(snapshot or {})["flags"] for snapshot in snapshots(took)] == [[], [], ["customer"]]


def test_a_funnel_the_lead_was_never_in_gets_no_snapshot() -> None:
    other = definition(STEPS.replace("lead.step", "lead.other"), funnel="other")
    took = History(program(definition(STEPS), other)).take([*steps("a"), fact(1, "delete"), fact(2, "restore")])
    assert {record.key for record in took.published if record.topic == "leads"} == {b"lead/user:1/test"}


def test_rule_21_what_a_snapshot_caused_says_snapshot_though_it_came_late() -> None:
    took = History(world(STEPS)).take([fact(5, step="b"), moved(fact(1, step="a"), provenance="snapshot")])
    told = {body["to"]["stage"]: body["provenance"] for body in took.bodies("transitions")}
    assert told == {"a": "snapshot", "b": "late"}


def test_a_reset_is_decided_by_the_recycling_event() -> None:
    at_once = [fact(1, id="0", fit="no"), fact(1, "Recycle", id="1")]
    *_, regress = live(RECYCLING, fact(0, "Recycle"), fact(0, "Signup"), *at_once).moves
    assert (regress.kind, regress.rule, regress.read) == ("regress", "stages.m", {"event": "Recycle"})


def test_evidence_of_a_conversion_and_of_what_it_moves_names_the_state_it_read() -> None:
    timeline = live(CONDITIONAL, fact(0, fit="yes"), fact(1, "Demo", plan="pro"))
    read = {"lead.fit": "yes", "event": "Demo", "event.properties.plan": "pro"}
    assert [match.read for match in timeline.matches] == [read]
    assert [move.read for move in timeline.moves] == [{**read, "conversion": "demo"}]


@pytest.mark.parametrize("ids", [("1", "2"), ("2", "1")])
def test_rule_1_advanced_does_not_depend_on_ids(ids: tuple[str, str]) -> None:
    assert conversions(BOTH, fact(1, "Demo", id=ids[0]), fact(1, id=ids[1], fit="yes")) == ["1 demo counted advanced"]


def test_rule_4_further_signals_of_one_instant_refresh_nothing() -> None:
    took = History(world(SIGNALS)).take([fact(1, "Signup", id=f"{number:03}") for number in range(50)])
    assert [body["op"] for body in took.bodies("transitions")] == ["announce"]


def test_rule_5_won_after_lost_infers_nothing_that_was_entered() -> None:
    assert path(STEPS, *steps("a b lost won"))[-1] == "3 outcome lost>won#1 skipped c,d"


def test_an_outcome_that_ends_at_this_instant_is_no_reentry() -> None:
    """It is a reopening to the furthest stage that holds, whether the signal comes with it or after it."""
    won = [fact(0, "Signup"), fact(1, "Talk"), fact(2, status="customer"), fact(3, status="open")]
    assert path(REENTERING, *won, fact(3.5, "Signup"))[-1] == "3 reopen won>n#2"
    assert path(REENTERING, *won, fact(3, "Signup"))[-1] == "3 reopen won>n#2"


def test_types_and_authority_of_what_is_read_belong_to_the_digest() -> None:
    """They decide what a stored value means, so workers that differ in them must not share state."""
    digests = {
        program(definition(STEPS), authority={"lead.step": order}).definitions.digest
        for order in (["crm", "web"], ["web", "crm"])
    }
    assert len(digests) == 2


def test_a_value_stored_under_another_type_is_read_as_the_present_one() -> None:
    """A field's type changes with the configuration; the rows keep what they were written with."""
    before = compile_test(FieldTest(field="lead.x_at", operator="before", operand="2026-01-01"), {}, "time")
    assert (before("2025-01-01"), before("2027-01-01"), before("soon")) == (True, False, False)


def test_evidence_writes_instants_as_every_time_in_a_record() -> None:
    seen = "stages: [{name: m, while: {lead.created_at: {after: '2025-06-01'}}}]"
    (move,) = live(seen, fact(0, created_at=START)).moves
    assert move.read == {"lead.created_at": "2026-01-01T00:00:00Z"}


def test_the_state_has_come_to_the_time_of_what_happened_late_or_not() -> None:
    """By it a new version is refused that would judge anew what was judged."""
    took = History(program(definition(STEPS))).take([fact(5, step="a"), fact(2, step="b"), fact(5, step="a")])
    assert [effects.reached - START for effects in took.effects] == [5 * HOUR, 2 * HOUR, 5 * HOUR]
