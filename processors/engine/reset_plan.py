"""What a reset will do, from what was observed, as values: printed by a dry run, then performed step by step (ER-25).

The three ways: the group's offsets of facts follow the changelog; sources are read again; everything begins from nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, NamedTuple

from processors.engine.lanes import Place
from processors.engine.mark import Mark
from processors.engine.stop import ENVIRONMENT, Stop
from schemas.application import OwnTopics

Action = Literal["set offset", "delete group", "delete topic", "delete store", "create topic"]


class Step(NamedTuple):
    """One thing that is done. `before` and `after` are offsets, or partition counts of a topic; None where there is none."""

    action: Action
    subject: str
    partition: int | None = None
    before: int | None = None
    after: int | None = None


class Plan(NamedTuple):
    """The steps in their order, and what whoever confirms them should know."""

    steps: Sequence[Step]
    notes: Sequence[str]


def follow_changelog(
    names: OwnTopics,
    partitions: int,
    marks: Mapping[int, Mark],
    committed: Mapping[Place, int],
    first: Mapping[int, int],
    topic: str,
    definitions: str,
) -> Plan:
    """Set the group's offsets of facts to what the state in the changelog has taken in: exact, nothing lost or doubled.

    Args:
        names: Our own topics.
        partitions: Of facts, now.
        marks: Of the changelog's partitions.
        committed: The group's offsets.
        first: First offset that each partition of facts still has.
        topic: Kafka's id of facts, now.
        definitions: Digest of the definitions at hand.

    Raises:
        Stop: No offset is right, because state or unread facts are gone.
    """
    steps, lost = [], []
    for number in range(partitions):
        found, offset = marks.get(number), committed.get((names.facts, number))
        if found is None:
            lost += [f"partition {number} was read up to {offset}, its changelog holds no state"] if offset is not None else []
        elif found.partitions != partitions:
            lost.append(f"partition {number} was written with {found.partitions} partitions, {names.facts} has {partitions} now")
        elif found.of_another(topic):
            lost.append(f"partition {number} was written from facts of a topic that was deleted and made anew since")
        elif first[number] > found.facts + 1:  # the marker of the last transaction read counts one
            lost.append(f"partition {number} has lost its facts from {found.facts} to {first[number] - 1} unread")
        elif offset != found.facts:
            steps.append(Step("set offset", names.facts, number, offset, found.facts))
    if lost:
        lines = "\n".join(f"  {line}" for line in lost)
        mend = "Bring back what is gone, or begin again: `funnelstream reset empty --config FILE`"
        raise Stop(ENVIRONMENT, f"no offsets of facts fit {names.changelog}:\n{lines}\n{mend}")
    notes = ["Sources whose offsets are gone too are read from their beginning: what is known of them is recognised by its id."]
    if others := sorted({each.definitions for each in marks.values()} - {definitions}):
        notes.append(f"The state was written under the definitions {', '.join(others)}; the files at hand are {definitions}.")
    return Plan(steps, notes)


def read_again(targets: Mapping[Place, int], committed: Mapping[Place, int]) -> Plan:
    """Set the group's offsets of sources back to the targets; never forward, which would skip what was not read."""
    steps = [
        Step("set offset", topic, number, committed[topic, number], target)
        for (topic, number), target in sorted(targets.items())
        if committed.get((topic, number), 0) > target
    ]
    return Plan(steps, ["What is known is recognised by its id and counts for nothing; dead letters are published again."])


def begin_again(
    group: str,
    there: Mapping[str, int],
    wanted: Mapping[str, int],
    deleted: Collection[str],
    stores: Sequence[str],
    *,
    outputs: bool,
) -> Plan:
    """Delete state, facts and offsets, and make the topics anew.

    The order is what makes it safe to die in the middle, and safe against a worker that starts in the middle. Offsets go first:
    without them a worker refuses the marks of the changelog, and reads sources from their beginning once there are none. Topics
    come back last: without them a worker refuses to start. In between the group is deleted once more, for the offsets that a
    worker may have committed before it refused.

    Args:
        group: The group.
        there: Partition counts of the topics that exist.
        wanted: Partition counts of all our topics as they will be.
        deleted: The topics that are made anew; the changelog last.
        stores: Folders of stores on this machine.
        outputs: All published topics are among the deleted.
    """
    made = {name: count for name, count in wanted.items() if name in deleted or name not in there}
    steps = [
        Step("delete group", group),
        *(Step("delete topic", name, None, there[name]) for name in deleted if name in there),
        Step("delete group", group),
        *(Step("delete store", folder) for folder in stores),
        *(Step("create topic", name, None, None, count) for name, count in made.items()),
    ]
    notes = [
        "Sources are read from their beginning, as far as their topics still reach back.",
        "Stores on other machines are deleted by their workers when they start: they belong to the changelog that is gone.",
    ]
    if not outputs:
        notes.append(
            "Published topics are kept, and everything is announced in them again from revision 1: consumers must begin "
            "anew behind this point. --outputs deletes them too."
        )
    return Plan(steps, notes)
