"""What a lead's history costs: a fact in order and a late one behind 10 to 10,000 others, many definitions, one instant, timers.

Everything runs in process, so it needs neither broker nor kit.
"""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import Any, NamedTuple

from bench.crowd import Crowd
from bench.job import program, written
from bench.lived import LEAD, START, VISIT, WALK, Cost, Lived, fact, walk
from bench.results import table
from processors.sources.statement import SourceRecord
from processors.topology.history import PAGE
from processors.topology.topology import Topology
from schemas.facts import Fact, Watermark
from schemas.instants import DAY

METHOD = """\
`advance` in process over a store in memory, without Kafka: CPU time of the process and bytes written to the changelog, keys and
values. What is tried is not kept, so it is tried again on the very same state; figures are the best of several tries, and the
sizes of a row take turns. The lead goes round four stages for ever, with a visit between the rounds, an hour from fact to fact
(`bench/history.yml`). A visit is a conversion and moves nothing. A fact in order is the mean over sixteen in a row, as many as
fill a page of the history; a late one that over eight random places."""

METHOD_OF_LATE = """\
A late visit changes nothing behind it, so folding ends at the next page; what grows is the way back to its page, over the rows
of all later ones. A late sign-up is an entry, and every later sign-up is then another one (`entry` counts them): all that is
behind it is folded again, and half of its moves amended."""

METHOD_OF_DEFINITIONS = """\
Definitions with four events of their own each. Unmatched is an event that none of them names, or one that a single one names
under a condition that is false; matched is a fact that a single one reads."""

METHOD_OF_INSTANTS = """\
Facts of one lead that all happened at the same microsecond: each judges those before it again, because together they are one
step of the history. The cost is that of all of them by their number."""

METHOD_OF_TIMERS = """\
The same funnel with a stage that expires and one that has a service level, so every lead in them has a timer. One watermark
makes the timers of 1,000 leads due; each moves its lead, and the cost is by timer. In order is as above, at 100 facts."""

LEAD_SIZES = (10, 100, 1_000, 10_000)
DEFINITIONS = (10, 100, 1_000)
TOGETHER = (10, 100, 1_000)
TIMERS = 1_000
SECONDS = 240.0
"""About how long it takes, for the announcement only."""

_ROUNDS = 5
_TRY = 0.004
"""CPU seconds that are spent in a round on trying one thing; a long one is tried once."""
_PLACES = 8
_Timed = Callable[[], Cost]


class _Row(NamedTuple):
    """One thing at several sizes."""

    what: str
    costs: Sequence[Cost]

    def cells(self) -> list[str]:
        """Microseconds and bytes at each size, and how far the dearest is from the cheapest."""
        micros, changelog = [1e6 * cost.seconds for cost in self.costs], [cost.changelog for cost in self.costs]
        shown = [f"{each:,.0f}" if each >= 100 else f"{each:,.1f}" for each in micros]
        with_bytes = [
            f"{each} us, {size:,} B" if any(changelog) else f"{each} us" for each, size in zip(shown, changelog, strict=True)
        ]
        growth = [f"{max(micros) / min(micros):.2f}"] + ([f"{max(changelog) / min(changelog):.2f}"] if any(changelog) else [])
        return [self.what, *with_bytes, " and ".join(growth)]


def report() -> str:
    """The tables with their method, as Markdown."""
    plain, timed = _lived(written("history.yml"), 100), _lived(_timed(), 100)
    parts = (
        METHOD,
        _table("facts before it", LEAD_SIZES, _in_order([(size, _lived(written("history.yml"), size)) for size in LEAD_SIZES])),
        METHOD_OF_LATE,
        _table("facts of the lead", LEAD_SIZES, _late()),
        METHOD_OF_DEFINITIONS,
        _table("definitions", DEFINITIONS, _definitions()),
        METHOD_OF_INSTANTS,
        _table("facts at one instant", TOGETHER, [_together()]),
        METHOD_OF_TIMERS,
        _table("funnel", ("without timers", "with timers"), _in_order([(100, plain), (100, timed)])),
        f"A timer that fires: {_fired().cells()[1]}.",
    )
    return "\n\n".join(parts)


def _table(sizes: str, names: Iterable[object], rows: Iterable[_Row]) -> str:
    columns = [f"{name:,}" if isinstance(name, int) else str(name) for name in names]
    return table([sizes, *columns, "dearest to cheapest"], (row.cells() for row in rows))


# --- one lead --------------------------------------------------------------------------------------------------------


def _lived(definition: dict[str, Any], facts: int) -> Lived:
    lived = Lived(program(definition))
    lived.take(walk(0, facts))
    return lived


def _in_order(leads: Sequence[tuple[int, Lived]]) -> list[_Row]:
    """The next fact of each lead, over a page of them; leads come with the number of their facts."""
    moving: list[Sequence[Cost]] = []
    staying: list[Sequence[Cost]] = []
    for more in range(PAGE):
        after = [(size + more, lead) for size, lead in leads]
        costs = _best([_trying(lead, fact(count, event)) for count, lead in after for event in (_next_stage(count), VISIT)])
        moving.append(costs[::2])
        staying.append(costs[1::2])
        for count, lead in after:
            lead.take(walk(count, 1))
    return [_Row("moves the lead", _means(moving)), _Row("moves nothing", _means(staying))]


def _next_stage(number: int) -> str:
    event = WALK[number % len(WALK)]
    return event if event != VISIT else WALK[(number + 1) % len(WALK)]


def _late() -> list[_Row]:
    leads = {size: _lived(written("history.yml"), size) for size in LEAD_SIZES}
    chosen, rows = random.Random(5), []
    for event, what in ((VISIT, "changes nothing behind it"), (WALK[0], "changes all behind it")):
        costs = []
        for _ in range(_PLACES):
            share = chosen.random()
            costs.append(_best([_trying(lead, fact(int(share * (size - 1)) + 0.5, event)) for size, lead in leads.items()]))
        rows.append(_Row(f"at a random place, {what}", _means(costs)))
        earliest = _best([_trying(lead, fact(-1, event)) for lead in leads.values()])
        rows.append(_Row(f"earlier than all, {what}", earliest))
    return rows


def _trying(lead: Lived, *facts: Fact) -> _Timed:
    return lambda: lead.attempt(*facts)


# --- definitions, instants, timers -----------------------------------------------------------------------------------


def _definitions() -> list[_Row]:
    programs = [program(*map(_copy, range(count))) for count in DEFINITIONS]
    topologies, leads = [Topology(compiled) for compiled in programs], [Lived(compiled) for compiled in programs]
    rows = []
    for event, what in (("Noise", "unmatched: none names it"), ("Trial Started 7", "unmatched: the condition of one is false")):
        value = Crowd(1).event(0).replace(b"Signed Up", event.encode())
        rows.append(_Row(what, _best([_ingesting(topology, value) for topology in topologies])))
    return [*rows, _Row("matched: one reads it", _best([_trying(lead, fact(0, "Signed Up 7")) for lead in leads]))]


def _copy(number: int) -> dict[str, Any]:
    """The job's definition with events of its own, and a condition on one."""
    definition = deepcopy(written("funnel.yml")) | {"funnel": f"bench-{number}"}
    for conversion in definition["conversions"]:
        conversion["when"] = {"event": f"{conversion['when']['event']} {number}"}
    definition["conversions"][1]["when"]["event.properties.plan"] = "enterprise"
    return definition


def _ingesting(topology: Topology, value: bytes) -> _Timed:
    record = SourceRecord("web", "in", 0, 0, START, None, value, ())

    def ingest() -> Cost:
        began = time.process_time()
        for _ in range(20):
            topology.ingest(record)
        return Cost((time.process_time() - began) / 20, 0, 0)

    return ingest


def _together() -> _Row:
    compiled = program(written("history.yml"))

    def filling(count: int) -> _Timed:
        facts = [fact(0, WALK[number % len(WALK)], name=f"{LEAD} {number}") for number in range(count)]
        return lambda: _by(Lived(compiled).attempt(*facts), count)

    return _Row("each", _best([filling(count) for count in TOGETHER], rounds=2))


def _timed() -> dict[str, Any]:
    """The funnel of the histories with timers: a stage that expires, one with a service level."""
    definition = written("history.yml")
    definition["stages"][1]["expires"] = {"after": "30d", "anchor": "last"}
    definition["stages"][2]["sla"] = "5d"
    return definition


def _fired() -> _Row:
    leads = Lived(program(_timed()))
    leads.take(each for number in range(TIMERS) for each in walk(0, 2, f"user:u-{number}"))
    partition = ("in", 0)
    watermark = Watermark(source=partition, at=START + 60 * DAY, sources=(partition,))
    return _Row("a timer fires", [_by(cost, TIMERS) for cost in _best([lambda: leads.attempt(watermark)])])


# --- figures ---------------------------------------------------------------------------------------------------------


def _best(tries: Sequence[_Timed], rounds: int = _ROUNDS) -> list[Cost]:
    """The cheapest of several tries of each, which take turns."""
    found: list[list[Cost]] = [[] for _ in tries]
    for _ in range(rounds):
        for attempt, costs in zip(tries, found, strict=True):
            spent = 0.0
            while spent < _TRY:
                costs.append(attempt())
                spent += costs[-1].seconds + 1e-6
    return [min(costs) for costs in found]


def _means(costs: Sequence[Sequence[Cost]]) -> list[Cost]:
    """Of several times several sizes, the mean at each size."""
    return [Cost(*(_mean([getattr(cost, part) for cost in at]) for part in Cost._fields)) for at in zip(*costs, strict=True)]


def _mean(values: Sequence[float]) -> Any:
    mean = sum(values) / len(values)
    return round(mean) if isinstance(values[0], int) else mean


def _by(cost: Cost, count: int) -> Cost:
    return Cost(cost.seconds / count, cost.changelog // count, cost.published // count)
