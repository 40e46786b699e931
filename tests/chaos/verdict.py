"""What a run over some input has lost or doubled: its committed output against `fold` over the input, and nothing incremental.

`plant` spoils an output or an input on purpose, by a single record: a verdict that does not see it would not see the real thing.
"""

from collections import defaultdict
from typing import Literal, NamedTuple, get_args

from confluent_kafka import Message

from processors.metrics.cells import known_now
from processors.stages.fold import accept
from processors.topology import rows as row
from processors.topology.program import Program
from schemas.facts import Fact, entity_key, fact_key
from schemas.instants import DAY
from tests.chaos.inputs import Sent
from tests.deployment import Deployment, bodies, faults_of_the_log
from tests.oracle import expected, facts_of, net, recount

Plant = Literal["lost", "doubled", "skipped"]
PLANTS: tuple[Plant, ...] = get_args(Plant)

Published = dict[str, list[Message]]

_TIMERS = 30 * DAY
"""Longer than any timer of the input runs, in microseconds."""
_PREFIX = len(row.facts_prefix(entity_key("contact:1")))
"""Bytes with which all keys of the facts of one entity begin."""


class Verdict(NamedTuple):
    """What a run came to.

    Attributes:
        sent: Records that went in.
        facts: Facts that they make.
        published: Records that came out, by topic.
        lost: Ids of transitions and conversions that must stand and do not.
        doubled: Ids that stand and must not, and what a consumer would complain about: an operation twice, a gap in a sequence.
        wrong: Ids that stand with other content, and published sums that no recount gives.
    """

    sent: int
    facts: list[Fact]
    published: dict[str, int]
    lost: set[str]
    doubled: list[str]
    wrong: list[str]

    @property
    def exact(self) -> bool:
        """Nothing was lost, doubled or wrong."""
        return not (self.lost or self.doubled or self.wrong)


def judge(program: Program, sent: list[Sent], published: Published) -> Verdict:
    """Hold what was published against what must have been, every timer of the input fired: its times lie long ago."""
    facts = facts_of(program, ((said.source, said.value, None) for said in sent))
    as_of = max((fact.occurred_at for fact in facts), default=0) + _TIMERS
    found = net(bodies([*published["transitions"], *published["conversions"]]))
    wanted = expected(program, facts, as_of)
    sums, counted = known_now((each.key(), each.value()) for each in published["metrics"]), recount(program, facts, as_of)
    return Verdict(
        len(sent),
        facts,
        {topic: len(messages) for topic, messages in published.items()},
        wanted.keys() - found.keys(),
        [*sorted(found.keys() - wanted.keys()), *faults_of_the_log(published)],
        [
            *sorted(identity for identity in wanted.keys() & found.keys() if found[identity] != wanted[identity]),
            *sorted(f"{cell}: {sums.get(cell)}" for cell in sums.keys() | counted.keys() if sums.get(cell) != counted.get(cell)),
        ],
    )


def plant(kind: Plant, sent: list[Sent], published: Published) -> tuple[list[Sent], Published]:
    """As if one published record had been lost, or published twice, or one record of the input skipped."""
    transitions = published["transitions"]
    middle = len(transitions) // 2
    if kind == "lost":
        return sent, published | {"transitions": [*transitions[:middle], *transitions[middle + 1 :]]}
    if kind == "doubled":
        return sent, published | {"transitions": [*transitions, transitions[middle]]}
    demo = b'{"type": "track", "messageId": "planted", "userId": "planted", "event": "Demo Requested", "timestamp": "2026-02-01"}'
    return [*sent, Sent("web", demo, "planted")], published


def faults_of_the_rows(deployment: Deployment, program: Program, facts: list[Fact]) -> list[str]:
    """What a restore would bring back that is not what `accept` and `fold` give: of the facts of every lead, and of its heads."""
    rows: dict[bytes, bytes] = {}
    for message in deployment.read(deployment.topics.changelog):
        key, value = message.key() or b"", message.value()
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = value
    of_entity: defaultdict[str, list[Fact]] = defaultdict(list)
    for fact in facts:
        of_entity[fact.entity].append(fact)
    of_prefix: defaultdict[bytes, list[bytes]] = defaultdict(list)
    for key in rows:
        of_prefix[key[:_PREFIX]].append(key)
    faults = []
    for entity, said in of_entity.items():
        keys = of_prefix[row.facts_prefix(entity_key(entity))]
        kept = {key[-16:]: row.decode_fact(rows[key]).fact.fingerprint for key in keys}
        if kept != {fact_key(fact.source, fact.id): fact.fingerprint for fact in accept(said).values()}:
            faults.append(f"facts of {entity}")
        for lineage in program.funnels:
            head = rows.get(row.head_row_key(entity_key(entity), lineage.key))
            timeline = program.timeline(lineage, said)
            state = None if head is None else row.decode_state(row.decode_head(head).after)
            if (head is None) != (timeline.instant is None) or (head is not None and state != timeline.state):
                faults.append(f"head of {entity} in {lineage.name}")
    return faults
