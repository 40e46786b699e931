"""Invariants 1 to 3 for one entity: any order, any duplication and any batching of the same facts give what `fold` gives."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.stages.fold import accept, too_late
from processors.stages.lineage import Lineage
from processors.stages.timeline import OWN
from processors.topology import history
from processors.topology import rows as row
from processors.topology.program import Program
from processors.topology.publishing import Publisher
from schemas.facts import Fact, entity_key
from schemas.instants import FIRST
from tests.examples import examples
from tests.worlds import START, History, expected_ids, fact, program


def funnel(backward: str = "allow", after_outcome: str = "ignore") -> dict[str, Any]:
    """A funnel in which every kind of rule can fire on a handful of events and values."""
    return {
        "funnel": "all",
        "version": 1,
        "owner": "tests",
        "reason": "Every rule.",
        "effective_from": START,
        "subject": "lead",
        "conversions": [
            {"name": "demo", "description": "Demo.", "when": {"event": "Demo"}},
            {
                "name": "signup",
                "description": "First sign up.",
                "when": {"event": "Signup"},
                "count": "once_per_lead",
                "exclusive": "up",
            },
            {
                "name": "resignup",
                "description": "Any.",
                "when": {"event": ["Signup", "Demo"], "if": {"lead.plan": "pro"}},
                "exclusive": "up",
            },
        ],
        "stages": [
            {"name": "seen", "when": {"event": "Demo"}, "optional": True},
            {"name": "known", "when": {"conversion": ["signup", "resignup"]}, "at": "lead.created_at"},
            {"name": "fit", "while": {"lead.plan": ["pro", "team"]}},
            {"name": "sure", "while": {"lead.need": True, "happened": "demo"}, "lapse": "keep"},
            {"name": "again", "when": {"event": "Recycle", "event.properties.hard": True}, "resets": False},
            {"name": "deep", "while": {"lead.score": {"at_least": 3}}},
        ],
        "detours": [{"name": "parked", "while": {"lead.status": "parked"}}],
        "outcomes": [
            {"name": "won", "result": "won", "while": {"lead.status": "customer"}},
            {"name": "lost", "result": "lost", "when": {"event": "Churned"}},
        ],
        "policies": {"backward": backward, "after_outcome": after_outcome, "lateness": "10d"},
    }


def recycling() -> dict[str, Any]:
    """A second funnel over the same events, so that sequence and rows are shared."""
    return {
        "funnel": "recycle",
        "version": 3,
        "owner": "tests",
        "reason": "Resets.",
        "effective_from": START + 2 * 3_600_000_000,
        "subject": "visitor",
        "stages": [
            {"name": "first", "when": {"event": "Recycle"}, "resets": True},
            {"name": "second", "when": {"event": "Signup"}},
            {"name": "third", "while": {"lead.plan": "pro"}},
        ],
        "policies": {"lateness": "10d"},
    }


PROGRAMS = {
    (backward, after): program(funnel(backward, after), recycling())
    for backward in ("allow", "flag", "ignore")
    for after in ("ignore", "reenter")
}

hours = st.integers(0, 6)
events = st.builds(
    fact,
    hours,
    st.sampled_from(["Demo", "Signup", "Recycle", "Churned"]),
    id=st.sampled_from(["", "", "", "x", "y"]),
    order=st.integers(0, 1),
    hard=st.sampled_from([True, False, None]),
    late_by=st.sampled_from([0, 0, 1, 300]),
)
changes = st.builds(
    fact,
    hours,
    id=st.sampled_from(["", "", "", "x", "z"]),
    content=st.sampled_from(["", "other"]),
    late_by=st.sampled_from([0, 0, 2]),
    plan=st.sampled_from(["pro", "team", "free", ""]),
    need=st.sampled_from([True, False, None]),
    score=st.sampled_from([1, 3, 5]),
    status=st.sampled_from(["open", "parked", "customer"]),
    created_at=st.sampled_from([None, START, START + 7_200_000_000]),
)
records = st.builds(fact, hours, st.sampled_from(["delete", "restore"]))
histories = st.lists(st.one_of(events, events, changes, changes, records), max_size=12)
programs = st.sampled_from(sorted(PROGRAMS)).map(PROGRAMS.__getitem__)


@settings(max_examples=examples(400))
@given(programs, histories, st.randoms(use_true_random=False))
def test_every_arrival_order_nets_to_the_fold(world: Program, facts: list[Fact], random: Any) -> None:
    """Invariants 1 and 2: what stands after any order and duplication is the timeline of the set."""
    arrivals = facts + random.sample(facts, len(facts) // 2)
    random.shuffle(arrivals)
    run = History(world).take(arrivals)
    in_time = History(world).take(sorted(facts, key=lambda f: (f.occurred_at, f.broker_time)))
    for topic in ("transitions", "conversions"):
        assert run.net(topic) == in_time.net(topic)
    assert run.dead_letters() == in_time.dead_letters()
    for lineage in world.funnels:
        timeline = world.timeline(lineage, facts)
        published = {
            i for topic in ("transitions", "conversions") for i, body in run.net(topic).items() if body["funnel"] == lineage.name
        }
        assert published == expected_ids(timeline.moves, timeline.matches, lineage)
        assert_rows_are_the_fold(run, lineage, facts)


def assert_rows_are_the_fold(run: History, lineage: Lineage, facts: list[Fact]) -> None:
    """The head and every page hold the states that `fold` has at their instants, and together each instant once."""
    entity = entity_key("user:1")
    head = run.store.get(0, row.head_row_key(entity, lineage.key))
    if head is None:
        assert run.program.timeline(lineage, facts).instant is None
        return
    kept = row.decode_head(head)
    pages = [row.decode_page(value) for _, value in run.store.scan(0, row.pages_prefix(entity, lineage.key))]
    pages = [*reversed(pages), kept.page]
    instants = [step.instant for page in pages for step in page.steps]
    assert instants == sorted(set(instants))
    assert [page.start for page in pages] == [FIRST, *(page.steps[0].instant for page in pages[1:])]
    states = [(page.steps[0].instant, page.opening) for page in pages]
    states += [(kept.last.instant, kept.before), (kept.last.instant + 1, kept.after)]
    for instant, state in states:
        earlier = [fact for key, fact in accept(facts).items() if fact.occurred_at < instant]
        kept_state, folded = row.decode_state(state), run.program.timeline(lineage, earlier).state
        kept_state.stepped = folded.stepped  # a late fact at the end of a page leaves that of the next one as it was
        assert kept_state == folded
    members = {key for page in pages for step in page.steps for key in step.members}
    assert members == {
        key for key, fact in accept(facts).items() if lineage in run.program.funnels_folding(fact) and not too_late(fact, lineage)
    }


@pytest.fixture(autouse=True, scope="module")
def _short_pages() -> Iterator[None]:
    """Histories of a dozen facts fill pages only where pages are short."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "PAGE", 2)
        yield


@settings(max_examples=examples(200))
@given(programs, histories, st.randoms(use_true_random=False))
def test_the_published_log_is_consistent(world: Program, facts: list[Fact], random: Any) -> None:
    """Invariant 3: sequence has no gaps, revisions rise by one, each operation fits what stood before it."""
    arrivals = facts + facts[:3]
    random.shuffle(arrivals)
    run = History(world).take(arrivals)
    assert [body["sequence"] for body in run.bodies("transitions")] == list(range(1, len(run.bodies("transitions")) + 1))
    for topic, identity in (("transitions", "transition_id"), ("conversions", "conversion_id")):
        standing: dict[str, tuple[int, bool]] = {}
        for body in run.bodies(topic):
            revision, live = standing.get(body[identity], (0, False))
            assert body["revision"] == revision + 1
            assert live is (body["op"] != "announce")
            standing[body[identity]] = revision + 1, body["op"] != "retract"


@settings(max_examples=examples(100))
@given(programs, histories)
def test_reading_a_partition_again_gives_the_same_bytes(world: Program, facts: list[Fact]) -> None:
    """Invariant 5: no clock, no chance; a second delivery of the whole log publishes nothing more."""
    first, second = History(world).take(facts), History(world).take(facts)
    assert first.published == second.published
    before = len(first.published)
    first.take(facts)
    assert [record for record in first.published[before:] if record.topic != "leads"] == []


@settings(max_examples=examples(100))
@given(programs, histories)
def test_ids_do_not_contain_the_lead(world: Program, facts: list[Fact]) -> None:
    """Invariant 3: the same history of another lead has the same ids, so a merge announces nothing again."""
    other = [msgspec.structs.replace(said, entity="user:2") for said in facts]
    mine, theirs = History(world).take(facts), History(world).take(other)
    assert mine.net("transitions").keys() == theirs.net("transitions").keys()
    assert mine.net("conversions").keys() == theirs.net("conversions").keys()


@settings(max_examples=examples(100))
@given(programs, histories)
def test_the_snapshot_is_where_the_timeline_ends(world: Program, facts: list[Fact]) -> None:
    """The last snapshot of a lead is what `fold` says, and is gone once its record is deleted; who never moved has none."""
    run = History(world).take(facts)
    last = {record.key: record.value for record in run.published if record.topic == "leads"}
    for lineage in world.funnels:
        state = world.timeline(lineage, facts).state
        version = lineage.by_number.get(state.version, lineage.latest)
        wanted = Publisher("test").lead(state, version, "user:1", OWN, 0, "")
        snapshot = last.get(wanted.key)
        if wanted.value is None:
            assert snapshot is None
        else:
            assert snapshot is not None
            assert {**json.loads(snapshot), "sequence": 0, "recorded_at": ""} == json.loads(wanted.value)
