"""Invariants 1 to 3 and 5 where time passes, deals roll up and a definition changes: any order of facts and watermarks nets to
what `fold` gives at the last watermark.
"""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.stages.timeline import OWN
from processors.topology import history, watermarks
from processors.topology import rows as row
from processors.topology.program import Program
from processors.topology.publishing import Publisher
from schemas.facts import Fact, entity_key
from schemas.instants import HOUR
from tests.examples import examples
from tests.oracle import expected, net, recount
from tests.worlds import START, History, fact, program

HOURS = 8
END = START + 40 * HOUR
HEADER = {"owner": "tests", "reason": "Tests.", "effective_from": START, "policies": {"lateness": "1000d"}}


OPEN = {"deal.stage": "open"}
WON = {"deal.stage": "won", "deal.closed_at": {"passed": True}}
FIRST_5H = {"after": "5h", "anchor": "first"}


def timed(backward: str, after_outcome: str) -> dict[str, Any]:
    """Every timer there is, over deals that are published beside their lead."""
    return {
        **HEADER,
        "funnel": "timed",
        "version": 1,
        "subject": "lead",
        "also": ["deal"],
        "conversions": [
            {"name": "ask", "description": "-", "when": {"event": "Ask"}, "count": {"once_per_window": "2h"}},
            {
                "name": "sign",
                "description": "-",
                "when": {"event": "Sign", "if": {"deal.stage": "open"}},
                "count": "once_per_deal",
            },
            {"name": "visit", "description": "-", "when": {"event": "Visit"}, "count": "once_per_session"},
        ],
        "stages": [
            {"name": "seen", "when": {"event": "Ask"}, "expires": {"after": "3h", "anchor": "last"}, "optional": True},
            {
                "name": "known",
                "when": {"conversion": ["sign", "visit"]},
                "expires": {"after": "5h", "anchor": "first"},
                "sla": "2h",
            },
            {"name": "due", "while": {"lead.trial_at": {"passed": True}}, "sla": "1h"},
            {"name": "open", "while": {"deal.stage": ["open", "late"]}, "sla": "3h", "lapse": "keep"},
            {"name": "late", "while": {"deal.stage": "late"}},
            {"name": "sure", "when": {"event": "Sign", "if": {"deal.stage": "late"}}, "at": "deal.closed_at"},
        ],
        "detours": [{"name": "parked", "while": {"lead.plan": "parked"}}, {"name": "held", "while": {"deal.stage": "held"}}],
        "outcomes": [
            {
                "name": "won",
                "result": "won",
                "while": {"deal.stage": "won", "deal.closed_at": {"passed": True}},
                "at": "deal.closed_at",
            },
            {"name": "lost", "result": "lost", "while": {"deal.stage": "lost"}},
            {"name": "gone", "result": "other", "when": {"event": "Leave"}},
        ],
        "policies": {"backward": backward, "after_outcome": after_outcome, "lateness": "1000d"},
        "segments": {
            "first": {"value": "event.properties.from", "rule": "first_touch"},
            "last": {"value": ["event.properties.from", "lead.plan"], "rule": "last_touch", "touch": {"event": "Visit"}},
            "rep": {"value": "deal.owner", "rule": "at_entry"},
            "plan": {"value": "lead.plan", "rule": "current"},
        },
        "value": {"amount": "deal.amount", "currency": "deal.currency"},
        "rates": [
            {"from": "seen", "to": "known", "within": "2h"},
            {"from": "known", "to": "won", "count": "touched"},
            {"from": "open", "to": "won", "grain": "deal"},
        ],
    }


def changing() -> list[dict[str, Any]]:
    """A funnel whose second and third version rename, remove and add stages and move the windows."""
    first = {
        **HEADER,
        "funnel": "changing",
        "version": 1,
        "subject": "lead",
        "stages": [
            {"name": "a", "when": {"event": "Ask"}, "expires": {"after": "4h", "anchor": "last"}},
            {"name": "b", "when": {"event": "Visit"}},
            {"name": "c", "while": {"lead.plan": "pro"}, "lapse": "keep"},
        ],
        "outcomes": [{"name": "end", "result": "won", "while": {"lead.plan": "end"}}],
        "rates": [{"from": "a", "to": "b"}, {"from": "b", "to": "c"}],
    }
    second = {
        **first,
        "version": 2,
        "effective_from": START + 3 * HOUR,
        "stages": [
            {"name": "a", "when": {"event": "Ask"}, "expires": {"after": "2h", "anchor": "first"}},
            {"name": "bb", "when": {"event": "Visit"}, "sla": "1h"},
            {"name": "c", "while": {"lead.plan": "pro"}},
        ],
        "retired": {"b": "bb"},
        "rates": [{"from": "a", "to": "bb"}, {"from": "a", "to": "c"}],
    }
    third = {
        **first,
        "version": 3,
        "effective_from": START + 6 * HOUR,
        "stages": [
            {"name": "bb", "when": {"event": ["Visit", "Sign"]}, "expires": {"after": "3h", "anchor": "last"}},
            {"name": "d", "while": {"lead.trial_at": {"passed": True}}},
        ],
        "outcomes": [{"name": "stop", "result": "lost", "while": {"lead.plan": "end"}}],
        "retired": {"a": "remove", "c": "bb"},
        "rates": [{"from": "bb", "to": "d"}],
    }
    return [first, second, third]


def alone() -> dict[str, Any]:
    """Deals only: the lead has no position of its own."""
    stages = [{"name": "asked", "when": {"event": "Ask"}}, {"name": "open", "while": {"deal.stage": ["open", "late"]}}]
    outcomes = [{"name": "won", "result": "won", "while": {"deal.stage": "won"}}]
    return {**HEADER, "funnel": "alone", "version": 1, "subject": "deal", "stages": stages, "outcomes": outcomes}


SOURCES = {
    "web": {
        "topics": ["web.events"],
        "format": "segment",
        "identifiers": {"userId": "user"},
        "fields": {
            "lead.plan": {"from": "traits.plan"},
            "lead.trial_at": {"from": "traits.trial_at"},
            **{f"deal.{name}": {"from": name} for name in ("stage", "closed_at", "owner", "amount", "currency")},
        },
    }
}
PROGRAMS = {
    (backward, after): program(timed(backward, after), *changing(), alone(), sources=SOURCES)
    for backward, after in (("allow", "ignore"), ("flag", "reenter"), ("ignore", "reenter"))
}

hours = st.integers(0, HOURS)
instants = st.sampled_from([None, *(START + round(hour * HOUR) for hour in (1, 4, 4.5, 7, 12, 30))])
deals = st.sampled_from(["A", "B"])
events = st.builds(
    fact,
    hours,
    st.sampled_from(["Ask", "Sign", "Visit", "Leave"]),
    id=st.sampled_from(["", "", "", "x", "y"]),
    late_by=st.sampled_from([0, 0, 3]),
    deal=st.sampled_from(["", "", "A"]),
    **{"from": st.sampled_from(["ad", "mail", None])},
)
changes = st.builds(fact, hours, plan=st.sampled_from(["pro", "parked", "end", ""]), trial_at=instants)
of_deals = st.builds(
    fact,
    hours,
    deal=deals,
    stage=st.sampled_from(["open", "late", "won", "lost", "held", ""]),
    closed_at=instants,
    owner=st.sampled_from(["u1", "u2", None]),
    amount=st.sampled_from(["10", "2.50", "x"]),
    currency=st.sampled_from(["EUR", "usd", None]),
)
records = st.builds(fact, hours, st.sampled_from(["delete", "restore", "gap"]), deal=st.sampled_from(["", "A", "B"]))
histories = st.lists(st.one_of(events, events, changes, of_deals, of_deals, records), max_size=10)
programs = st.sampled_from(sorted(PROGRAMS)).map(PROGRAMS.__getitem__)


@pytest.fixture(autouse=True, scope="module")
def _short_pages() -> Iterator[None]:
    """Histories of ten facts fill pages, and few timers fill a record, only where both are small."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "PAGE", 2)
        patch.setattr(watermarks, "FIRED_AT_ONCE", 1)
        yield


def lived(world: Program, facts: list[Fact], random: Any) -> History:
    """Facts in a random order with duplicates, watermarks in between, the last one at the end."""
    arrivals = facts + random.sample(facts, len(facts) // 2)
    random.shuffle(arrivals)
    run = History(world)
    for arrived in arrivals:
        run.take([arrived])
        if random.random() < 0.4:
            run.pass_time(START + round(random.uniform(0, 40) * HOUR))
    return run.pass_time(END)


@settings(max_examples=examples(400))
@given(programs, histories, st.randoms(use_true_random=False))
def test_any_order_of_facts_and_time_nets_to_the_fold(world: Program, facts: list[Fact], random: Any) -> None:
    """Invariants 1 and 2, rules 10, 13, 22, 23 and 29."""
    run = lived(world, facts, random)
    stands = net([*run.bodies("transitions"), *run.bodies("conversions")])
    assert stands == expected(world, facts, END)
    for lineage in world.funnels:
        head = run.store.get(0, row.head_row_key(entity_key("user:1"), lineage.key))
        if head is not None:
            kept = row.decode_head(head)
            assert row.decode_state(kept.after) == world.timeline(lineage, facts).state


@settings(max_examples=examples(200))
@given(programs, histories, st.randoms(use_true_random=False))
def test_the_log_is_consistent_and_reads_the_same_again(world: Program, facts: list[Fact], random: Any) -> None:
    """Invariants 3 and 5: no gap in a sequence, every operation fits what stood before, the same log gives the same bytes."""
    state = random.getstate()
    first = lived(world, facts, random)
    random.setstate(state)
    assert lived(world, facts, random).published == first.published
    assert [body["sequence"] for body in first.bodies("transitions")] == list(range(1, len(first.bodies("transitions")) + 1))
    standing: dict[str, tuple[int, bool]] = {}
    for body in [*first.bodies("transitions"), *first.bodies("conversions")]:
        identity = body.get("transition_id") or body["conversion_id"]
        revision, live = standing.get(identity, (0, False))
        assert (body["revision"], body["op"] != "announce") == (revision + 1, live)
        standing[identity] = revision + 1, body["op"] != "retract"


@settings(max_examples=examples(200))
@given(programs, histories, st.randoms(use_true_random=False))
def test_snapshots_are_where_the_timelines_end(world: Program, facts: list[Fact], random: Any) -> None:
    """The last snapshot of the lead and of each deal is what `fold` says at the last watermark."""
    run = lived(world, facts, random)
    last = {record.key: record.value for record in run.published if record.topic == "leads"}
    publisher = Publisher("test")
    for lineage in world.funnels:
        state = world.timeline(lineage, facts, END).state
        version = lineage.by_number.get(state.version, lineage.latest)
        positions = [OWN] if lineage.subject != "deal" else []
        for deal in [*positions, *(state.deals if lineage.latest.walks_deals else ())]:
            wanted = publisher.lead(state, version, "user:1", deal, 0, "")
            assert told(last.get(wanted.key)) == told(wanted.value)


@settings(max_examples=examples(300))
@given(programs, histories, st.randoms(use_true_random=False))
def test_the_numbers_are_a_recount(world: Program, facts: list[Fact], random: Any) -> None:
    """Invariant 4: the published sums are what the timelines contribute, whatever was posted and taken back on the way."""
    assert lived(world, facts, random).numbers() == recount(world, facts, END)


def told(snapshot: bytes | None) -> dict[str, Any] | None:
    """A snapshot without what arrival decides."""
    if snapshot is None:
        return None
    return {**msgspec.json.decode(snapshot), "sequence": 0, "recorded_at": ""}
