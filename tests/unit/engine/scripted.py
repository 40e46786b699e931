"""Clients that do what a test scripts, in the places of librdkafka's: for what a broker does only now and then."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

from confluent_kafka import KafkaError, KafkaException, TopicPartition

from processors.engine.admin import OffsetSpec
from processors.engine.assignment import Assignment
from processors.engine.broker_errors import BrokerErrors
from processors.engine.driven import Topology
from processors.engine.health import Health
from processors.engine.lanes import Lane, Place
from processors.engine.loop import Loop
from processors.engine.metrics import Metrics
from processors.engine.offsets import Bounds
from processors.engine.parts import Parts
from processors.engine.processing import Processing
from processors.engine.settings import Clients, EngineSettings, Limits
from processors.engine.starts import Start, Starts
from processors.engine.transaction import Transaction
from processors.engine.watchdog import Watchdog
from processors.engine.watermarks import Watermarks
from processors.state.memory import MemoryStore
from schemas.application import OwnTopics
from tests.kafka.summing import DEFINITIONS, Summing

TOPICS = OwnTopics("facts", "changelog", "transitions", "conversions", "leads", "metrics", "dead")


class Record:
    """A consumed record."""

    def __init__(
        self, topic: str, partition: int, offset: int, key: bytes, value: bytes, milliseconds: int = 1_700_000_000_000
    ) -> None:
        self._all = (topic, partition, offset, key, value)
        self._milliseconds = milliseconds

    def error(self) -> None:
        return None

    def topic(self) -> str:
        return self._all[0]

    def partition(self) -> int:
        return self._all[1]

    def offset(self) -> int:
        return self._all[2]

    def key(self) -> bytes:
        return self._all[3]

    def value(self) -> bytes:
        return self._all[4]

    def timestamp(self) -> tuple[int, int]:
        return 2, self._milliseconds

    def headers(self) -> None:
        return None

    def __len__(self) -> int:
        return len(self._all[4])


class Consumer:
    """Returns the scripted batches; a callable in the script is called in the place of a rebalance, within the call."""

    def __init__(self) -> None:
        self.script: deque[list[Any]] = deque()
        self.assigned: list[Place] = []
        self.began: dict[Place, int] = {}
        self.offsets: dict[Place, int] = {}
        self.read_into: dict[Place, str] = {}
        self.unanswered = 0
        self.positions: dict[Place, int] = {}
        self.paused: set[Place] = set()
        self.sought: list[tuple[str, int, int]] = []
        self.callbacks: dict[str, Callable[..., None]] = {}
        self.generation = 1
        self.closed = False

    def subscribe(self, topics: list[str], **callbacks: Callable[..., None]) -> None:
        self.callbacks = callbacks

    def rebalance(self, kind: str, *places: Place) -> Callable[[], None]:
        return lambda: self.callbacks[kind](self, [TopicPartition(*place) for place in places])

    def consume(self, count: int, timeout: float) -> list[Any]:
        steps = self.script.popleft() if self.script else []
        records = []
        for step in steps:
            if callable(step):
                step()
            else:
                records.append(step)
        return records

    def poll(self, timeout: float) -> Any:
        if self.script and len(self.script[0]) > 1:
            self.script.appendleft([self.script[0].pop(0)])
        found = self.consume(1, timeout)
        return found[0] if found else None

    def committed(self, places: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        if self.unanswered:
            self.unanswered -= 1
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, "a commit is pending", retriable=True))
        asked = [(each.topic, each.partition) for each in places]
        return [TopicPartition(*place, self.offsets.get(place, -1001), self.read_into.get(place, "")) for place in asked]

    def position(self, places: list[TopicPartition]) -> list[TopicPartition]:
        return [
            TopicPartition(each.topic, each.partition, self.positions.get((each.topic, each.partition), -1001)) for each in places
        ]

    def assign(self, places: list[TopicPartition]) -> None:
        self.assigned = [(place.topic, place.partition) for place in places]
        self.began |= {(place.topic, place.partition): place.offset for place in places}

    def unassign(self) -> None:
        self.assigned = []

    def pause(self, places: list[TopicPartition]) -> None:
        self.paused |= {(place.topic, place.partition) for place in places}

    def close(self) -> None:
        self.closed = True

    def resume(self, places: list[TopicPartition]) -> None:
        self.paused -= {(place.topic, place.partition) for place in places}

    def seek(self, place: TopicPartition) -> None:
        self.sought.append((place.topic, place.partition, place.offset))

    def consumer_group_metadata(self) -> bytes:
        return b"CGMDv2:" + self.generation.to_bytes(4, "little", signed=True) + b"app\0member\0one\0"


class Producer:
    """Keeps what was committed; raises what is scripted for a call, once each."""

    def __init__(self) -> None:
        self.open: list[tuple[str, Any, Any]] = []
        self.committed: list[tuple[str, Any, Any]] = []
        self.addressed: list[Place] = []
        self.offsets: dict[Place, int] = {}
        self.read_into: dict[Place, str] = {}
        self.calls: list[str] = []
        self.failures: dict[str, list[KafkaError]] = {}
        self._sent: dict[Place, int] = {}
        self._reports: list[Callable[[], None]] = []
        self._end = 0

    def begin_transaction(self) -> None:
        self._call("begin")

    def produce(self, topic: str, value: Any, key: Any, partition: int, on_delivery: Any, _: None, __: int, headers: Any) -> None:
        self._call("produce")
        self.open.append((topic, key, value))
        self.addressed.append((topic, partition))
        if on_delivery is not None:
            self._end += 10
            delivered = Record(topic, partition, self._end, key, value)
            self._reports.append(lambda: on_delivery(None, delivered))

    def send_offsets_to_transaction(self, places: Sequence[TopicPartition], metadata: bytes, timeout: float) -> None:
        self._call("send_offsets")
        self._sent = {(place.topic, place.partition): place.offset for place in places}
        self.read_into |= {(place.topic, place.partition): place.metadata or "" for place in places}

    def commit_transaction(self, timeout: float) -> None:
        self._call("commit")
        for report in self._reports:
            report()
        self.committed += self.open
        self.offsets |= self._sent
        self._clear()

    def abort_transaction(self, timeout: float) -> None:
        self._call("abort")
        self._clear()

    def poll(self, timeout: float) -> int:
        return 0

    def close(self) -> None:
        self._call("close")

    def _call(self, name: str) -> None:
        if name != "produce":
            self.calls.append(name)
        if self.failures.get(name):
            raise KafkaException(self.failures[name].pop(0))

    def _clear(self) -> None:
        self.open, self._reports, self._sent = [], [], {}


class Future:
    """An answer that is there."""

    def __init__(self, offset: int) -> None:
        self.offset = offset

    def done(self) -> bool:
        return True

    def exception(self) -> None:
        return None

    def result(self) -> "Future":
        return self


class Admin:
    """Says where logs begin and end."""

    def __init__(self) -> None:
        self.logs: dict[Place, Bounds] = {}

    def list_offsets(self, asked: dict[TopicPartition, Any], **_: Any) -> dict[TopicPartition, Future]:
        return {place: Future(self._offset(place, spec)) for place, spec in asked.items()}

    def _offset(self, place: TopicPartition, spec: object) -> int:
        bounds = self.logs.get((place.topic, place.partition), Bounds(0, 100))
        return bounds.end if isinstance(spec, type(OffsetSpec.latest())) else bounds.earliest  # type: ignore[no-untyped-call]


class Restorer:
    """Every partition is restored when it is asked."""

    def __init__(self) -> None:
        self.waiting: set[int] = set()

    @property
    def busy(self) -> bool:
        return bool(self.waiting)

    def add(self, partition: int, facts: Start) -> None:
        self.waiting.add(partition)

    def remove(self, partitions: Sequence[int]) -> None:
        self.waiting -= set(partitions)

    def slice(self) -> list[int]:
        done, self.waiting = self.waiting, set()
        return list(done)


class Storehouse:
    """An open store in memory."""

    is_open = True

    def __init__(self) -> None:
        self.store = MemoryStore()

    def close(self) -> None:
        self.is_open = False


class Bench:
    """A loop on scripted clients."""

    def __init__(self, limits: Limits | None = None, topology: Topology | None = None, **settings_of_it: Any) -> None:
        self.settings = settings = EngineSettings(
            "app", "one", {"bootstrap.servers": "x"}, {"in": "web"}, TOPICS, Path("state"), limits or Limits(), **settings_of_it
        )
        self.consumer, self.producer, self.storehouse, self.admin = Consumer(), Producer(), Storehouse(), Admin()
        self.consumer.offsets, self.consumer.read_into = self.producer.offsets, self.producer.read_into
        self.lanes: dict[Place, Lane] = {}
        self.metrics = Metrics()
        errors, stopping = BrokerErrors({}, "app", "app:one"), threading.Event()
        transaction = Transaction(cast(Any, self.producer), Watchdog(), errors, 30)
        self.parts = parts = Parts(
            settings,
            Clients(settings),
            DEFINITIONS,
            2,
            "facts-1",
            (("in", 0), ("in", 1)),
            cast(Any, self.admin),
            cast(Any, self.consumer),
            transaction,
            cast(Any, self.storehouse),
            self.lanes,
            errors,
            self.metrics,
            Health(60),
            stopping,
        )
        topology = topology or Summing()
        self.loop = Loop(parts, Processing(parts, topology), Watermarks(parts, timed=topology.timed))
        self.assignment = Assignment(parts, Starts(parts), cast(Any, Restorer()), self.loop.finish, self.loop.abandon)
        self.assignment.subscribe(["in", "facts"])
        self._stopping = stopping

    def run(self, *script: list[Any]) -> None:
        """Turn until the script is over, and once more."""
        self.consumer.script.extend(script)
        turns = [0]

        def enough() -> None:
            turns[0] += not self.consumer.script
            if turns[0] > 2:
                self._stopping.set()

        self._stopping.clear()
        self.loop.run(self.assignment, [enough])
