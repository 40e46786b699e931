"""A case of the simulation: definitions, and the steps that happen one after another. Everything that chance decided is in it.

So a case can be printed, run again to the byte, and made shorter: whatever is left out of its steps, what remains is a case too.
Records arrive in source partitions; a worker takes them from there, and facts from facts partitions, into its open transaction;
it commits, or crashes. What no step reads is read when the steps are over.
"""

import json
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from schemas.instants import SECOND, format_instant

FACTS = "facts"
"""The topic that a worker takes facts from; every other one is a source, by its name."""


class Lane(NamedTuple):
    """One partition that a worker reads: of a source by its name, or of `FACTS`."""

    topic: str
    partition: int


class Arrive(NamedTuple):
    """A record is appended to a source partition; `at` is its Kafka time in microseconds."""

    lane: Lane
    at: int
    value: bytes


class Take(NamedTuple):
    """The worker takes up to so many records of one partition into its transaction, which the first record opens."""

    lane: Lane
    records: int


class Watermark(NamedTuple):
    """The worker says in its transaction how far a source partition has come, to every facts partition; microseconds."""

    lane: Lane
    at: int


class Commit(NamedTuple):
    """The worker commits what is open."""


class Crash(NamedTuple):
    """The worker comes to grief once it has had so many further effects: at the next one nothing of the open transaction stands.

    An effect is a record produced, the commit, or the rows put into the store after it. What is left is the process with its
    store (an aborted transaction), the store on its disk (the process was killed), or nothing (the disk is gone too).
    """

    after: int
    leaves: Literal["process", "store", "nothing"]


class Clock(NamedTuple):
    """The broker's clock, which gives facts their log-append times, jumps by so many microseconds."""

    by: int


Step = Arrive | Take | Watermark | Commit | Crash | Clock


class Case(NamedTuple):
    """One run of the simulation.

    Attributes:
        funnels: Definitions as in files; those with one name are versions of one funnel.
        partitions: Of facts.
        sources: How many partitions each source has.
        steps: What happens, in order.
        as_of: The last watermark of every source partition, in microseconds, written when everything is read.
        tight: Whether pages and portions are as small as they can be, since so are the histories of a case.
    """

    funnels: tuple[dict[str, Any], ...]
    partitions: int
    sources: dict[str, int]
    steps: tuple[Step, ...]
    as_of: int
    tight: bool = False

    def source_lanes(self) -> tuple[Lane, ...]:
        """Every source partition."""
        return tuple(Lane(source, partition) for source, count in self.sources.items() for partition in range(count))

    def lanes(self) -> tuple[Lane, ...]:
        """Every partition that the worker reads."""
        return (*self.source_lanes(), *(Lane(FACTS, partition) for partition in range(self.partitions)))


def described(case: Case) -> Iterator[str]:
    """The case for people, in lines: the definitions as YAML, then the steps by number."""
    for funnel in case.funnels:
        yield from _written(funnel)
    yield f"{case.partitions} facts partition(s); sources {case.sources}; as of {format_instant(case.as_of)}; tight: {case.tight}"
    for number, step in enumerate(case.steps, 1):
        yield f"{number:>4}  {_sentence(step)}"


def _written(funnel: dict[str, Any]) -> Iterator[str]:
    """A definition as a file would have it, a rule on each line."""
    for key, value in funnel.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield f"{key}:"
            yield from (f"  - {json.dumps(rule, ensure_ascii=False)}" for rule in value)
        else:
            yield f"{key}: {json.dumps(value, ensure_ascii=False)}"
    yield "---"


def _sentence(step: Step) -> str:
    match step:
        case Arrive(lane, at, value):
            return f"{_name(lane)} at {format_instant(at)}: {value.decode('utf-8', 'backslashreplace')}"
        case Take(lane, records):
            return f"take {records} of {_name(lane)}"
        case Watermark(lane, at):
            return f"watermark of {_name(lane)}: {format_instant(at)}"
        case Commit():
            return "commit"
        case Crash(after, leaves):
            return f"crash after {after} more effects, leaving {leaves}"
        case Clock(by):
            return f"the broker's clock jumps by {by // SECOND} s"


def _name(lane: Lane) -> str:
    return f"{lane.topic}[{lane.partition}]"
