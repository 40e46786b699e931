"""The check of a bench run: the net result must be what `fold` makes of the same input, with nothing lost and nothing doubled.

The common oracle expects arrival order; ours is event time with corrections, so it is checked against the meaning of the product.
`BENCH_EVENTS` says how many events the input has. Leads are compared one after the other: a million publications do not fit into
memory twice.
"""

import os
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import msgspec

from bench.job import events_file, program
from schemas.facts import Fact
from tests.oracle import expected, facts_of, identity_of, net

Records = list[tuple[bytes, bytes]]
Bodies = list[dict[str, Any]]

decode = msgspec.json.Decoder().decode


def check(conversions: Records, transitions: Records, told: dict[str, Any]) -> list[str]:
    """The faults found; empty when the run is right."""
    compiled = program()
    facts: defaultdict[str, list[Fact]] = defaultdict(list)
    with events_file(int(os.environ["BENCH_EVENTS"])).open("rb") as lines:
        for fact in facts_of(compiled, (("web", line[:-1], None) for line in lines)):
            facts[fact.entity].append(fact)
    announced, moved = _by_lead(conversions), _by_lead(transitions)
    faults = [
        fault
        for lead in facts.keys() | announced.keys() | moved.keys()
        for fault in _faults(
            lead, expected(compiled, facts.get(lead, [])), list(map(decode, announced[lead])), list(map(decode, moved[lead]))
        )
    ]
    operations = sum(b'"op":"announce"' in value for _, value in conversions)
    if operations < told["conversions"]:
        faults.append(f"{operations} conversions were announced, of {told['conversions']} conversion events")
    return faults


def _by_lead(records: Records) -> defaultdict[str, list[bytes]]:
    values: defaultdict[str, list[bytes]] = defaultdict(list)
    for key, value in records:
        values[key.decode()].append(value)
    return values


def _faults(lead: str, wanted: dict[str, Any], conversions: Bodies, transitions: Bodies) -> list[str]:
    found = net((*conversions, *transitions))
    faults = [f"{identity} is missing" for identity in wanted.keys() - found.keys()]
    faults += [f"{identity} should not be there" for identity in found.keys() - wanted.keys()]
    faults += [
        f"{identity} says something else" for identity in wanted.keys() & found.keys() if wanted[identity] != found[identity]
    ]
    revisions: defaultdict[str, list[int]] = defaultdict(list)
    for body in (*conversions, *transitions):
        revisions[identity_of(body)].append(body["revision"])
    faults += [f"{identity}: revisions {said}" for identity, said in revisions.items() if not _counts_up(said)]
    sequence = [body["sequence"] for body in transitions]
    return faults if _counts_up(sequence) else [*faults, f"{lead}: sequence {sequence[:9]}"]


def _counts_up(numbers: Sequence[int]) -> bool:
    """Whether these are 1, 2, 3, ...: nothing is lost, nothing doubled."""
    return all(number == place for place, number in enumerate(numbers, 1))
