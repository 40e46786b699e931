"""An application with workers and insights on a broker, for tests: what was sent, and what insights says of it."""

import json
import re
import sys
import urllib.request
from pathlib import Path
from typing import Any
from uuid import uuid4

from prometheus_client.parser import text_string_to_metric_families

from tests.deployment import Deployment
from tests.insights_world import FUNNEL
from tests.kafka.processes import ROOT, WorkerProcess, wait_until

CONFIGURATION = """\
application: {name}
definitions: funnel.yml
kafka: {kafka}
topics: {{prefix: {name}, partitions: 3}}
state: {{path: state}}
identity: {{namespaces: [{{name: contact, kind: lead}}]}}
sources:
  web:
    topics: [{name}.web]
    format: segment
    identifiers: {{userId: contact}}
    fields: {{lead.status: {{from: status}}, lead.amount: {{from: amount, type: decimal}}, lead.currency: {{from: currency}}}}
http: {{listen: "127.0.0.1:0"}}
insights: {{listen: "127.0.0.1:0"}}
"""


class InsightsProcess(WorkerProcess):
    """`funnelstream insights`, as a process that tests may kill."""

    def address(self) -> str | None:
        """Where it is."""
        said = re.search(r"pages, API and metrics at (http://\S+)", self.output)
        return said[1] if said else None

    def get(self, path: str) -> str:
        """What a path answers."""
        with urllib.request.urlopen(f"{self.address()}{path}", timeout=30) as answer:
            body: bytes = answer.read()
        return body.decode()

    def api(self, path: str) -> Any:
        """What the API answers."""
        return json.loads(self.get(f"/api/v1{path}"))

    def samples(self, name: str, **labels: str) -> dict[str, float]:
        """Values of a metric by the labels that were not asked for, joined."""
        families = text_string_to_metric_families(self.get("/metrics"))
        found = [sample for family in families for sample in family.samples if sample.name == name]
        return {
            ",".join(value for label, value in sorted(sample.labels.items()) if label not in labels): sample.value
            for sample in found
            if labels.items() <= sample.labels.items()
        }

    def wait_caught_up(self) -> None:
        """Wait until everything committed is in it."""

        def through() -> bool:
            assert self.running, f"it ended with {self.process.returncode}\n{self.tail()}"
            status = self.api("/status")
            return status["ready"] and status["behind_records"] == 0 and status["kafka_silent_since"] is None

        self.wait_ready()
        wait_until(through, "insights to have caught up")


class Funnelled:
    """The funnel of `tests.insights_world` on a broker.

    Attributes:
        app: Its configuration, topics and workers.
    """

    def __init__(self, folder: Path, **kafka: str) -> None:
        (folder / "funnel.yml").write_text(FUNNEL.replace("lateness: 60d", "lateness: 4000d"))  # what is sent is of the past
        self.name = f"insights-{uuid4().hex[:8]}"
        self.folder = folder
        self.app = Deployment(self.configure("application", **kafka), folder)
        self._sent = 0

    def configure(self, file: str, **kafka: str) -> Path:
        """Write a configuration with these settings of Kafka."""
        config = self.folder / f"{file}.yml"
        config.write_text(CONFIGURATION.format(name=self.name, kafka=json.dumps(kafka)))
        return config

    def insights(self, config: Path | None = None, name: str = "insights", folder: Path = ROOT) -> InsightsProcess:
        """Insights of this application, with `folder` as its working directory; not started."""
        command = [sys.executable, "-m", "processors.cli.main", "insights", "--config", str(config or self.app.config)]
        return InsightsProcess(command, self.folder / f"{name}.log", folder=folder)

    def send(self, *calls: tuple[str, str], day: int = 5) -> None:
        """Send events of people, by name."""
        producer = self.app.producer()
        for who, event in calls:
            self._sent += 1
            call = {"type": "track", "event": event, "userId": who, "messageId": f"m{self._sent}"}
            stamped = call | {"timestamp": f"2026-01-{day:02}T00:00:{self._sent % 60:02}Z"}
            producer.produce(self.app.source_topic["web"], json.dumps(stamped).encode(), who.encode())
        assert producer.flush(60) == 0
