"""What a reset will do, from what was observed: offsets that follow the marks, sources back and never forward, an order that is
safe to die in (ER-25)."""

import pytest

from processors.engine.mark import Mark
from processors.engine.reset_plan import Plan, Step, begin_again, follow_changelog, read_again
from processors.engine.stop import Stop
from schemas.application import OwnTopics

NAMES = OwnTopics("facts", "changelog", "transitions", "conversions", "leads", "metrics", "dead")
MINE = "sha256:mine"


def following(marks: dict[int, Mark], committed: dict[int, int], first: dict[int, int] | None = None) -> Plan:
    offsets = {("facts", number): offset for number, offset in committed.items()}
    return follow_changelog(NAMES, 3, marks, offsets, {0: 0, 1: 0, 2: 0} | (first or {}), "facts-2", MINE)


def mark(facts: int, definitions: str = MINE, partitions: int = 3, topic: str = "") -> Mark:
    return Mark(facts, definitions, partitions, topic=topic)


def test_er25_offsets_that_expired_or_were_moved_follow_the_marks() -> None:
    plan = following({0: mark(7), 1: mark(9, topic="facts-2"), 2: mark(4)}, {1: 1, 2: 4})
    assert plan.steps == [Step("set offset", "facts", 0, None, 7), Step("set offset", "facts", 1, 1, 9)]
    assert "read from their beginning" in plan.notes[0]


def test_a_partition_that_nobody_has_read_needs_nothing() -> None:
    assert following({}, {}).steps == []


@pytest.mark.parametrize(
    ("marks", "committed", "first", "said"),
    [
        ({}, {1: 5}, {}, "partition 1 was read up to 5, its changelog holds no state"),
        ({1: mark(5, partitions=2)}, {1: 5}, {}, "partition 1 was written with 2 partitions, facts has 3 now"),
        ({1: mark(5, topic="facts-1")}, {}, {}, "partition 1 was written from facts of a topic that was deleted and made anew"),
        ({1: mark(5)}, {}, {1: 9}, "partition 1 has lost its facts from 5 to 8 unread"),
    ],
)
def test_er25_where_state_or_facts_are_gone_no_offset_is_right(
    marks: dict[int, Mark], committed: dict[int, int], first: dict[int, int], said: str
) -> None:
    with pytest.raises(Stop, match=said) as refused:
        following(marks | {0: mark(7)}, committed, first)
    assert refused.value.code == 3
    assert "funnelstream reset empty" in refused.value.sentence


def test_the_marker_of_the_last_transaction_is_no_lost_fact() -> None:
    assert following({1: mark(5)}, {1: 5}, {1: 6}).steps == []


def test_state_of_other_definitions_is_said() -> None:
    assert "sha256:other" in following({0: mark(7, definitions="sha256:other")}, {0: 7}).notes[-1]


def test_sources_go_back_and_never_forward() -> None:
    """Forward would skip what was not read; a partition without an offset begins at its beginning anyway."""
    targets = {("web", 0): 3, ("web", 1): 3, ("web", 2): 3, ("web", 3): 3}
    plan = read_again(targets, {("web", 0): 8, ("web", 1): 2, ("web", 2): 3, ("other", 0): 9})
    assert plan.steps == [Step("set offset", "web", 0, 8, 3)]


def beginning(there: dict[str, int], *, outputs: bool = False) -> list[tuple[str, str]]:
    deleted = ["leads", "facts", "changelog"] if outputs else ["facts", "changelog"]
    plan = begin_again("app", there, {"facts": 4, "changelog": 4, "leads": 4}, deleted, ["state/one"], outputs=outputs)
    assert any("--outputs" in note for note in plan.notes) is not outputs
    return [(step.action, step.subject) for step in plan.steps]


def test_offsets_go_first_and_topics_come_back_last() -> None:
    """So a worker that starts in the middle finds marks without offsets, or no topics, and refuses."""
    assert beginning({"facts": 4, "changelog": 4, "leads": 4}) == [
        ("delete group", "app"),
        ("delete topic", "facts"),
        ("delete topic", "changelog"),
        ("delete group", "app"),
        ("delete store", "state/one"),
        ("create topic", "facts"),
        ("create topic", "changelog"),
    ]


def test_after_dying_in_the_middle_the_same_plan_completes() -> None:
    actions = beginning({"changelog": 4})
    assert ("delete topic", "facts") not in actions
    assert {subject for action, subject in actions if action == "create topic"} == {"facts", "changelog", "leads"}


def test_published_topics_go_before_the_changelog_whose_marks_make_workers_refuse() -> None:
    deleted = [
        subject
        for action, subject in beginning({"facts": 4, "changelog": 4, "leads": 4}, outputs=True)
        if action == "delete topic"
    ]
    assert deleted == ["leads", "facts", "changelog"]
