"""What an engine drives: the two halves of the topology, as functions from a record to effects."""

from typing import Protocol

from processors.sources.statement import SourceRecord
from processors.topology.effects import Effects, FactsRecord, Rows


class Topology(Protocol):
    """Deterministic, without clocks or threads. An exception out of it is a bug and stops the worker."""

    @property
    def definitions_digest(self) -> str:
        """Digest of the definition set; state written under another one is refused."""
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
