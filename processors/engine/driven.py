"""What an engine drives: the two halves of the topology, as functions from a record to effects."""

from collections.abc import Iterable
from typing import Protocol

from processors.metrics.cells import Posting
from processors.sources.statement import SourceRecord
from processors.topology.definition_digests import Definitions
from processors.topology.effects import Effects, FactsRecord, Rows


class Topology(Protocol):
    """Deterministic, without clocks or threads. An exception out of it is a bug and stops the worker."""

    @property
    def definitions(self) -> Definitions:
        """Digests of what the definitions do; by them it is decided whether state that others wrote may be continued."""
        ...

    @property
    def timed(self) -> bool:
        """Whether any definition arms a timer: only then are watermarks written."""
        ...

    def ingest(self, record: SourceRecord) -> Effects:
        """One record of a source topic. Must not return rows."""
        ...

    def advance(self, record: FactsRecord, rows: Rows) -> Effects:
        """One record of the facts topic, with the rows of its partition."""
        ...

    def post(self, postings: Iterable[Posting], rows: Rows, last: FactsRecord) -> Effects:
        """The postings of all records of a facts partition that a transaction took, and the last of them; see `topology.sums`."""
        ...
