"""What a run publishes as facts arrive: corrections, duplicates, conflicts, snapshots (semantics, rules 3, 16, 18 to 20)."""

import itertools
import json
from typing import Any

import msgspec
import pytest

from processors.topology.program import Program
from schemas.facts import Coordinates, Fact
from schemas.instants import HOUR
from tests.unit.stages.notation import STEPS, definition, operations, steps, world
from tests.worlds import History, fact, program

LATE = STEPS + "policies: {lateness: 10h}"
SIGNALS = """
conversions:
  - {name: trial, description: Trial., when: {event: Signup}, count: once_per_lead}
stages:
  - {name: known, when: {conversion: trial}}
  - {name: fit, while: {lead.fit: "yes"}, lapse: keep}
policies: {skip: allow}
"""


def run(text: str | Program, *arrivals: Fact) -> History:
    return History(world(text) if isinstance(text, str) else text).take(arrivals)


def moved(said: Fact, **changes: object) -> Fact:
    """The same fact with other attributes, the id included."""
    return msgspec.structs.replace(said, **changes)


def counts(took: History) -> list[tuple[str, ...]]:
    """What the last record counted."""
    return list(took.effects[-1].counts)


def test_scenario_k_the_later_stage_arrives_first() -> None:
    """Announced with the skip, then the stage between is announced and the later one amended; no new entry."""
    a, b, c = steps("a b c")
    took = run(STEPS, a, c, b)
    assert operations(took) == [
        "announce 0 advance ->a#1",
        "announce 2 advance a>c#1 skipped b !skip",
        "announce 1 advance a>b#1",
        "amend 2 advance b>c#1",
    ]
    first, amended = (body for body in took.bodies("transitions") if body["to"]["stage"] == "c")
    assert amended["transition_id"] == first["transition_id"]
    assert (amended["revision"], amended["supersedes"]) == (2, [f"{first['transition_id']}/1"])
    assert [body["sequence"] for body in took.bodies("transitions")] == [1, 2, 3, 4]


def test_scenario_c_what_a_late_fact_takes_back_goes_first() -> None:
    """The earlier fact becomes the cause of the entry: the retraction precedes the announcement that takes its place."""
    took = run(STEPS, fact(5, step="b", id="x"), fact(2, step="b", id="y"))
    assert operations(took) == [
        "announce 5 advance ->b#1 skipped a !skip",
        "retract 5 advance ->b#1 skipped a !skip",
        "announce 2 advance ->b#1 skipped a !skip",
    ]
    retracted = took.bodies("transitions")[1]
    assert retracted["supersedes"] == [f"{retracted['transition_id']}/1"]


def test_what_was_retracted_is_announced_again_with_the_next_revision() -> None:
    """Every op raises the revision, so ce_id never names two records."""
    late, deeper = fact(2, step="b", id="y"), moved(fact(2, step="x", id="y"), fingerprint=b"")
    took = run(STEPS, fact(5, step="b", id="x"), late, deeper)
    again = [body for body in took.bodies("transitions") if body["cause"]["facts"][0]["id"] == "x"]
    assert [(body["op"], body["revision"]) for body in again] == [("announce", 1), ("retract", 2), ("announce", 3)]


def test_rule_3_a_late_first_match_turns_the_counted_one_into_a_repeat() -> None:
    """Published as an amendment of the conversion; the stage's entry gets its earlier cause."""
    took = run(SIGNALS, fact(5, "Signup"), fact(2, "Signup"))
    assert operations(took, since=2) == [
        "retract 5 advance ->known#1",
        "announce 2 trial counted advanced",
        "announce 2 advance ->known#1",
        "amend 5 trial repeat",
    ]


def test_rule_18_one_instant_is_judged_again_as_its_facts_arrive() -> None:
    """A lower-ordered fact of the instant takes over the cause; a higher one refreshes nothing (rule 4)."""
    signup, change = fact(1, "Signup", id="b"), fact(1, fit="yes", id="a")
    assert operations(run(SIGNALS, signup, change))[2:] == ["announce 1 advance known>fit#1"]
    third = fact(1, "Signup", id="c")
    assert operations(run(SIGNALS, signup, change, third, fact(2, fit="no")))[3:] == [
        "announce 1 trial repeat advanced",
        "announce 2 notice fit>fit#1 !criteria_lapsed",
    ]
    lower = fact(1, "Signup", id="a")
    assert operations(run(SIGNALS, signup, lower))[2:] == [
        "retract 1 advance ->known#1",
        "announce 1 trial counted advanced",
        "amend 1 trial repeat advanced",
        "announce 1 advance ->known#1",
    ]


def test_rule_19_too_late_is_stored_and_counted_and_its_copy_in_time_is_used() -> None:
    """The copy that reached the broker in time decides, whatever is read first."""
    late, in_time = fact(1, late_by=30, step="a"), fact(1, late_by=2, step="a")
    took = run(LATE, late)
    assert (operations(took), counts(took), len(took.effects[-1].rows)) == ([], [("too_late", "test")], 1)
    assert operations(took.take([in_time, late])) == ["announce 1 advance ->a#1"]
    took = run(LATE, in_time, late, late)
    assert operations(took) == ["announce 1 advance ->a#1"]
    assert counts(took) == [("duplicates", "web")]


def test_a_copy_without_a_time_of_its_own_has_the_earliest_broker_time() -> None:
    """A record without a time takes its copy's earliest: what was announced is taken to that time."""
    late, early = fact(5, step="a", id="x"), moved(fact(3, step="a", id="x"), fingerprint=fact(5, step="a", id="x").fingerprint)
    assert operations(run(STEPS, late, early)) == ["announce 5 advance ->a#1", "amend 3 advance ->a#1"]
    assert operations(run(STEPS, early, late)) == ["announce 3 advance ->a#1"]


def test_rule_20_a_duplicate_writes_nothing_and_publishes_nothing() -> None:
    """Also with other coordinates and a later broker time."""
    said = fact(1, step="a")
    again = moved(said, coordinates=Coordinates("web.events", 7, 700), broker_time=said.broker_time + HOUR)
    took = run(STEPS, said, fact(2, step="b"), said, again)
    for effects in took.effects[-2:]:
        assert (effects.published, effects.rows, effects.snapshots) == ([], {}, {})
    assert counts(took) == [("duplicates", "web")]


RIVALS = [
    moved(fact(1, id="x", step=step), fingerprint=step.encode(), coordinates=Coordinates(f"topic.{step}", index, 10 + index))
    for index, step in enumerate("abc")
]


def _named(headers: dict[str, bytes], prefix: str) -> list[str | int]:
    """The coordinates that a dead letter names."""
    return [headers[f"{prefix}topic"].decode(), int(headers[f"{prefix}partition"]), int(headers[f"{prefix}offset"])]


@pytest.mark.parametrize("arrival", list(itertools.permutations(RIVALS)))
def test_rule_20_of_conflicting_records_the_same_one_counts_in_any_order(arrival: tuple[Fact, ...]) -> None:
    """Every loser is one dead letter that names both records; a loser that comes again is none."""
    took = run(STEPS, *arrival)
    assert took.net("transitions") == run(STEPS, RIVALS[0]).net("transitions")
    letters = [record for record in took.published if record.topic == "dead_letters"]
    assert sorted(json.loads(letter.value or b"")["values"]["lead.step"] for letter in letters) == ["b", "c"]
    for letter in letters:
        lost, headers = json.loads(letter.value or b""), {name: value or b"" for name, value in letter.headers}
        assert (headers["dead-letter-reason"], letter.key) == (b"conflicting_duplicate", b"user:1")
        assert lost["coordinates"] == _named(headers, "dead-letter-")
        other = _named(headers, "dead-letter-other-")
        stronger = [rival for rival in RIVALS if rival.fingerprint.hex() < lost["fingerprint"]]
        assert other in [list(msgspec.structs.astuple(rival.coordinates)) for rival in stronger]
        for topic, partition, offset in (lost["coordinates"], other):
            assert f"{topic}[{partition}]@{offset}" in headers["dead-letter-sentence"].decode()
    before = len(took.published)
    took.take(RIVALS)
    assert took.published[before:] == []


def test_rule_20_the_winner_takes_the_loser_s_place_in_history() -> None:
    """A conflict is a correction: another time and another content under one id."""
    loser = moved(fact(5, id="x", step="c"), fingerprint=b"2")
    winner = moved(fact(1, id="x", step="a"), fingerprint=b"1")
    took = run(STEPS, fact(3, step="b"), loser, winner)
    assert operations(took)[2:] == [
        "retract 5 advance b>c#1",
        "announce 1 advance ->a#1",
        "amend 3 advance a>b#1",
    ]
    unread = moved(fact(5, id="x", other="-"), fingerprint=b"1")
    assert operations(run(STEPS, loser, unread))[1:] == ["retract 5 advance ->c#1 skipped a,b !skip"]


@pytest.mark.parametrize(
    ("arrivals", "provenance"),
    [
        ([fact(1, step="a")], "live"),
        ([moved(fact(1, step="a"), provenance="snapshot")], "snapshot"),
        ([moved(fact(1, step="a"), provenance="backfill")], "backfill"),
        ([fact(2, step="b"), fact(1, step="a")], "late"),
    ],
)
def test_provenance_says_how_the_record_at_hand_came(arrivals: list[Fact], provenance: str) -> None:
    assert {body["provenance"] for body in run(STEPS, *arrivals).bodies("transitions")[-1:]} == {provenance}


def test_recorded_at_is_the_log_append_time() -> None:
    """Invariant 5: no other clock. `History` appends a microsecond apart."""
    took = run(STEPS, *steps("a b"))
    assert [body["recorded_at"] for body in took.bodies("transitions")] == ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000001Z"]


def test_sequence_counts_over_all_funnels_and_grains_in_the_order_of_their_names() -> None:
    """Invariant 3; a funnel that reads nothing of a fact is not touched by it."""
    funnels = [definition(STEPS, funnel=name, subject=grain) for name, grain in (("b", "lead"), ("a", "visitor"), ("c", "lead"))]
    other = definition(STEPS.replace("lead.step", "lead.other"), funnel="other")
    took = run(program(*funnels, other), *steps("a b"))
    seen = [(body["sequence"], body["funnel"], body["subject"]["kind"]) for body in took.bodies("transitions")]
    grains = {"a": "visitor", "b": "lead", "c": "lead"}
    assert seen == [(number, name, grains[name]) for number, name in enumerate("abcabc", start=1)]


def test_a_visitor_moves_in_visitor_funnels_only() -> None:
    """Design, section 9: for lead-grain funnels a visitor is published once it is identified (scenario q)."""
    both = program(definition(STEPS, funnel="leads"), definition(STEPS, funnel="people", subject="visitor"))
    took = run(both, moved(fact(1, step="a"), entity="anonymous:1"), fact(1, step="a"))
    assert [(body["funnel"], body["subject"]["id"]) for body in took.bodies("transitions")] == [
        ("people", "anonymous:1"),
        ("leads", "user:1"),
        ("people", "user:1"),
    ]


def snapshots(took: History) -> list[dict[str, Any] | None]:
    return [json.loads(record.value) if record.value else None for record in took.published if record.topic == "leads"]


def test_the_snapshot_says_where_the_lead_stands() -> None:
    """Design, section 9: key = grain, id, funnel; position, outcome, furthest, spells, sequence."""
    took = run(STEPS, *steps("a c a lost"))
    assert {record.key for record in took.published if record.topic == "leads"} == {b"lead/user:1/test"}
    last = snapshots(took)[-1]
    assert last
    assert last["position"] == {"outcome": "lost", "entered_at": "2026-01-01T03:00:00Z", "entry": 1}
    assert (last["outcome"], last["furthest"], last["sequence"]) == ("lost", "c", 4)
    assert last["spells"]["a"] == {
        "entries": 2,
        "first_entered_at": "2026-01-01T00:00:00Z",
        "last_entered_at": "2026-01-01T02:00:00Z",
        "closed": 2,
        "latest_seconds": 3600.0,
        "cumulative_seconds": 7200.0,
    }


def test_the_snapshot_flags_lapsed_criteria() -> None:
    took = run(SIGNALS, fact(0, fit="yes"), fact(1, fit="no"))
    assert [last and last["flags"] for last in snapshots(took)] == [[], ["criteria_lapsed"]]


def test_rule_16_a_deleted_lead_leaves_a_tombstone_until_it_is_restored() -> None:
    took = run(STEPS, *steps("a delete restore"))
    assert [last and last["position"]["entry"] for last in snapshots(took)] == [1, None, 2]
    nowhere, gone = snapshots(run(STEPS, *steps("a gone delete")))[-2:]
    assert nowhere
    assert (nowhere["position"], gone) == (None, None), "who stands nowhere is not gone"
    assert run(STEPS, fact(0, "delete"), fact(1, "restore")).published == [], "who was never published needs no tombstone"


def test_live_counters_count_announced_entries() -> None:
    """Rule 31: corrections are series of their own and take nothing back."""
    a, b, c = steps("a b c")
    took = run(STEPS, a, c, b)
    assert counts(took) == [
        ("refolds", "test"),
        ("transitions", "test", "announce", "advance"),
        ("entries", "test", "b"),
        ("transitions", "test", "amend", "advance"),
    ]
    took = run(SIGNALS, fact(0, "Signup"))
    assert ("conversions", "test", "trial", "counted", "announce") in counts(took)


def test_a_notice_and_a_return_are_no_entries() -> None:
    """Evaluation: a notice is no entry, a return goes on with the entry that was left."""
    funnel = SIGNALS + "detours: [{name: parked, while: {lead.status: parked}}]"
    took = run(funnel, fact(0, fit="yes"), fact(1, fit="no"), fact(2, status="parked"), fact(3, status=""))
    announced = [count[2:] for effects in took.effects for count in effects.counts if count[0] == "entries"]
    assert announced == [("fit",), ("parked",)]
    assert operations(took)[-1] == "announce 3 return parked>fit#1"
