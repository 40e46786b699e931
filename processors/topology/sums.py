"""Sums: what the postings of a transaction make of the partial sums behind a facts partition (invariant 4).

A sum is written and published once per transaction, however many records have changed it, like lead snapshots.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from msgspec.structs import replace

from processors.metrics.cells import Cell, Posting, Sum, tally
from processors.topology import rows as row
from processors.topology.effects import Effects, FactsRecord, Rows
from processors.topology.publishing import Publisher
from schemas.instants import DAY


class Sums:
    """The sums of one application; it holds no state, that is in the rows.

    Args:
        publisher: Writes the records.
        keep: Days that sums are kept by the day; what is about a day before is one sum. None: all. Who stands where now is always
            kept by the day of the entry, which says for how long.
    """

    def __init__(self, publisher: Publisher, keep: int | None = None) -> None:
        self._publisher = publisher
        self._keep = keep

    def post(self, postings: Iterable[Posting], rows: Rows, last: FactsRecord) -> Effects:
        """Add postings to the sums of a facts partition.

        Args:
            postings: Of all records of a transaction.
            rows: Behind the partition, with what the transaction wrote.
            last: The last of the records; its value is not read.

        Returns:
            The rows of the sums that changed and their records; tombstones where nothing is left.
        """
        effects, changes = Effects(), tally(postings)
        if changes and self._keep is not None:
            changes = self._without_days_before(last.appended_at // DAY - self._keep, changes, rows)
        for cell, change in changes.items():
            if change:
                total = _add(cell, change, rows, effects)
                effects.published.append(self._publisher.metric(cell, total, last))
        return effects

    def _without_days_before(self, first: int, changes: Mapping[Cell, Sum], rows: Rows) -> dict[Cell, Sum]:
        """The changes, and those that take what is kept of older days into the sum of all of them."""
        found: defaultdict[Cell, Sum] = defaultdict(Sum)
        for cell, change in changes.items():
            past = cell.day is not None and cell.day < first and cell.kind != "standing"
            found[_of_all_before(cell, first) if past else cell].merge(change)
        for _, value in rows.scan(row.DAYS_PREFIX):
            kept = row.decode_sum(value)
            if kept.cell.day is None or kept.cell.day >= first:
                break
            found[_of_all_before(kept.cell, first)].merge(kept.sum)
            found[kept.cell].merge(kept.sum.negated())
        return found


def _of_all_before(cell: Cell, first: int) -> Cell:
    """The cell of all days before, and of all on which something about them was recorded that are no longer kept either."""
    kept = cell.recorded is not None and cell.recorded >= first
    return replace(cell, day=None, recorded=cell.recorded if kept else None)


def _add(cell: Cell, change: Sum, rows: Rows, effects: Effects) -> Sum:
    key = row.sum_key(cell)
    known = rows.get(key)
    total = row.decode_sum(known).sum if known is not None else Sum()
    total.merge(change)
    effects.rows[key] = row.encode_sum(row.SumRow(cell, total)) if total else None
    return total
