"""The cost of an in-order fact does not grow with the history of its lead (design, invariant 8)."""

import json
from collections.abc import Iterator

import msgspec
import pytest

from processors.topology.advance import Advance
from processors.topology.effects import Effects, FactsRecord
from processors.topology.rows import decode_fact, fact_row_key
from schemas.facts import Fact, entity_key, fact_key
from tests.unit.stages.notation import STEPS, world
from tests.worlds import START, History, fact


class Watched:
    """Rows that count what is read, and allow no scan unless told."""

    def __init__(self, run: History, *, scans: bool = False) -> None:
        self._run = run
        self._scans = scans
        self.reads = 0
        self.scanned = 0

    def get(self, key: bytes) -> bytes | None:
        self.reads += 1
        return self._run.store.get(0, key)

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        assert self._scans, f"an in-order fact scanned {prefix!r}"
        for row in self._run.store.scan(0, prefix, start):
            self.scanned += 1
            yield row


def history(length: int) -> History:
    """A lead that moved with every fact, hour by hour."""
    return History(world(STEPS)).take(fact(hour, step="ab"[hour % 2]) for hour in range(length))


def step(run: History, said: Fact) -> tuple[int, Effects]:
    """Reads and effects of one more fact."""
    rows = Watched(run)
    effects = Advance(run.program)(FactsRecord(msgspec.msgpack.encode(said), 0, 0, START), rows)
    return rows.reads, effects


@pytest.mark.parametrize(
    ("what", "hours_after", "reads", "rows"),
    [
        ("in order and moving: its own row, the head, the entity", 1, 3, 3),
        ("of the last instant: beside them the other fact of the instant", 0, 4, 4),
    ],
)
def test_cost_of_a_fact_is_the_same_after_any_history(what: str, hours_after: int, reads: int, rows: int) -> None:
    for length in (4, 404):  # so that no page is full
        said = fact(length - 1 + hours_after, step="c", id="~")
        read, effects = step(history(length), said)
        assert (read, len(effects.rows)) == (reads, rows), what
        assert sum(len(value or b"") for value in effects.rows.values()) < 2_000


@pytest.mark.parametrize(
    ("what", "value", "operations", "at_most"),
    [
        ("an entry that every later state remembers: folded from its page to the end", "c", {"announce", "amend"}, 64),
        ("changes nothing: folded to the next page, which begins as it did", "b", set(), 18),
    ],
)
def test_a_late_fact_reads_a_stretch_and_not_the_whole(what: str, value: str, operations: set[str], at_most: int) -> None:
    """However long the history, of which forty instants are later than the fact; it stood in b then."""
    costs = []
    for length in (104, 1_000):  # so that its page begins at one place
        run = history(length)
        rows = Watched(run, scans=True)
        late = fact(length - 40.5, step=value, id="~")
        effects = Advance(run.program)(FactsRecord(msgspec.msgpack.encode(late), 0, 0, START), rows)
        assert {json.loads(record.value or b"")["op"] for record in effects.published} == operations, what
        costs.append((rows.reads, rows.scanned, len(effects.rows)))
    assert costs[0] == costs[1]
    reads, scanned, _ = costs[0]
    assert (scanned, reads <= at_most) == (3, True)


def test_a_fact_that_moves_nothing_writes_its_own_row_and_the_head() -> None:
    read, effects = step(history(40), fact(50, step="b"))
    assert (read, len(effects.rows), effects.published, effects.snapshots) == (2, 2, [], {})


def test_a_duplicate_reads_its_own_row_and_nothing_more() -> None:
    read, effects = step(history(40), fact(3, step="b"))
    assert (read, effects.rows, effects.published) == (1, {}, [])


def test_a_fact_that_no_funnel_reads_is_kept_and_costs_its_own_row() -> None:
    read, effects = step(history(4), fact(3, other="x"))
    assert (read, len(effects.rows)) == (1, 1)


def test_a_fact_keeps_one_token_of_each_publication_however_often_it_is_amended() -> None:
    """Tokens stand in the row of their causing fact; a later revision takes the place of the earlier."""
    run = history(0).take([fact(9, step="d", id="x"), *(fact(hour, step="abc"[hour % 3]) for hour in (8, 7, 6, 5, 4))])
    kept = run.store.get(0, fact_row_key(entity_key("user:1"), fact_key("web", "x")))
    (token,) = decode_fact(kept or b"").publications
    assert token.revision > 2


def test_an_entity_never_sees_the_rows_of_another() -> None:
    """Rows of an entity lie together; a refold of one reads only its own."""
    run = history(4)
    other = [msgspec.structs.replace(fact(hour, step="a"), entity="user:2") for hour in (9, 8)]
    run.take(other)
    assert [body["subject"]["id"] for body in run.bodies("transitions")[4:]] == ["user:2"] * 3
