"""One application with a crowd of leads on a broker: sends events, runs its one worker, and sees what it commits."""

import contextlib
import shutil
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple
from uuid import uuid4

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from bench.crowd import Crowd
from bench.job import PARTITIONS, WORK
from bench.processes import cpu_seconds, peak_mb
from tests.broker.discovery import Broker
from tests.deployment import Deployment
from tests.shared_material import ROOT

CONFIGURATION = """\
application: {application}
definitions: {definitions}
kafka: {{bootstrap.servers: "{bootstrap}"}}
topics: {{prefix: {application}, partitions: {partitions}}}
state: {{path: {folder}/state}}
identity: {{namespaces: [{{name: user, kind: lead}}, {{name: anonymous, kind: visitor}}]}}
sources:
  web: {{topics: [{application}.web], format: segment, identifiers: {{userId: user, anonymousId: anonymous}}}}
http: {{listen: "127.0.0.1:0"}}
"""
INSTANCE = "bench"
STALLED = 180.0
"""Seconds without a new conversion after which a measurement is given up."""


class Wrong(Exception):
    """The published result is not what it must be, or a worker made none: the figures mean nothing."""


class Used(NamedTuple):
    """What a worker used from the start of its process until it was through."""

    cpu: float
    """Seconds."""
    wall: float
    """Seconds."""
    peak: float
    """MB."""


class Trial:
    """See the module.

    Attributes:
        crowd: The leads.
        store: Folder of the worker's store.
    """

    def __init__(self, deployment: Deployment, crowd: Crowd) -> None:
        self.crowd = crowd
        self.store = deployment.store(INSTANCE)
        self._deployment = deployment
        self._worker = deployment.worker(INSTANCE)
        self._sent = 0
        self._seen = 0
        self._started = 0.0
        self._reader = Consumer(
            {
                **deployment.kafka,
                "group.id": "bench",  # librdkafka wants one; nothing is joined or committed
                "enable.auto.commit": False,
                "isolation.level": "read_committed",
                "fetch.wait.max.ms": 20,
            }
        )
        self._reader.assign([TopicPartition(deployment.topics.conversions, partition, 0) for partition in range(PARTITIONS)])

    def send(self, events: int) -> None:
        """Send the next events of the crowd, in the order of their times over all partitions in turn."""
        producer = self._deployment.producer()
        topic = self._deployment.source_topic["web"]
        for number in range(self._sent, self._sent + events):
            while True:
                try:
                    producer.produce(topic, self.crowd.event(number), partition=number % PARTITIONS)
                    break
                except BufferError:
                    producer.poll(0.1)
        self._sent += events
        if producer.flush(STALLED):
            raise Wrong("the broker does not take the events")

    def start(self) -> None:
        """Start the worker."""
        self._started = time.monotonic()
        self._worker.start()

    def kill(self) -> None:
        """End the worker at once (SIGKILL), and read what the worker had committed before it."""
        self._worker.kill9()
        while self._look(1.0):
            pass

    def wait(self, share: float = 1.0, *, of: int = 0) -> float:
        """Wait until conversions of all events but the last `of` and a share of those are visible; seconds since the start."""
        return self._wait(self._sent - of + round(share * of))

    def wait_for_more(self) -> float:
        """Wait for the next conversion; seconds since the start."""
        return self._wait(self._seen + 1)

    def used(self) -> Used:
        """What the worker has used so far."""
        pid = self._worker.process.pid
        return Used(cpu_seconds(pid), time.monotonic() - self._started, peak_mb(pid))

    def metric(self, name: str) -> float:
        """A metric of the worker, which has no labels."""
        return self._worker.wait_ready().metrics()[f"funnelstream_worker_{name}"]

    def stop(self) -> None:
        """SIGTERM.

        Raises:
            Wrong: The worker does not leave as it should.
        """
        if (code := self._worker.terminate(60)) != 0:
            raise Wrong(f"the worker ended with {code}\n{self._worker.tail()}")

    def check(self) -> None:
        """Hold everything that was published against the crowd.

        Raises:
            Wrong: It differs.
        """
        topics = self._deployment.topics
        conversions, transitions = (
            (message.value() or b"" for message in self._deployment.read(topic))
            for topic in (topics.conversions, topics.transitions)
        )
        faults = self.crowd.faults(conversions, transitions, self._sent)
        if faults:
            raise Wrong(f"{self.crowd.leads} leads: {'; '.join(faults)}")

    def end(self) -> None:
        """Leave nothing running and no topic behind."""
        self._worker.kill9()
        self._reader.close()
        admin = AdminClient(dict(self._deployment.kafka))
        application = self._deployment.loaded.application.application
        topics = [topic for topic in admin.list_topics(timeout=30).topics if topic.startswith(application)]
        for deleted in admin.delete_topics(topics).values():
            deleted.result(30)
        shutil.rmtree(self._deployment.folder)

    def _wait(self, conversions: int) -> float:
        heard = time.monotonic()
        while self._seen < conversions:
            if self._look(0.02):
                heard = time.monotonic()
            elif not self._worker.running or time.monotonic() - heard > STALLED:
                raise Wrong(f"{self._seen} conversions came, of {conversions}\n{self._worker.tail()}")
        return time.monotonic() - self._started

    def _look(self, within: float) -> int:
        """Take what is visible now; corrections are no progress."""
        messages = self._reader.consume(10_000, within)
        new = sum(message.error() is None and b'"op":"announce"' in (message.value() or b"") for message in messages)
        self._seen += new
        return new


@contextlib.contextmanager
def trial(broker: Broker, leads: int) -> Iterator[Trial]:
    """A new application with so many leads, none of them loaded; gone with its topics afterwards."""
    application = f"bench-{leads}-{uuid4().hex[:8]}"
    folder = WORK / "leads" / application
    folder.mkdir(parents=True)
    config = folder / "funnelstream.yml"
    config.write_text(
        CONFIGURATION.format(
            application=application,
            definitions=ROOT / "bench" / "cycle.yml",
            bootstrap=broker.bootstrap,
            partitions=PARTITIONS,
            folder=folder,
        )
    )
    running = Trial(Deployment(config, folder), Crowd(leads))
    try:
        yield running
    finally:
        running.end()


def say(sentence: str) -> None:
    """Progress, on standard error: figures go to standard output."""
    print(sentence, file=sys.stderr, flush=True)
