"""The topology: the two halves of a worker as functions of (record, state) to effects; all that an engine must drive."""

from processors.topology.advance import Advance
from processors.topology.ingest import Ingest
from processors.topology.program import Program
from processors.topology.publishing import Publisher
from processors.topology.sums import Sums


class Topology:
    """`ingest` and `advance` over one program. An exception out of either is a bug of ours, never the record's fault.

    Attributes:
        definitions: Digests of what the program's definitions do.
        timed: Whether any definition arms a timer: only then must watermarks be written.
        ingest: One record of a source topic becomes facts, counted drops or a dead letter.
        advance: One record of the facts topic, a fact or a watermark, changes the state behind its partition and publishes what
            changed.
        post: The postings of a transaction's records become sums.
    """

    def __init__(self, program: Program) -> None:
        self.definitions = program.definitions
        self.timed = program.timed
        self.ingest = Ingest(program)
        self.advance = Advance(program)
        self.post = Sums(Publisher(program.application), program.keep_metrics).post
