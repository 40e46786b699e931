"""One application with its worker, and the commands of the person who looks after it: `dlq` and `tap`."""

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from processors.sources.statement import SourceRecord
from processors.topology.deadletters import dead_letter
from processors.topology.effects import Effects
from schemas.instants import SECOND
from tests.broker.discovery import Broker
from tests.command import funnelstream
from tests.deployment import Deployment, log_of
from tests.kafka.processes import WorkerProcess, wait_until
from tests.small_funnel import SMALL

CONFIGURATION = """\
application: {application}
definitions: {folder}/funnel.yml
kafka: {kafka}
topics: {{prefix: {application}, partitions: 3}}
state: {{path: {folder}/state}}
identity: {{namespaces: [{{name: contact, kind: lead}}]}}
sources:
  web: {{topics: [{application}.web], format: segment, identifiers: {{userId: contact}}}}
  crm:
    topics: [{application}.crm]
    format: hubspot
    identifiers: {{contact.objectId: contact}}
    fields: {{lead.status: {{from: status, values: {{{values}}}, unlisted: dead_letter}}}}
limits: {{record_bytes: {record_bytes}}}
http: {{listen: "127.0.0.1:0"}}
"""
FUNNEL = (
    SMALL
    + """\
  - {name: open, description: d, while: {lead.status: open}}
policies: {lateness: 4000d}
"""
)
BROKEN = {"values": '"1": closed', "record_bytes": "1KiB"}
MENDED = {"values": '"1": closed, "2": open', "record_bytes": "6MiB"}
LARGE = {"message.max.bytes": "6500000"}


class Desk:
    """An application, and the commands of the person who looks after its dead letters.

    Attributes:
        name: Of the application.
        config: Its configuration file.
        web: Topic of the source web.
        crm: Topic of the source crm.
        letters: The dead-letters topic.
    """

    def __init__(self, broker: Broker, folder: Path) -> None:
        (folder / "funnel.yml").write_text(FUNNEL)
        self.name = f"dlq-{uuid4().hex[:8]}"
        self._bootstrap = broker.bootstrap
        self.config = folder / "app.yml"
        self._folder = folder
        self.configure(BROKEN)
        self.app = Deployment(self.config, folder)
        self.web, self.crm = self.app.source_topic["web"], self.app.source_topic["crm"]
        self.letters = self.app.topics.dead_letters
        self.admin = AdminClient({**self.app.kafka, "log_level": 0})
        self._watcher = Consumer({**self.app.kafka, "group.id": "nobody", "log_level": 0, "isolation.level": "read_uncommitted"})

    def configure(self, parts: dict[str, str], kafka: Mapping[str, str] | None = None) -> None:
        settings = json.dumps({"bootstrap.servers": self._bootstrap, **(kafka or {})})
        self.config.write_text(CONFIGURATION.format(application=self.name, folder=self._folder, kafka=settings, **parts))

    def send(self, topic: str, *values: bytes, **options: Any) -> None:
        producer = self.app.producer()
        for value in values:
            producer.produce(topic, value, **options)
        assert producer.flush(30) == 0

    def work(self) -> None:
        """A worker reads what is there, and leaves."""
        worker = self.app.worker("one").start().wait_ready()
        self.app.wait_through()
        assert worker.terminate() == 0

    def dlq(self, command: str, *options: Any) -> Any:
        """What a command prints as JSON."""
        return json.loads(funnelstream("dlq", command, "--config", self.config, "--format", "json", *options))

    def tap(self, *options: Any) -> list[dict[str, Any]]:
        """What a tap has shown that ends by itself."""
        shown = funnelstream("tap", "--config", self.config, "--format", "json", *options)
        return [json.loads(line) for line in shown.splitlines()]

    def words(self, *command: Any) -> list[str]:
        return [sys.executable, "-m", "processors.cli.main", *map(str, command), "--config", str(self.config)]

    def process(self, name: str, *command: Any) -> WorkerProcess:
        """A command that is not waited for."""
        return WorkerProcess(self.words(*command), self._folder / f"{name}.log")

    def written(self) -> int:
        """Records and markers on the web topic, committed or not."""
        ends = [log_of(self._watcher, TopicPartition(self.web, number)) for number in range(3)]
        return sum(end for _, end in ends)

    def wait_sending(self, replay: WorkerProcess, amount: int) -> None:
        """Wait until a replay has written so much, and is not through."""
        wait_until(lambda: self.written() >= amount, f"{amount} records to be sent\n{replay.tail()}", every=0.002)
        assert replay.running, "it was through before it could be disturbed"

    def fill(self, count: int) -> None:
        """So many dead letters, in the form that a worker gives them."""
        producer = self.app.producer()
        for number in range(count):
            effects = Effects()
            key, value = b"k%d" % number, b"v%d" % number
            record = SourceRecord("web", self.web, number % 3, number, round(time.time() * SECOND), key, value)
            dead_letter(effects, record, "not_json", "It is not JSON.")
            (letter,) = effects.published
            producer.produce(self.letters, letter.value, letter.key, headers=dict(letter.headers))
            producer.poll(0)
        assert producer.flush(30) == 0


def demo(user: int, **more: Any) -> bytes:
    said = {"type": "track", "event": "Demo", "userId": str(user), "messageId": f"m{user}", "timestamp": "2026-01-01T00:00:00Z"}
    return json.dumps(said | more).encode()


def status(user: int, value: str) -> bytes:
    said = {"subscriptionType": "contact.propertyChange", "objectId": user, "occurredAt": 1_767_300_000_000}
    return json.dumps([said | {"propertyName": "status", "propertyValue": value}]).encode()
