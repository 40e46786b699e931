"""From a case that fails to the shortest one that fails in the same way: what is left out of it did not matter.

Steps are left out in ever smaller runs (delta debugging), then what is left is made simpler: fewer funnels, rules and keys of
rules, one partition. Whatever is no definition any more is put back.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from typing import Any

from processors.simulation.schedule import Arrive, Case, Lane, Step, Take, Watermark
from processors.simulation.trial import Unfit, attempt

_SECTIONS = ("conversions", "stages", "detours", "outcomes")
_ALL = 1 << 30

Fails = Callable[[Case], bool]


def shortest(case: Case) -> Case:
    """The shortest case found that breaks the promise that this one breaks; the case itself where it breaks none."""
    broken = attempt(case).broken
    if broken is None:
        return case

    def fails(shorter: Case) -> bool:
        try:
            found = attempt(shorter).broken
        except Unfit:
            return False
        return found is not None and found.promise == broken.promise

    before = None
    while case != before:
        before = case
        case = case._replace(steps=_fewer_steps(case, fails))
        for simpler in (_fewer_partitions, _simpler_funnels, _simpler_steps):
            case = _first_of(case, simpler, fails)
    return case


def _fewer_steps(case: Case, fails: Fails) -> tuple[Step, ...]:
    """Leave out runs of steps, first half of them, in the end one by one."""
    steps, size = list(case.steps), max(1, len(case.steps) // 2)
    while True:
        at = 0
        while at < len(steps):
            without = steps[:at] + steps[at + size :]
            if fails(case._replace(steps=tuple(without))):
                steps = without
            else:
                at += size
        if size == 1:
            return tuple(steps)
        size //= 2


def _first_of(case: Case, simpler: Callable[[Case], Iterator[Case]], fails: Fails) -> Case:
    """Take the first simpler case that fails as well, again and again, until none does."""
    while (found := next(filter(fails, simpler(case)), None)) is not None:
        case = found
    return case


def _fewer_partitions(case: Case) -> Iterator[Case]:
    if case.tight:
        yield case._replace(tight=False)
    if case.partitions > 1:
        steps = tuple(step for step in case.steps if not (isinstance(step, Take) and step.lane.partition >= 1))
        yield case._replace(partitions=1, steps=steps)
        yield case._replace(partitions=1, steps=tuple(_moved(step) for step in case.steps))
    if max(case.sources.values()) > 1:
        sources = dict.fromkeys(case.sources, 1)
        yield case._replace(sources=sources, steps=tuple(_moved(step) for step in case.steps))


def _moved(step: Step) -> Step:
    """The same step in partition 0."""
    return step._replace(lane=Lane(step.lane.topic, 0)) if isinstance(step, Arrive | Take | Watermark) else step


def _simpler_steps(case: Case) -> Iterator[Case]:
    """Reading all there is rather than some."""
    for at, step in enumerate(case.steps):
        if isinstance(step, Take) and step.records != _ALL:
            yield case._replace(steps=(*case.steps[:at], step._replace(records=_ALL), *case.steps[at + 1 :]))


def _simpler_funnels(case: Case) -> Iterator[Case]:
    """Without one of the funnels, a rule of one, or a key of a rule; whether that is a definition still, trying shows."""
    if len(case.funnels) > 1:
        yield from (case._replace(funnels=others) for _, others in _without_one(case.funnels))
    for at, funnel in enumerate(case.funnels):
        for simpler in _simpler_funnel(funnel):
            yield case._replace(funnels=(*case.funnels[:at], simpler, *case.funnels[at + 1 :]))


def _simpler_funnel(funnel: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for section in _SECTIONS:
        rules = funnel.get(section, [])
        yield from ({**funnel, section: list(others)} for _, others in _without_one(rules))
        for at, rule in enumerate(rules):
            for key in sorted(rule.keys() - {"name", "description", "result"}):
                simpler = deepcopy(funnel)
                del simpler[section][at][key]
                if simpler[section][at].keys() & {"when", "while"}:
                    yield simpler
    for key in funnel.get("policies", {}):
        yield {**funnel, "policies": {name: value for name, value in funnel["policies"].items() if name != key}}


def _without_one(items: Sequence[Any]) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    return ((item, (*items[:at], *items[at + 1 :])) for at, item in enumerate(items))
