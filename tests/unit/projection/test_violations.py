"""The journal: how often a policy was violated, as published and as taken back, whatever is read twice."""

from typing import Any

import msgspec

from processors.projection.journal import Journal, Violated, decode_transition

SKIP, BACKWARD = "policy_violation:skip", "policy_violation:backward"
Operation = tuple[str, int, str, list[str]]
"""Id, revision, what was done, and the flags."""


def test_an_id_names_a_cause_and_two_subjects_may_share_it() -> None:
    """Identity, R12: one source record about two leads. What is taken back of one stands of the other."""
    found = Journal(str.encode)
    for subject, revision, op in (("contact:1", 1, "announce"), ("contact:2", 1, "announce"), ("contact:1", 2, "retract")):
        written = {**_transition("t", revision, op, [SKIP]), "subject": {"kind": "lead", "id": subject}}
        body = msgspec.json.encode(written)
        found.put_transitions([(decode_transition(body), body)])
    assert [len(found.path(subject, 10)) for subject in (b"contact:1", b"contact:2")] == [0, 1]
    assert found.violations() == [Violated("web", "lead", "skip", 2, 1)]


def journal(*operations: Operation) -> Journal:
    """A journal that has read operations."""
    found = Journal(str.encode)
    for identity, revision, op, flags in operations:
        body = msgspec.json.encode(_transition(identity, revision, op, flags))
        found.put_transitions([(decode_transition(body), body)])
    return found


def _transition(identity: str, revision: int, op: str, flags: list[str]) -> dict[str, Any]:
    at = "2026-01-05T00:00:00Z"
    return {
        "transition_id": identity,
        "revision": revision,
        "op": op,
        "kind": "advance",
        "funnel": "web",
        "subject": {"kind": "lead", "id": "contact:1"},
        "deal": None,
        "effective_at": at,
        "recorded_at": at,
        "from": None,
        "to": {"stage": "b", "entered_at": at, "entry": 1},
        "flags": flags,
    }


def test_a_violation_counts_once_and_is_taken_back_once() -> None:
    announced, taken_back = ("x", 1, "announce", [SKIP]), ("x", 2, "retract", [SKIP])
    assert journal(announced).violations() == [Violated("web", "lead", "skip", 1, 0)]
    assert journal(announced, taken_back, announced, taken_back).violations() == [Violated("web", "lead", "skip", 1, 1)]
    assert journal(("x", 1, "announce", ["criteria_lapsed"]), ("y", 1, "announce", [])).violations() == []


def test_an_amendment_counts_by_what_it_changes() -> None:
    """A late fact fills the stage that was skipped, and a later one takes that away again."""
    filled: tuple[Operation, ...] = (("x", 1, "announce", [SKIP]), ("x", 2, "amend", []))
    assert journal(*filled).violations() == [Violated("web", "lead", "skip", 1, 1)]
    assert journal(*filled, ("x", 3, "amend", [SKIP])).violations() == [Violated("web", "lead", "skip", 2, 1)]
    unchanged: tuple[Operation, ...] = (("x", 1, "announce", [SKIP]), ("x", 2, "amend", [SKIP]))
    assert journal(*unchanged).violations() == [Violated("web", "lead", "skip", 1, 0)]


def test_what_a_topic_no_longer_holds_is_not_guessed_at() -> None:
    assert journal(("x", 2, "amend", [SKIP])).violations() == []


def test_policies_are_counted_apart() -> None:
    found = journal(("x", 1, "announce", [SKIP]), ("y", 1, "announce", [BACKWARD]))
    assert {(each.policy, each.announced) for each in found.violations()} == {("skip", 1), ("backward", 1)}
