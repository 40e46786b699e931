"""One lead that lives through a long history in process, and what one more record of the facts topic would cost it.

`advance` returns effects and performs nothing, so a record can be tried as often as it takes, on the very same state. The facts
go round the five events of `history.yml`, an hour apart.
"""

import time
from collections.abc import Iterable, Sequence
from typing import NamedTuple
from zlib import crc32

import msgspec

from processors.state.memory import MemoryStore
from processors.state.overlay import Overlay
from processors.topology.effects import FactsRecord
from processors.topology.program import Program
from processors.topology.topology import Topology
from schemas.facts import Coordinates, Fact, Message
from schemas.instants import HOUR, parse_instant

VISIT = "Visited"
WALK = ("Signed Up", "Trial Started", "Order Completed", "Subscription Renewed", VISIT)
START = parse_instant("2020-01-01")
LEAD = "user:u-1"

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Message).decode


class Cost(NamedTuple):
    """What records cost: CPU seconds, bytes written to the changelog (keys and values), records published."""

    seconds: float
    changelog: int
    published: int


class Lived:
    """The state behind one partition of facts, and the topology over it."""

    def __init__(self, program: Program) -> None:
        self._topology = Topology(program)
        self._store = MemoryStore()
        self._offset = 0

    def take(self, messages: Iterable[Message]) -> Cost:
        """Advance over messages, one after the other, and keep what they change."""
        rows = Overlay(self._store, 0)
        cost = self._advance(list(map(_encode, messages)), rows)
        self._store.apply({0: rows.pending}, {})
        return cost

    def attempt(self, *messages: Message) -> Cost:
        """What these would cost now; nothing of it is kept."""
        return self._advance(list(map(_encode, messages)), Overlay(self._store, 0))

    def _advance(self, values: list[bytes], rows: Overlay) -> Cost:
        """Messages, and those that the partition writes to itself because of them."""
        changelog = published = 0
        began = time.process_time()
        for value in values:
            self._offset += 1
            effects = self._topology.advance(FactsRecord(value, 0, self._offset, START), rows)
            rows.put(effects.rows)
            changelog += sum(len(key) + len(written or b"") for key, written in effects.rows.items())
            published += len(effects.published)
            values.extend(record.value or b"" for record in effects.published if record.topic == "facts")
        return Cost(time.process_time() - began, changelog, published)


def walk(first: int, count: int, lead: str = LEAD) -> Sequence[Fact]:
    """Facts number `first` and following of a lead's way round and round the funnel."""
    return [fact(number, WALK[number % len(WALK)], lead) for number in range(first, first + count)]


def fact(hour: float, event: str, lead: str = LEAD, *, name: str = "") -> Fact:
    """An event of a lead at this hour; `name` is its id where others happen at the same one."""
    at, identity = START + round(hour * HOUR), name or f"{lead} {hour}"
    return Fact(
        kind="event",
        entity=lead,
        occurred_at=at,
        source="web",
        id=identity,
        fingerprint=identity.encode(),
        name=event,
        broker_time=at,
        coordinates=Coordinates("in", 0, crc32(identity.encode())),
    )
