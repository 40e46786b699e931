"""Where a publication comes from, and how far a subject can be believed (semantics, rules 19, 21, 30)."""

from typing import Any

import msgspec

from schemas.facts import Fact
from tests.unit.stages.notation import STEPS, world
from tests.worlds import History, fact

WORLD = world(STEPS)


def told(said: Fact, **changes: Any) -> Fact:
    return msgspec.structs.replace(said, **changes)


def run(*facts: Fact) -> History:
    return History(WORLD).take(facts)


def flags(*facts: Fact) -> list[str]:
    """Of the last snapshot of the lead."""
    found: list[str] = run(*facts).bodies("leads")[-1]["flags"]
    return found


GAP = fact(2, "gap")


def test_rule_21_after_a_gap_a_lead_is_stale_until_a_snapshot() -> None:
    """A gap is no stage change: the lead stands where it stood, and its snapshot says that this may be old."""
    whole = told(fact(4, step="b"), provenance="snapshot")
    assert flags(fact(0, step="a"), GAP) == ["stale"]
    assert flags(fact(0, step="a"), GAP, fact(3, step="b")) == ["stale"]
    assert flags(fact(0, step="a"), GAP, whole) == []
    assert [body["kind"] for body in run(fact(0, step="a"), GAP).bodies("transitions")] == ["advance"]


def test_rule_21_a_gap_that_arrives_late_is_one_before_the_snapshot() -> None:
    whole = told(fact(4, step="b"), provenance="snapshot")
    assert flags(fact(0, step="a"), whole, GAP) == []
    assert flags(fact(0, step="a"), whole, fact(5, "gap")) == ["stale"]


def test_rule_21_what_a_snapshot_entered_says_so() -> None:
    """So that its time of entry, which nobody knows, stays out of velocity."""
    whole = told(fact(1, step="a"), provenance="snapshot")
    assert [body["provenance"] for body in run(whole, fact(2, step="b")).bodies("transitions")] == ["snapshot", "live"]


def test_rule_19_what_history_corrected_says_late() -> None:
    operations = run(fact(0, step="a"), fact(2, step="c"), fact(1, step="b")).bodies("transitions")
    assert [(body["op"], body["provenance"]) for body in operations] == [
        ("announce", "live"),
        ("announce", "live"),
        ("announce", "late"),
        ("amend", "late"),
    ]
    assert operations[-1]["supersedes"] == [f"{operations[-1]['transition_id']}/1"]


def test_rule_30_an_import_is_marked_and_keeps_who_changed_it() -> None:
    """Alerts leave out what is not live; the source system's word on who changed it goes with the cause."""
    imported = told(fact(0, step="a"), provenance="backfill", change_source="IMPORT")
    by_hand = told(fact(1, step="b"), change_source="CRM_UI")
    bodies = run(imported, by_hand).bodies("transitions")
    assert [(body["provenance"], body["cause"]["facts"][0]["change_source"]) for body in bodies] == [
        ("backfill", "IMPORT"),
        ("live", "CRM_UI"),
    ]
