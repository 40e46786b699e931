"""A mention that expires, through the whole of a worker as people run it: the definition arms the timer, watermarks fire it."""

import time
from pathlib import Path
from uuid import uuid4

from schemas.instants import SECOND, format_instant, parse_instant
from tests.broker.discovery import Broker
from tests.deployment import Deployment, bodies, faults_of_the_log
from tests.kafka.desk import demo
from tests.kafka.processes import wait_until
from tests.small_funnel import SMALL

CONFIGURATION = """\
application: {application}
definitions: {folder}/funnel.yml
kafka: {{bootstrap.servers: "{bootstrap}"}}
topics: {{prefix: {application}, partitions: 3}}
state: {{path: {folder}/state}}
identity: {{namespaces: [{{name: contact, kind: lead}}]}}
sources:
  web: {{topics: [{application}.web], format: segment, identifiers: {{userId: contact}}}}
http: {{listen: "127.0.0.1:0"}}
"""
EXPIRING = SMALL.replace("when: {conversion: demo}}", "when: {conversion: demo}, expires: {after: 3s, anchor: last}}")


def test_a_mention_expires_while_the_worker_is_idle_and_once_whatever_kills_it(broker: Broker, tmp_path: Path) -> None:
    """No record follows; the worker that read the mention is killed before it is due, and again right after it was."""
    application = f"timers-{uuid4().hex[:8]}"
    (tmp_path / "funnel.yml").write_text(EXPIRING)
    config = tmp_path / "application.yml"
    config.write_text(CONFIGURATION.format(application=application, folder=tmp_path, bootstrap=broker.bootstrap))
    app = Deployment(config, tmp_path)
    worker = app.worker("one").start().wait_ready()
    producer = app.producer()
    for user in range(1, 7):
        now = format_instant(time.time_ns() // 1_000)
        producer.produce(app.source_topic["web"], demo(user, timestamp=now))
    assert producer.flush(30) == 0

    def moves(kind: str) -> list[dict[str, object]]:
        return [body for body in bodies(app.read(app.topics.transitions)) if body["kind"] == kind]

    wait_until(lambda: len(moves("advance")) == 6, "the leads to enter", every=0.2)
    worker.kill9()
    worker.start()
    wait_until(lambda: moves("expire"), "the first to expire", every=0.2)
    worker.kill9()
    worker.start()
    wait_until(lambda: len(moves("expire")) >= 6, "all to expire", every=0.2)
    time.sleep(3)
    assert len(moves("expire")) == 6
    assert faults_of_the_log(app.published()) == []
    for entered, left in zip(
        sorted(str(body["effective_at"]) for body in moves("advance")),
        sorted(str(body["effective_at"]) for body in moves("expire")),
        strict=True,
    ):
        assert parse_instant(left) - parse_instant(entered) == 3 * SECOND
    assert worker.terminate() == 0
