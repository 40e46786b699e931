"""One application on the summing topology, for one test: its topics, its workers, what was sent to it and what it published."""

import json
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicCollection, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported at run time
    AdminClient,
    NewPartitions,
    NewTopic,
)

from processors.engine.described import describe_group
from processors.engine.findings import Finding
from processors.engine.group import set_offsets
from processors.engine.inspection import Inspection
from processors.engine.reset import Reset
from processors.engine.settings import EngineSettings
from processors.engine.topics import create_topics, wanted_topics
from processors.state.store import Label
from schemas.application import OwnTopics
from tests.kafka.processes import WorkerProcess, wait_until
from tests.kafka.summing import DEFINITIONS
from tests.small_funnel import SMALL

PARTITIONS = 4
DYNAMIC = {"group.protocol": "consumer"}
"""Members that are stopped leave at once; static ones count until their session ends, 30 s at least."""
INPUTS = 3
SENT_WITHIN = 120
"""Seconds; brokers may be away for a while."""
_SENDING = {"linger.ms": 5, "enable.idempotence": True}
"""Every record counts, so none may come twice because a broker took it and did not say so in time."""
ROLES = ("facts", "changelog", "transitions", "conversions", "leads", "metrics", "dead_letters")


class Application:
    """Unique names on a broker that tests share; workers that still run are killed by `close`.

    Attributes:
        name: The application.
        input: Its only source topic.
        topics: Its own topics.
        sent: Numbers that were sent, by key.
    """

    def __init__(self, bootstrap: str, folder: Path, kafka: dict[str, str] | None = None) -> None:
        self.name = f"test-{uuid4().hex[:12]}"
        self.kafka = {"bootstrap.servers": bootstrap, **(kafka or {})}
        self.folder = folder
        self.input = f"{self.name}.input"
        self.topics = OwnTopics(*(f"{self.name}.{role}" for role in ROLES))
        self.admin = AdminClient(self.client())
        self.sent: dict[str, list[int]] = defaultdict(list)
        self._workers: dict[str, WorkerProcess] = {}
        self._producer = Producer(self.client(**_SENDING))

    def client(self, **more: Any) -> dict[str, Any]:
        return {**self.kafka, "log_level": 0, **more}

    def create_input(self) -> None:
        new = NewTopic(self.input, INPUTS, -1)
        self.admin.create_topics([new])[self.input].result()

    def create(self) -> "Application":
        self.create_input()
        create_topics(self.admin, wanted_topics(self.topics, PARTITIONS))
        return self

    def grow(self, topic: str, count: int) -> None:
        """Give a topic more partitions, and let what is sent from here on know of them."""
        self.admin.create_partitions([NewPartitions(topic, count)])[topic].result()
        self._producer = producer = Producer(self.client(**_SENDING))
        wait_until(
            lambda: len(producer.list_topics(topic, 10).topics[topic].partitions) == count, "the new partitions to be known"
        )

    def delete(self, *topics: str) -> None:
        """Delete topics, and wait until the brokers have done so."""
        for future in self.admin.delete_topics(list(topics)).values():
            future.result()
        wait_until(lambda: not {*topics} & {*self.admin.list_topics(timeout=10).topics}, "the topics to be gone")

    def settings(self, instance: str = "one", **changes: Any) -> dict[str, Any]:
        """What `worker_main` reads."""
        told = {
            "application": self.name,
            "instance": instance,
            "kafka": self.kafka | changes.pop("kafka", {}),
            "source_topics": {self.input: "web"},
            "topics": self.topics._asdict(),
            "state_path": str(self.folder / "state"),
            "listen": "127.0.0.1:0",
        }
        return told | changes

    def findings(self, **kafka: str) -> list[Finding]:
        """What `check` says of it, to a user with these settings of the client."""
        told = self.settings(kafka=kafka)
        told |= {"topics": self.topics, "state_path": Path(told["state_path"])}
        return list(Inspection(EngineSettings(**told), PARTITIONS, None, DEFINITIONS).findings())

    def worker(self, instance: str = "one", *, log: str = "", **changes: Any) -> WorkerProcess:
        """A worker that is not started; a second process of the same instance needs a `log` of its own."""
        name = log or instance
        worker = WorkerProcess.of_module("tests.kafka.worker_main", self.settings(instance, **changes), self.folder, name)
        self._workers[name] = worker
        return worker

    def at_work(self, records: int, **changes: Any) -> WorkerProcess:
        """A worker that runs and has taken so many records; for `changes` see `settings`."""
        worker = self.worker(**changes).start().wait_ready()
        self.send_some(records)
        self.wait_exact()
        return worker

    def config(self, **kafka: str) -> Path:
        """A configuration that names the same group and topics, for commands; its funnel is not the summing topology."""
        (self.folder / "funnel.yml").write_text(SMALL)
        file = self.folder / "application.yml"
        told = {
            "application": self.name,
            "definitions": "funnel.yml",
            "kafka": self.kafka | kafka,
            "topics": {"partitions": PARTITIONS, **self.topics._asdict()},
            "state": {"path": "state"},
            "identity": {"namespaces": [{"name": "user", "kind": "lead"}]},
            "sources": {"web": {"topics": [self.input], "format": "segment", "identifiers": {"userId": "user"}}},
        }
        file.write_text(json.dumps(told))  # which is YAML too
        return file

    def store(self, instance: str = "one") -> Path:
        return self.folder / "state" / self.name / instance

    def label(self) -> Label:
        """What a store of this application is written for, now."""
        return Label(self.name, PARTITIONS, str(self.described()[self.topics.changelog].topic_id))

    def described(self) -> dict[str, Any]:
        """Our own topics as the brokers describe them, once they know those that were made just now."""
        wait_until(lambda: {*self.topics} <= {*self.admin.list_topics(timeout=10).topics}, "the topics to be known")
        return {name: future.result() for name, future in self.admin.describe_topics(TopicCollection([*self.topics])).items()}

    def close(self) -> None:
        for worker in self._workers.values():
            worker.kill9()

    # What goes in.

    def send(self, pairs: Iterable[tuple[str, str | int]], topic: str | None = None, partition: int = -1) -> None:
        """Send keys with numbers, or with the words of the summing topology."""
        for key, value in pairs:
            if isinstance(value, int):
                self.sent[key].append(value)
            while True:
                try:
                    self._producer.produce(topic or self.input, str(value).encode(), key.encode(), partition)
                    break
                except BufferError:
                    self._producer.poll(0.1)
        assert self._producer.flush(SENT_WITHIN) == 0

    def send_some(self, count: int, keys: int = 20) -> None:
        """Send so many numbers, spread over the keys."""
        before = sum(map(len, self.sent.values()))
        self.send((f"k{number % keys}", number % 7 + 1) for number in range(before, before + count))

    @property
    def amount(self) -> int:
        return sum(map(len, self.sent.values()))

    def hold(self, partitions: Iterable[int]) -> Producer:
        """A row in these partitions of the changelog, in somebody's transaction that stays open until the producer ends it."""
        producer = Producer(self.client(**{"transactional.id": f"{self.name}-held"}))
        producer.init_transactions(30)
        producer.begin_transaction()
        for number in partitions:
            producer.produce(self.topics.changelog, b"[1000, 1000]", b"sum:k1", number)
        producer.flush()
        return producer

    # What comes out.

    def read(self, topic: str, isolation: str = "read_committed") -> list[Message]:
        """Every record of a topic up to now; a reader of committed ones stops before an open transaction."""
        consumer = Consumer(
            self.client(
                **{
                    "group.id": "reader",
                    "isolation.level": isolation,
                    "enable.partition.eof": True,
                    "enable.auto.commit": False,
                    "fetch.wait.max.ms": 20,
                }
            )
        )
        try:
            return list(_to_the_end(consumer, topic))
        finally:
            consumer.close()

    def steps(self) -> list[dict[str, Any]]:
        """The published steps."""
        return [json.loads(message.value() or b"") for message in self.read(self.topics.transitions)]

    def wait_exact(self, within: float = 60.0, beginning: int = 0) -> None:
        """Wait until everything sent has become a step, then hold every step against what was sent: none lost, none doubled.

        Args:
            within: Seconds.
            beginning: How many of the first steps are gone with a topic that was deleted.
        """
        deadline = time.monotonic() + within
        while len(steps := self.steps()) < self.amount - beginning:
            if time.monotonic() > deadline:
                tails = "\n".join(worker.tail(25) for worker in self._workers.values())
                raise AssertionError(f"{len(steps)} of {self.amount} steps after {within:.0f} s\n{tails}")
            time.sleep(0.1)
        counts, totals = _told(steps)
        for key, numbers in self.sent.items():
            ends = len(numbers) + 1
            assert counts[key] == list(range(ends - len(counts[key]), ends)), f"steps of {key}"
            assert totals[key] == sum(numbers), f"sum of {key}"
        assert len(steps) == self.amount - beginning

    def settle(self, *workers: WorkerProcess, within: float = 180.0) -> None:
        """Start these anew when they end with 3 or 5, as a supervisor does, until all are ready and what was sent is through."""

        def settled() -> bool:
            for worker in workers:
                if not worker.running:
                    assert worker.process.returncode in (3, 5), worker.tail()
                    worker.start()
            with suppress(KafkaException):  # the brokers may be away
                return all(worker.probe("/readyz") == 200 for worker in workers) and len(self.steps()) >= self.amount
            return False

        try:
            wait_until(settled, "all to be ready and everything to be through", within, every=1.0)
        except AssertionError as failure:
            raise AssertionError("\n".join([str(failure), *(worker.tail() for worker in workers)])) from None
        self.wait_exact()

    def begin_again(self, *, outputs: bool = True) -> None:
        """What `funnelstream reset empty` does, once no worker is a member of the group any more."""
        self.wait_empty()
        reset = self.reset()
        for _ in reset.perform(reset.to_nothing(outputs=outputs)):
            pass

    def reset(self) -> Reset:
        """A reset that was not planned yet; the group must have no member."""
        told = self.settings("reset")
        told |= {"topics": OwnTopics(**told["topics"]), "state_path": Path(told["state_path"])}
        return Reset(EngineSettings(**told), PARTITIONS, None)

    def check_exact_so_far(self) -> None:
        """Hold what was published against the beginning of what was sent: nothing doubled, nothing wrong, whatever is missing."""
        counts, totals = _told(self.steps())
        for key, count in counts.items():
            assert count == list(range(1, len(count) + 1)), f"steps of {key}"
            assert totals[key] == sum(self.sent[key][: len(count)]), f"sum of {key}"

    def snapshots(self) -> dict[str, dict[str, Any] | None]:
        """The last lead snapshot of every key."""
        found = {}
        for message in self.read(self.topics.leads):
            value = message.value()
            found[(message.key() or b"").decode()] = None if value is None else json.loads(value)
        return found

    # The group.

    def committed(self, topic: str) -> dict[int, int]:
        """The group's committed offsets of a topic."""
        consumer = Consumer(self.client(**{"group.id": self.name}))
        try:
            partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            found = consumer.committed([TopicPartition(topic, number) for number in partitions], timeout=30)
            return {place.partition: place.offset for place in found if place.offset >= 0}
        finally:
            consumer.close()

    def wait_empty(self) -> None:
        """Wait until the group has no member; one that could not leave counts until its session ends, after 45 s."""
        wait_until(lambda: not describe_group(self.admin, self.name).members, "the group to be empty")

    def set_offsets(self, topic: str, offsets: dict[int, int]) -> None:
        """Set offsets of the group as an operator would, while no worker runs."""
        set_offsets(self.admin, self.name, {(topic, number): offset for number, offset in offsets.items()})

    def commit(self, topic: str, offsets: dict[int, int]) -> None:
        """Set offsets of the group as an operator would, while no worker runs."""
        consumer = Consumer(self.client(**{"group.id": self.name}))
        try:
            places = [TopicPartition(topic, number, offset) for number, offset in offsets.items()]
            wait_until(lambda: _commits(consumer, places), "the group to be empty", 50)
        finally:
            consumer.close()

    def ends(self, topic: str) -> dict[int, tuple[int, int]]:
        """First offset and end of every partition of a topic."""
        consumer = Consumer(self.client(**{"group.id": "reader"}))
        try:
            partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
            return {number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=10) for number in partitions}
        finally:
            consumer.close()


def _told(steps: Iterable[dict[str, Any]]) -> tuple[defaultdict[str, list[int]], dict[str, int]]:
    """The numbers of the steps of each key, and its last sum."""
    counts: defaultdict[str, list[int]] = defaultdict(list)
    totals: dict[str, int] = {}
    for step in steps:
        counts[step["key"]].append(step["count"])
        totals[step["key"]] = step["sum"]
    return counts, totals


def _commits(consumer: Consumer, places: list[TopicPartition]) -> bool:
    try:
        done = consumer.commit(offsets=places, asynchronous=False)
    except Exception:  # the group still has members
        return False
    return all(place.error is None for place in done or [])


def _to_the_end(consumer: Consumer, topic: str) -> Iterator[Message]:
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    unfinished = set(partitions)
    while unfinished:
        for message in consumer.consume(5_000, 0.05):
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                unfinished.discard(message.partition() or 0)
            else:
                raise AssertionError(f"reading {topic}: {error}")
