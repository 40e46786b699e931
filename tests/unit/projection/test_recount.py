"""The ledger and the recount: what stands of each id, of whom, in the order of the path, and what is deleted counts nowhere."""

import json
from typing import Any

import pytest

from processors.metrics.outlines import outline_funnels
from processors.projection.ledger import Entry, Ledger, entry_of
from processors.projection.recount import Number, recount
from tests.metric_records import web

[OUTLINE] = outline_funnels([web(rates=[{"from": "a", "to": "b"}])])
DAY = "2026-01-05"


def move(name: str, at: str, *, lead: str = "user:1", source: Any = None, kind: str = "advance", **changes: Any) -> Entry:
    """The entry of a transition into a stage; `entered_at` of its target is its own time."""
    body = {"transition_id": name + at, "revision": 1, "op": "announce", "sequence": 1, "funnel": "web", "version": 1}
    body |= {"subject": {"kind": "lead", "id": lead}, "deal": None, "kind": kind, "from": source, "to": stands(name, at)}
    body |= {"skipped": [], "flags": [], "effective_at": at, "cause": {"kind": "fact"}, "provenance": "live"}
    body |= {"segments": {}, "value": None, "stays": [], **changes}
    return entry_of("transitions", lead, json.dumps(body).encode())


def stands(name: str, at: str, entry: int = 1) -> dict[str, Any]:
    return {"stage": name, "entered_at": at, "entry": entry}


def snapshot(position: Any, *, lead: str = "user:1", flags: tuple[str, ...] = ()) -> Entry:
    body = {"funnel": "web", "version": 1, "subject": {"kind": "lead", "id": lead}, "deal": None, "position": position}
    body |= {"furthest": None, "flags": flags, "segments": {}, "value": None}
    return entry_of("leads", f"lead/{lead}/web", json.dumps(body).encode())


def counted(*entries: Entry) -> dict[tuple[str, str, str], Any]:
    """Kind, name and field to what the entries of all leads amount to."""
    ledger, found = Ledger(), dict[tuple[str, str, str], Any]()
    ledger.put([*entries, *entries])
    for published in ledger.net():
        for number, amount in recount(OUTLINE, published):
            assert isinstance(number, Number)
            key = number.kind, number.name, number.field
            found[key] = found.get(key, 0) + amount
    ledger.close()
    return found


NOON, ONE = f"{DAY}T12:00:00Z", f"{DAY}T13:00:00Z"


def test_one_id_of_two_leads_counts_for_both() -> None:
    entries = [part for lead in ("user:1", "user:2") for part in (move("a", NOON, lead=lead), snapshot(None, lead=lead))]
    assert counted(*entries)["entries", "a", "touched_every"] == 2


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_the_last_revision_stands_in_whatever_order_it_is_read(order: tuple[int, int]) -> None:
    revisions = [move("b", NOON, skipped=["a"]), move("b", NOON, revision=2, op="amend")]
    found = counted(*(revisions[index] for index in order), snapshot(stands("b", NOON)))
    assert (found["entries", "b", "reached_first"], ("entries", "a", "inferred") in found) == (1, False)
    gone = counted(*revisions, move("b", NOON, revision=3, op="retract"), snapshot(None))
    assert gone == {}


@pytest.mark.parametrize("flags", [("deleted",), ()])
def test_rule_16_what_is_deleted_counts_nowhere(flags: tuple[str, ...]) -> None:
    found = counted(move("a", NOON), snapshot(stands("a", NOON), flags=flags))
    assert bool(found) == (flags == ())


def test_moves_of_one_instant_are_counted_in_the_order_of_their_path() -> None:
    """Passed on the way to b, and entered when it fell back at the same instant: first reached by passing it."""
    forth = move("b", NOON, skipped=["a"], sequence=2)
    back = move("a", NOON, source=stands("b", NOON), kind="regress", sequence=1)
    found = counted(back, forth, snapshot(stands("a", NOON)))
    assert (found["entries", "a", "inferred"], found["entries", "a", "touched_first"]) == (1, 1)


def test_scenario_e_what_expired_before_is_no_credit() -> None:
    began, later = move("a", NOON), move("b", f"{DAY}T15:00:00Z")
    expired = move("a", ONE, source=stands("a", NOON), kind="expire", to=None)
    stayed = counted(began, later, snapshot(stands("b", ONE)))
    assert (stayed["rate", "a->b", "converted"], stayed["rate", "a->b", "total_us"]) == (1, 3 * 3600 * 10**6)
    found = counted(began, expired, later, snapshot(stands("b", ONE)))
    assert (found["rate", "a->b", "started"], ("rate", "a->b", "converted") in found) == (1, False)
