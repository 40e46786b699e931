"""One application on a broker, for tests: its configuration, topics and workers, and what it has published."""

import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported at run time
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from processors.cli.loading import Loaded, load
from processors.engine.reading import read_topic
from processors.topology import rows
from schemas.instants import SECOND
from tests.command import funnelstream
from tests.kafka.processes import WorkerProcess

QUIET = 180.0
"""Seconds in which everything that was sent must be through."""
_ROUNDS = 3
"""How often ends are looked up: a record of a source becomes facts, and many timers that are due become a message of the next."""


class Deployment:
    """An application whose configuration is a template with `{application}`, `{bootstrap}` and `{folder}` filled in.

    Attributes:
        config: The configuration file.
        loaded: What it says.
    """

    def __init__(self, config: Path, folder: Path) -> None:
        self.config = config
        self.folder = folder
        self.loaded: Loaded = load(config)
        self.kafka = dict(self.loaded.application.kafka)
        self.topics = self.loaded.application.own_topics
        self.source_topic = {name: source.topics[0] for name, source in self.loaded.application.sources.items()}
        funnelstream("topics", "create", "--config", config, "--with-sources")

    def worker(self, name: str, config: Path | None = None) -> WorkerProcess:
        """A worker of this application, as `funnelstream run` starts it; with a configuration of its own, if it must have one."""
        config = config or self.config
        command = [sys.executable, "-m", "processors.cli.main", "run", "--config", str(config), "--instance", name]
        return WorkerProcess(command, self.folder / f"{name}.log")

    def store(self, name: str) -> Path:
        """Where the worker of this name keeps its store."""
        application = self.loaded.application
        return Path(application.state.path) / application.application / name

    def producer(self) -> Producer:
        """A producer for the source topics, of records as large as they may take."""
        settings = {"enable.idempotence": True, "linger.ms": 20, "log_level": 0, "message.max.bytes": "8000000"}
        return Producer({**self.kafka, **settings})

    def read(self, topic: str) -> list[Message]:
        """Every committed record of a topic."""
        return list(read_topic(self.kafka, self.loaded.application.application, topic))

    def published(self) -> dict[str, list[Message]]:
        """Committed records, of all topics but the snapshots."""
        return {
            "transitions": self.read(self.topics.transitions),
            "conversions": self.read(self.topics.conversions),
            "metrics": self.read(self.topics.metrics),
            "dead_letters": self.read(self.topics.dead_letters),
        }

    def wait_through(self, attend: Callable[[], None] = lambda: time.sleep(0.3)) -> None:
        """Wait until the group has committed every record of the sources and of facts that there is, and what came of it.

        Where definitions arm timers, watermarks keep coming: it is what was there that is waited for, a few times over.

        Args:
            attend: Called between two looks.
        """
        consumer = Consumer({**self.kafka, "group.id": self.loaded.application.application, "log_level": 0})
        deadline = time.monotonic() + QUIET
        try:
            for _ in range(_ROUNDS):
                ends = self._ends(consumer)
                while behind := self._behind(consumer, ends):
                    assert time.monotonic() < deadline, f"still behind after {QUIET:.0f} s: {behind}"
                    attend()
                attend()
        finally:
            consumer.close()

    def wait_fired(self, attend: Callable[[], None] = lambda: time.sleep(0.3)) -> None:
        """Wait until every timer is fired that is due by now: every source partition was read to its end, and has said so since.

        Args:
            attend: Called between two looks.
        """
        if not self.loaded.program.timed:
            return
        due, deadline = time.time(), time.monotonic() + QUIET
        while (as_of := self._as_of()) < due:
            assert time.monotonic() < deadline, f"timers were fired up to {as_of:.0f} s, {due - as_of:.0f} s too early"
            attend()
        self.wait_through(attend)

    def _as_of(self) -> float:
        """Until when every facts partition has fired timers, in seconds."""
        found = dict.fromkeys(range(self.loaded.application.topics.partitions), 0.0)
        for message in self.read(self.topics.changelog):
            if message.key() == rows.WATERMARKS_KEY:
                found[message.partition() or 0] = rows.decode_watermarks(message.value() or b"").as_of / SECOND
        return min(found.values())

    def _ends(self, consumer: Consumer) -> dict[tuple[str, int], int]:
        """The last record of every partition of the sources and of facts, where it has one."""
        there = consumer.list_topics(timeout=10).topics
        topics = (*self.source_topic.values(), self.topics.facts)
        places = [TopicPartition(topic, number) for topic in topics for number in there[topic].partitions]
        return {place: last for place, last in self._last_records(places).items() if last >= 0}

    def _behind(self, consumer: Consumer, ends: dict[tuple[str, int], int]) -> dict[str, int]:
        """Records of each topic up to these ends that are not committed yet; transaction markers after them do not count."""
        behind: Counter[str] = Counter()
        try:
            committed = consumer.committed([TopicPartition(*each) for each in ends], timeout=30)
        except KafkaException as raised:
            error = raised.args[0]
            if not error.retriable() and error.code() not in (KafkaError._TIMED_OUT, KafkaError.NOT_COORDINATOR):
                raise
            return {"unknown": 1}  # the group's coordinator moves, or comes back
        for place in committed:
            behind[place.topic] += max(ends[place.topic, place.partition] + 1 - max(place.offset, 0), 0)
        return dict(+behind)

    def _last_records(self, places: list[TopicPartition]) -> dict[tuple[str, int], int]:
        """Offset of the last committed record of each partition; -1 for none."""
        reader = Consumer(
            {
                **self.kafka,
                "group.id": "last-record",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "fetch.wait.max.ms": 20,
                "log_level": 0,
            }
        )
        last = {(place.topic, place.partition): -1 for place in places}
        unfinished, deadline = {*last}, time.monotonic() + 60
        try:
            bounds = [(place, log_of(reader, place)) for place in places]
            reader.assign([TopicPartition(place.topic, place.partition, max(low, high - 50)) for place, (low, high) in bounds])
            while unfinished and time.monotonic() < deadline:
                for message in reader.consume(1_000, 0.05):
                    place = (message.topic() or "", message.partition() or 0)
                    if message.error() is None:
                        last[place] = message.offset() or 0
                    else:
                        unfinished.discard(place)
        finally:
            reader.close()
        assert not unfinished, f"{sorted(unfinished)} have no end: a transaction hangs"
        return last


def limit_size(admin: AdminClient, topic: str, size: int) -> None:
    """Let a topic take records up to so many bytes."""
    resource = ConfigResource(ResourceType.TOPIC, topic)
    resource.add_incremental_config(ConfigEntry("max.message.bytes", str(size), incremental_operation=AlterConfigOpType.SET))
    admin.incremental_alter_configs([resource])[resource].result()


def log_of(consumer: Consumer, place: TopicPartition) -> tuple[int, int]:
    """First offset and end of a partition; waits for one that was made just now, of which not every broker knows yet."""
    deadline = time.monotonic() + 30
    while True:
        try:
            return consumer.get_watermark_offsets(place, timeout=10)
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def bodies(messages: list[Message]) -> list[dict[str, Any]]:
    """The JSON bodies of records."""
    return [json.loads(message.value() or b"null") for message in messages]


def faults_of_the_log(published: dict[str, list[Message]]) -> list[str]:
    """What a consumer would complain about: an operation twice, a gap in a sequence, a revision out of turn."""
    faults = []
    for topic in ("transitions", "conversions"):
        seen = Counter(dict(message.headers() or [])["ce_id"] for message in published[topic])
        faults += [f"{topic}: {identity!r} was published {count} times" for identity, count in seen.items() if count > 1]
    sequences: dict[str, list[int]] = defaultdict(list)
    for body in bodies(published["transitions"]):
        sequences[body["subject"]["id"]].append(body["sequence"])
    faults += [f"{subject}: sequence {said}" for subject, said in sequences.items() if said != list(range(1, len(said) + 1))]
    revisions: dict[str, list[int]] = defaultdict(list)
    for body in bodies([*published["transitions"], *published["conversions"]]):
        revisions[body.get("transition_id") or body["conversion_id"]].append(body["revision"])
    return faults + [
        f"{identity}: revisions {said}" for identity, said in revisions.items() if said != list(range(1, len(said) + 1))
    ]
