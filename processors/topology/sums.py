"""Sums: what the postings of a transaction make of the partial sums behind a facts partition (invariant 4).

A sum is written and published once per transaction, however many records have changed it, like lead snapshots.
"""

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

from processors.metrics.cells import Cell, Posting, Sum, tally
from processors.topology import rows as row
from processors.topology.effects import Effects, Rows
from processors.topology.publishing import Publisher


class Sums:
    """The sums of one application; it holds no state, that is in the rows."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def post(self, postings: Iterable[Posting], rows: Rows, partition: int, recorded_at: int) -> Effects:
        """Add postings to the sums of a facts partition.

        Args:
            postings: Of all records of a transaction; what nets to nothing changes nothing.
            rows: Behind the partition, with what the transaction wrote.
            partition: Its number.
            recorded_at: Log-append time of the last record, in microseconds.

        Returns:
            The rows of the sums that changed and their records; tombstones where nothing is left.
        """
        effects = Effects()
        for cell, change in tally(postings).items():
            if change:
                total = self._add(cell, change, rows, effects)
                effects.published.append(self._publisher.metric(cell, total, partition, recorded_at))
        return effects

    def _add(self, cell: Cell, change: Sum, rows: Rows, effects: Effects) -> Sum:
        key = row.SUMS_PREFIX + blake2b(msgspec.msgpack.encode(cell), digest_size=16).digest()
        known = rows.get(key)
        total = row.decode_sum(known).sum if known is not None else Sum({}, {})
        total.merge(change)
        effects.rows[key] = row.encode_sum(row.SumRow(cell, total)) if total else None
        return total
