"""The cost of an in-order fact does not grow with the history of its lead (design, invariant 8)."""

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
    """Rows that count what is read and allow no scan."""

    def __init__(self, run: History) -> None:
        self._run = run
        self.reads = 0

    def get(self, key: bytes) -> bytes | None:
        self.reads += 1
        return self._run.store.get(0, key)

    def scan(self, prefix: bytes) -> Iterator[tuple[bytes, bytes]]:
        raise AssertionError(f"an in-order fact scanned {prefix!r}")


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
    for length in (4, 400):
        said = fact(length - 1 + hours_after, step="c", id="~")
        read, effects = step(history(length), said)
        assert (read, len(effects.rows)) == (reads, rows), what
        assert sum(len(value or b"") for value in effects.rows.values()) < 2_000


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
