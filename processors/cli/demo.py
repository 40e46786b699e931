"""`funnelstream demo`: the whole thing on this machine in seconds, with nothing but Python.

librdkafka's built-in broker stands in for Kafka. It keeps no offsets, shows aborted records and cannot create topics
on request, so it is good for one worker that is never restarted, and for nothing else; the worker, the funnel and the
records are real.
"""

import multiprocessing
import tempfile
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer
from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from processors.cli.loading import Loaded, load
from processors.cli.number_rows import Part
from processors.cli.number_tables import funnel_table
from processors.cli.projections import empty, metrics_of
from processors.engine.stop import ENVIRONMENT, Stop
from processors.projection.answers import Funnel
from processors.shown.wording import place_name
from processors.simulation.traffic import Traffic

FUNNEL = "hubspot-lifecycle.yml"
SHOWN = 8
"""Last transitions on the screen."""
DRAIN = 5.0
"""Seconds in which the worker may finish what was sent when the time is over."""
START = 15.0
"""Seconds in which the worker must have begun."""

CONFIGURATION = """\
application: demo
definitions: {definitions}
kafka: {{bootstrap.servers: "{address}"}}
topics: {{partitions: 4}}
state: {{path: {folder}/state}}
identity:
  namespaces:
    - {{name: contact, kind: lead}}
    - {{name: anonymous, kind: visitor}}
sources:
  web:
    topics: [segment.events]
    format: segment
    identifiers: {{userId: contact, anonymousId: anonymous}}
  crm:
    topics: [crm.hubspot]
    format: hubspot
    identifiers: {{contact.objectId: contact}}
http: {{listen: "127.0.0.1:0"}}
log: {{level: warning}}
"""


def demo(
    seconds: Annotated[float, typer.Option(min=1, max=3600, help="How long it runs.")] = 20.0,
    rate: Annotated[float, typer.Option(min=1, max=500, help="Records a second.")] = 60.0,
) -> None:
    """Watch a funnel fill: an embedded broker, believable traffic, and the real worker."""
    console = Console()
    with (
        tempfile.TemporaryDirectory(prefix="funnelstream-demo-") as folder,
        as_file(files("funnels") / FUNNEL) as funnel,
        embedded_broker() as address,
    ):
        config = Path(folder, "demo.yml")
        config.write_text(CONFIGURATION.format(definitions=funnel, address=address, folder=folder))
        loaded = load(config)
        _make_topics(loaded)
        with _worker(config) as worker:
            watch = _Watch(loaded)
            _show(console, watch, Traffic(rate), seconds, worker)
    _totals(console, watch)


@contextmanager
def embedded_broker() -> Iterator[str]:
    """The mock broker of librdkafka in this process; gives its address. It lives as long as the client that made it."""
    from confluent_kafka import Producer

    owner = Producer({"test.mock.num.brokers": 1, "bootstrap.servers": "embedded", "log_level": 0})
    broker = next(iter(owner.list_topics(timeout=10).brokers.values()))
    yield f"{broker.host}:{broker.port}"
    del owner


def _make_topics(loaded: Loaded) -> None:
    """The embedded broker makes a topic when it is first asked about."""
    from confluent_kafka import Producer

    client = Producer({**loaded.application.kafka, "log_level": 0})
    for topic in (
        *loaded.application.own_topics,
        *(topic for source in loaded.application.sources.values() for topic in source.topics),
    ):
        client.list_topics(topic, timeout=10)


def run_worker(config: Path) -> None:
    """The worker's process."""
    import sys

    from processors.cli.run import engine_settings, log_to_stderr
    from processors.engine.process import run_process
    from processors.engine.worker import Worker
    from processors.topology.topology import Topology

    loaded = load(config)
    log_to_stderr(loaded.application.log.level)
    worker = Worker(engine_settings(loaded, "demo"), Topology(loaded.program), check_configs=False)
    sys.exit(run_process(worker))


@contextmanager
def _worker(config: Path) -> Iterator[Any]:
    process = multiprocessing.get_context("spawn").Process(target=run_worker, args=(config,), name="worker")
    process.start()
    try:
        yield process
    finally:
        process.terminate()
        process.join(10)
        process.kill()


class _Watch:
    """What the published topics have said so far."""

    def __init__(self, loaded: Loaded) -> None:
        from confluent_kafka import Consumer, Producer, TopicPartition

        application = loaded.application
        self._projection = empty(loaded)
        self.part = Part(self._projection.outlines.funnels[0])
        self.sent = 0
        self.last: deque[dict[str, Any]] = deque(maxlen=SHOWN)
        self.corrections = 0
        self.dead_letters = 0
        self._topics = application.own_topics
        self._sources = {name: source.topics[0] for name, source in application.sources.items()}
        self._producer = Producer({**application.kafka, "linger.ms": 20, "log_level": 0})
        self._consumer = Consumer(
            {**application.kafka, "group.id": "demo-watch", "auto.offset.reset": "earliest", "log_level": 0}
        )
        watched = (self._topics.transitions, self._topics.metrics, self._topics.dead_letters)
        partitions = range(4)
        self._consumer.assign([TopicPartition(topic, partition, 0) for topic in watched for partition in partitions])

    def send(self, traffic: Traffic, elapsed: float) -> None:
        """Produce what is due."""
        for message in traffic.until(elapsed, time.time_ns() // 1000):
            self._producer.produce(self._sources[message.source], message.value)
            self.sent += 1
        self._producer.poll(0)

    def read(self, timeout: float) -> int:
        """Take in what was published; returns how much."""
        messages = self._consumer.consume(500, timeout)
        for message in messages:
            if message.error() is None:
                self._take(message.topic() or "", message.key() or b"", message.value())
        return len(messages)

    def funnel(self) -> Funnel:
        """The numbers so far."""
        outline = self.part.outline
        return self._projection.funnel(outline, self._projection.all(outline), time.time_ns() // 1000)

    @property
    def people(self) -> int:
        """How many stand somewhere in the funnel."""
        return sum(place.standing for place in self.funnel().places)

    def _take(self, topic: str, key: bytes, value: bytes | None) -> None:
        if topic == self._topics.metrics:
            self._projection.put(metrics_of(topic, [(key, value)]))
        elif topic == self._topics.dead_letters:
            self.dead_letters += 1
        elif value is not None:
            body = msgspec.json.decode(value, type=dict[str, Any])
            self.last.append(body)
            self.corrections += body["op"] != "announce"


def _show(console: Console, watch: _Watch, traffic: Traffic, seconds: float, worker: Any) -> None:
    began = time.monotonic()
    _wait_for_worker(console, watch, traffic, worker)
    began = time.monotonic() - began
    start = time.monotonic()
    if console.is_terminal:
        with Live(console=console, refresh_per_second=8) as live:
            for left in _run(watch, traffic, start, began, seconds, worker):
                live.update(_screen(watch, left))
            live.update(_screen(watch, 0))
        return
    told = 0.0
    for left in _run(watch, traffic, start, began, seconds, worker):
        if seconds - left >= told:
            console.print(_line(watch, left), highlight=False, soft_wrap=True)
            told += 2.0


def _wait_for_worker(console: Console, watch: _Watch, traffic: Traffic, worker: Any) -> None:
    console.print("Starting an embedded broker, a generator of traffic and one worker ...", highlight=False)
    deadline = time.monotonic() + START
    start = time.monotonic()
    while not watch.read(0.05):
        watch.send(traffic, time.monotonic() - start)
        if not worker.is_alive() or time.monotonic() > deadline:
            raise Stop(ENVIRONMENT, "the demo's worker did not begin to publish; its messages are above.")


def _run(watch: _Watch, traffic: Traffic, start: float, began: float, seconds: float, worker: Any) -> Iterator[float]:
    """Send and read until the time is over and what was sent is through; yields the seconds left."""
    while (elapsed := time.monotonic() - start) < seconds:
        if not worker.is_alive():
            raise Stop(ENVIRONMENT, "the demo's worker ended; its messages are above.")
        watch.send(traffic, began + elapsed)
        watch.read(0.05)
        yield seconds - elapsed
    quiet = time.monotonic()
    while time.monotonic() - quiet < 1.0 and time.monotonic() - start < seconds + DRAIN:
        if watch.read(0.1):
            quiet = time.monotonic()


def _screen(watch: _Watch, left: float) -> Group:
    lines = [_move(body) for body in watch.last]
    title = Text(
        f"\nlast transitions ({watch.sent} records in, {watch.corrections} corrections, {left:.0f} s left)", style="bold"
    )
    return Group(funnel_table(watch.part, watch.funnel()), title, *lines)


def _move(body: dict[str, Any]) -> Text:
    style = {"regress": "yellow", "outcome": "green"}.get(body["kind"], "") if body["op"] == "announce" else "magenta"
    lead = body["subject"]["id"]
    skipped = f"  skipping {', '.join(body['skipped'])}" if body["skipped"] else ""
    source, target = (place_name(body[end], "(none)") for end in ("from", "to"))
    return Text(f"  {lead:<14} {body['op']:<9}{body['kind']:<9}{source} → {target}{skipped}", style=style)


def _line(watch: _Watch, left: float) -> str:
    counts = ", ".join(f"{place.name} {place.standing}" for place in watch.funnel().places)
    return f"{watch.sent:>6} records in | {counts} | {left:.0f} s left"


def _totals(console: Console, watch: _Watch) -> None:
    if not console.is_terminal:
        console.print(funnel_table(watch.part, watch.funnel()))
    console.print(
        f"\n{watch.sent} records sent; {watch.people} leads; {watch.corrections} corrections because records came late; "
        f"{watch.dead_letters} dead letters; duplicates published nothing.\n\n"
        "What to try next:\n"
        f"  funnels/{FUNNEL}          the definition that was running\n"
        "  funnelstream lint funnels/             check definitions; every mistake with its place and its mend\n"
        "  funnelstream replay --help             run files of your own records through a funnel, without Kafka\n"
        '  README.md, "Run it on your Kafka"      from here to production',
        highlight=False,
        markup=False,
        soft_wrap=True,
    )
