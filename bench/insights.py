"""What a fresh insights process costs: from its start until it has read a metrics topic of so many keys, and its answers then."""

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from confluent_kafka import Producer

from bench.processes import cpu_seconds, peak_mb
from bench.results import table
from bench.trial import Wrong, say
from tests.broker.discovery import Broker
from tests.kafka.insights import Funnelled, InsightsProcess
from tests.kafka.processes import wait_until

METHOD = """\
The metrics topic holds so many keys, each once, as a funnel of one year has them that is split by a segment with 20,000 values;
every cell counts one entry. A new process reads it from the beginning. Ready is when `/readyz` answers 200, from the start of the
process on. CPU is its user and system time until then, peak memory its highest resident size after the answers as well. These are
timed one after the other: the first scrape adds everything up, the next ones repeat it while nothing has changed."""

_READY_WITHIN = 1_800.0
_VALUES = 20_000
"""Values of the segment."""
_DAYS = 365
_CELL: dict[str, object] = {"kind": "entries", "funnel": "revenue", "grain": "lead", "name": "signed_up"}
_WHOLE = _CELL | {"segment": None, "segment_value": None, "day": "2026-01-01", "recorded": "2026-01-01", "reason": "live"}
_WHOLE = _WHOLE | {"place": "stage", "partition": 0}


class Cost(NamedTuple):
    """Of one start. Times in seconds, memory in MB."""

    keys: int
    ready: float
    cpu: float
    peak: float
    first_scrape: float
    next_scrape: float
    page: float


def report(broker: Broker, sizes: Sequence[int]) -> str:
    """The table with its method, as Markdown.

    Args:
        broker: Holds the topics.
        sizes: Numbers of keys.

    Raises:
        Wrong: The numbers that it shows are not those that were sent.
    """
    rows = [_row(_measured(broker, keys)) for keys in sorted(sizes)]
    columns = (
        "keys",
        "ready after",
        "CPU",
        "keys per CPU-second",
        "peak memory",
        "first scrape",
        "next scrapes",
        "page of the funnel",
    )
    return f"{METHOD}\n\n{table(columns, rows)}"


def seconds(sizes: Sequence[int]) -> float:
    """About how long it takes, for the announcement only."""
    return sum(20 + keys / 5_000 for keys in sizes)


def _measured(broker: Broker, keys: int) -> Cost:
    with tempfile.TemporaryDirectory() as folder:
        funnelled = Funnelled(Path(folder), **{"bootstrap.servers": broker.bootstrap})
        say(f"{keys:,} keys: sending them")
        _send(funnelled, keys)
        insights = funnelled.insights()
        started = time.monotonic()
        insights.start()
        try:
            wait_until(lambda: insights.probe("/readyz") == 200, f"insights to be ready\n{insights.tail()}", _READY_WITHIN)
            ready, cpu = time.monotonic() - started, cpu_seconds(insights.process.pid)
            answers = [_timed(insights, path) for path in ("/metrics", "/metrics", "/funnels/revenue")]
            counted = insights.api("/funnels/revenue/segments/source")["values"]
            if sum(value["reached"]["signed_up"] for value in counted) != keys:
                raise Wrong(f"insights counts {counted}, and {keys} entries were sent")
            return Cost(keys, ready, cpu, peak_mb(insights.process.pid), *answers)
        finally:
            insights.kill9()


def _send(funnelled: Funnelled, keys: int) -> None:
    producer = Producer(funnelled.app.kafka | {"transactional.id": funnelled.name, "linger.ms": 20, "log_level": 0})
    producer.init_transactions(60)
    producer.begin_transaction()
    for number, (key, body) in enumerate(_records(keys)):
        while True:
            try:
                producer.produce(funnelled.app.topics.metrics, body, key, number % 3)
                break
            except BufferError:
                producer.poll(0.1)
        if number % 50_000 == 49_999:
            producer.commit_transaction()
            producer.begin_transaction()
    producer.commit_transaction()


def _records(keys: int) -> Iterator[tuple[bytes, bytes]]:
    """Cells of one value each, and one of all together."""
    yield b"whole", json.dumps(_WHOLE | {"reached_first": keys, "touched_first": keys, "touched_every": keys}).encode()
    for number in range(keys):
        value = f"source {number % _VALUES}"
        day = time.strftime("%Y-%m-%d", time.gmtime(1_767_225_600 + number // _VALUES % _DAYS * 86_400))
        cell = _CELL | {"segment": "source"}
        when = {"segment_value": value, "day": day, "recorded": day, "reason": "live", "place": "stage", "partition": number % 3}
        body = cell | when | {"touched_every": 1, "touched_first": 1, "reached_first": 1}
        yield json.dumps([*cell.values(), *when.values(), number]).encode(), json.dumps(body).encode()


def _timed(insights: InsightsProcess, path: str) -> float:
    asked = time.monotonic()
    insights.get(path)
    return time.monotonic() - asked


def _row(cost: Cost) -> tuple[str, ...]:
    times = (f"{each:.2f} s" for each in (cost.first_scrape, cost.next_scrape, cost.page))
    rate = f"{cost.keys / cost.cpu:,.0f}"
    return (f"{cost.keys:,}", f"{cost.ready:.1f} s", f"{cost.cpu:.1f} s", rate, f"{cost.peak:.0f} MB", *times)
