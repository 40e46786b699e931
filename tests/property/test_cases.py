"""Every given/expect case, the shared ones as they stand and those beside the funnels, through `fold` and through `advance`.

A case holds in the order in which its records arrive, where also the published operations are compared; and what stands in
the end is what `fold` says in any other order, with duplicates, whenever the clock goes on.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from processors.topology.program import Program
from tests.given_expect import Case, assert_any_order, cases_of, counted, in_time, load, operation, seen, told, world_of
from tests.shared_material import ABSENT, ROOT, SHARED

SHARED_CASES = {"dreamdata": 8, "leadsquared": 5, "prospecting": 20, "revops": 3, "shop": 3}
SHIPPED = ("dreamdata-lead", "hubspot-lifecycle", "leadsquared", "prospecting", "revops", "shop")
ORDERS, ORDERS_OF_SHIPPED = 100, 5


def _cases(folder: Path, names: Any, orders: int, *marks: Any) -> Iterator[Any]:
    for name in names:
        funnel = load(folder / f"{name}.yml")
        world = world_of(funnel)
        for case in cases_of(folder / f"{name}.test.yml", funnel):
            yield pytest.param(world, case, orders, id=f"{name}-{case.name}", marks=marks)


def _shared() -> Iterator[Any]:
    if SHARED.is_dir():
        yield from _cases(SHARED / "cases", SHARED_CASES, ORDERS, pytest.mark.shared)
    else:
        yield pytest.param(None, None, 0, id="absent", marks=[pytest.mark.shared, pytest.mark.skip(reason=ABSENT)])


ALL = [*_shared(), *_cases(ROOT / "funnels", SHIPPED, ORDERS_OF_SHIPPED)]


@pytest.mark.parametrize(("world", "case", "orders"), ALL)
def test_case(world: Program, case: Case, orders: int) -> None:
    """Path and conversions by `fold`, the published operations by `advance`, and the same end in any order."""
    (lineage,) = world.funnels
    timeline = world.timeline(lineage, case.facts, case.as_of)
    moves = [seen(move) for move in timeline.moves if move.deal == case.deal]
    assert told(moves, case.path) == case.path
    assert counted(world, case) == case.conversions
    if case.published is not None:
        bodies = in_time(world, case.facts, case.as_of).bodies("transitions")
        operations = [operation(body) for body in bodies if (body["deal"] or "") == case.deal]
        assert told(operations, case.published) == case.published
    assert_any_order(world, case.facts, case.as_of, orders)


def test_no_shared_case_is_left_out(shared: Path) -> None:
    """Guards the list of files above."""
    assert {file.name.removesuffix(".test.yml") for file in (shared / "cases").glob("*.test.yml")} == SHARED_CASES.keys()
    ran = [str(param.id) for param in ALL if param.marks]
    assert {name: sum(case.startswith(f"{name}-") for case in ran) for name in SHARED_CASES} == SHARED_CASES
