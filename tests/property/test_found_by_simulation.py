"""What the simulation has found, each in its shortest form: cases that broke a promise once and must keep it for ever.

They are written out, so that they stay what they were when the dice of the simulation change.
"""

import json
from typing import Any

import pytest

from processors.simulation.schedule import Arrive, Case, Commit, Lane, Step, Take
from processors.simulation.trial import attempt
from schemas.instants import DAY, HOUR, MILLISECOND, format_instant
from tests.worlds import START

ALL = 1 << 30
SOURCES = {"web": 1, "crm": 1, "desk": 1}


def funnel(*stages: dict[str, Any], version: int = 1, starts: int = START, **keys: Any) -> dict[str, Any]:
    return {
        "funnel": "one",
        "version": version,
        "owner": "tests",
        "reason": "It failed once.",
        "effective_from": format_instant(starts),
        "subject": "lead",
        "stages": list(stages),
        "policies": {"lateness": "3d"},
        **keys,
    }


def track(at: int, event: str, identity: str) -> Arrive:
    """An event of the lead, without delay; `at` in hours after START."""
    call = {"type": "track", "event": event, "userId": "1", "messageId": identity, "timestamp": _time(at)}
    return Arrive(Lane("web", 0), START + at * HOUR, json.dumps(call).encode())


def identify(at: int, plan: str, identity: str, late: int = 0) -> Arrive:
    """The lead's plan; the record is `late` days late."""
    call = {"type": "identify", "userId": "1", "messageId": identity, "timestamp": _time(at), "traits": {"plan": plan}}
    return Arrive(Lane("web", 0), START + at * HOUR + late * DAY, json.dumps(call).encode())


def changed(at: int, name: str, value: str, partition: int = 0) -> Arrive:
    """A property of the lead in the CRM."""
    when = START + at * HOUR
    change = {"subscriptionType": "contact.propertyChange", "objectId": "1", "occurredAt": when // MILLISECOND}
    return Arrive(Lane("crm", partition), when, json.dumps({**change, "propertyName": name, "propertyValue": value}).encode())


def deal(at: int, name: str, identity: str, **values: Any) -> Arrive:
    """Values of a deal of the lead."""
    when = START + at * HOUR
    said = {"no": identity, "at": when // MILLISECOND, "what": "deal", "lead": "1", "deal": name, **values}
    return Arrive(Lane("desk", 0), when, json.dumps(said).encode())


def _time(at: int) -> str:
    return format_instant(START + at * HOUR)


EXPIRING = {"name": "s1", "when": {"event": "Signup"}, "expires": {"after": "6h", "anchor": "last"}}
DUE = {"name": "s1", "while": [{"lead.due_at": {"passed": True}}, {"lead.status": {"exists": False}}]}
DUE_AT = str((START + 7 * DAY) // MILLISECOND)
WON = {"name": "won", "result": "won", "when": {"event": "Demo"}}
CONDITIONAL = {"name": "order", "description": "Bought.", "when": {"event": "Order", "if": {"lead.plan": "pro"}}}
AGAIN = changed(72, "plan", "pro", partition=0)

FOUND: dict[str, tuple[dict[str, Any], list[list[Step]]]] = {
    "an expiry that was taken back comes again with its next revision": (
        funnel(EXPIRING, {"name": "s2", "while": {"lead.plan": "team"}}),
        [
            [track(6, "Signup", "a"), identify(36, "", "b"), identify(48, "pro", "b", late=20)],
            [track(6, "Signup", "a"), identify(36, "pro", "b"), identify(48, "", "b", late=20)],
        ],
    ),
    "what a fact entered at once and what its timer enters later are two transitions": (
        funnel(DUE),
        [[changed(0, "due", DUE_AT), changed(96, "hs_lead_status", "open"), changed(180, "hs_lead_status", "open")]],
    ),
    "a conversion that was taken back comes again with its next revision, at another time": (
        funnel({"name": "s1", "while": {"lead.plan": "pro"}}, conversions=[CONDITIONAL]),
        [
            [changed(30, "plan", "pro"), track(36, "Order", "x"), changed(60, "plan", "team"), track(72, "Order", "x"), AGAIN],
            [changed(30, "plan", "pro"), track(72, "Order", "x"), changed(60, "plan", "team"), track(36, "Order", "x"), AGAIN],
        ],
    ),
    "who has a deal and has won is shown to be a customer": (
        funnel(
            {"name": "s1", "when": {"event": "Recycle"}},
            conversions=[{"name": "demo", "description": "Asked.", "when": {"event": "Order"}}],
            outcomes=[{"name": "won", "result": "won", "while": {"not": {"lead.status": "parked"}}}],
            policies={"after_outcome": "reenter"},
        ),
        [[track(6, "Order", "a"), track(7, "Recycle", "b"), deal(12, "a", "x", what="Order")]],
    ),
    "a deal that no fact names any more is gone from the snapshots": (
        funnel({"name": "s1", "while": {"deal.is_won": False}}, subject="deal"),
        [
            [deal(6, "a", "x", won=False), deal(18, "b", "x", won=False)],
            [deal(6, "b", "x", won=False), deal(18, "a", "x", won=False)],
        ],
    ),
}


@pytest.mark.parametrize("found", FOUND)
def test_it_fails_no_more(found: str) -> None:
    definition, arrivals = FOUND[found]
    for arriving in arrivals:
        for steps in (arriving, _read_one_by_one(arriving), [*reversed(arriving)]):
            case = Case((definition,), 1, SOURCES, tuple(steps), START + 30 * DAY)
            assert attempt(case).broken is None


def test_a_snapshot_names_the_version_that_judged_the_last_fact() -> None:
    before = funnel({"name": "s1", "when": {"event": "Signup"}}, outcomes=[WON])
    renamed = {"name": "s0", "when": {"event": "Signup"}}
    after = funnel(renamed, version=2, starts=START + 2 * DAY, outcomes=[WON], retired={"s1": "s0"})
    steps = (track(6, "Signup", "a"), track(96, "Signup", "b"))
    case = Case((before, after), 1, SOURCES, steps, START + 30 * DAY)
    assert attempt(case).broken is None


def _read_one_by_one(arriving: list[Step]) -> list[Step]:
    reading = [Take(Lane(source, 0), ALL) for source in SOURCES]
    return [step for arrival in arriving for step in (arrival, *reading, Commit(), Take(Lane("facts", 0), ALL), Commit())]
