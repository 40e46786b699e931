"""The topology: the two halves of a worker as functions of (record, state) to effects; all that an engine must drive."""

from processors.sources.statement import SourceRecord
from processors.topology.advance import Advance
from processors.topology.effects import Effects, FactsRecord, Rows
from processors.topology.ingest import Ingest
from processors.topology.program import Program


class Topology:
    """`ingest` and `advance` over one program. An exception out of either is a bug of ours, never the record's fault."""

    def __init__(self, program: Program) -> None:
        self.definitions_digest = program.definitions_digest
        self._ingest = Ingest(program)
        self._advance = Advance(program)

    def ingest(self, record: SourceRecord) -> Effects:
        """One record of a source topic becomes facts, counted drops or a dead letter."""
        return self._ingest(record)

    def advance(self, record: FactsRecord, rows: Rows) -> Effects:
        """One record of the facts topic changes the state behind its partition and publishes what changed."""
        return self._advance(record, rows)
