"""Timers fire while nothing comes, each once, by watermarks of every source partition (identity.md, Time; ER-8, ER-10)."""

import json
import time
from collections import Counter, defaultdict
from typing import Any

import msgspec
from confluent_kafka import Producer

from schemas.facts import Continue, Watermark
from tests.clock import DAY, wrong_clock
from tests.kafka.application import INPUTS, PARTITIONS, Application
from tests.kafka.processes import WorkerProcess, wait_until
from tests.kafka.timing import AT_ONCE

EVERY = 0.3
"""Seconds between watermarks."""
TTL = 0.5
"""Seconds after which nothing heard is an expiry."""


def timed(app: Application, instance: str = "one", **changes: Any) -> WorkerProcess:
    return app.worker(instance, timed=True, **{"tell_every": EVERY} | changes)


def arm(app: Application, keys: list[str], ttl: float = TTL, partition: int = -1) -> None:
    app.send([(key, f"expire {ttl}") for key in keys], partition=partition)


def expiries(app: Application) -> list[dict[str, Any]]:
    return [json.loads(message.value() or b"") for message in app.read(app.topics.conversions)]


def expired(app: Application) -> Counter[str]:
    return Counter(each["key"] for each in expiries(app))


def watermarks(app: Application) -> dict[int, list[Watermark]]:
    """Those of each facts partition, in their order."""
    found = defaultdict(list)
    for message in app.read(app.topics.facts):
        value = message.value() or b""
        if not value.startswith(b"{"):
            said = msgspec.msgpack.decode(value, type=Watermark | Continue)
            if isinstance(said, Watermark):
                found[message.partition() or 0].append(said)
    return found


def wait_expired(app: Application, keys: list[str]) -> None:
    wait_until(lambda: set(expired(app)) >= set(keys), "all to expire", every=0.2)
    assert expired(app) == Counter(keys), "somebody expired twice"


def test_a_timer_fires_while_nothing_comes(app: Application) -> None:
    """Not before its time by the brokers' clock, more of them than one record may fire, and the offsets stay as they are."""
    timed(app).start().wait_ready()
    keys = [f"k{number}" for number in range(4 * AT_ONCE * PARTITIONS)]
    arm(app, keys)
    wait_expired(app, keys)
    assert all(each["at"] >= each["as_of"] >= each["expired"] for each in expiries(app))
    assert sum(app.committed(app.input).values()) == len(keys)
    found = watermarks(app)
    assert set(found) == set(range(PARTITIONS))
    sources = tuple((app.input, number) for number in range(INPUTS))
    assert {said.sources for of_partition in found.values() for said in of_partition} == {sources}
    assert all({said.source for said in of_partition} == set(sources) for of_partition in found.values())


def test_er10_without_timers_nothing_is_written_while_nothing_comes(app: Application) -> None:
    """And with them now and then, by the brokers' time, with offsets: else nobody would be fenced for them (ER-8)."""
    idle = app.worker().start().wait_ready()
    time.sleep(5 * EVERY)
    assert app.read(app.topics.facts) == []
    assert idle.metrics()["funnelstream_worker_transactions_committed_total"] == 0
    assert idle.terminate() == 0
    worker = timed(app, log="timed").start().wait_ready()
    name = f'funnelstream_worker_watermark_timestamp_seconds{{partition="0",topic="{app.input}"}}'
    wait_until(lambda: abs(worker.metrics().get(name, 0) - time.time()) < 30, "a watermark near the time of now")
    wait_until(lambda: len(app.committed(app.input)) == INPUTS, "watermarks to carry the offsets of what they speak for")
    assert set(app.committed(app.input).values()) == {0}


def test_killed_at_any_moment_every_timer_fires_once(app: Application) -> None:
    worker = timed(app).start().wait_ready()
    keys: list[str] = []
    for turn in range(5):
        fresh = [f"k{turn}-{number}" for number in range(40)]
        keys += fresh
        arm(app, fresh)
        time.sleep(0.3 * turn)
        worker.kill9()
        worker.start()
    wait_expired(app, keys)


def test_nothing_expires_before_every_source_partition_was_heard(app: Application) -> None:
    """Two workers own them; one is stopped, so that its partitions say nothing, and goes on later."""
    one, two = timed(app, "one").start(), timed(app, "two", log="two").start()
    one.wait_ready()
    two.wait_ready()
    owned = f'funnelstream_worker_assigned_partitions{{topic="{app.input}"}}'
    wait_until(lambda: one.metrics()[owned] > 0 and two.metrics()[owned] > 0, "both to own source partitions")
    arm(app, ["before"])
    wait_expired(app, ["before"])
    two.sigstop()
    heard = max(said.at for of_partition in watermarks(app).values() for said in of_partition)
    keys = [f"k{number}" for number in range(20)]
    arm(app, keys)
    time.sleep(3)
    later = max(said.at for of_partition in watermarks(app).values() for said in of_partition)
    assert later > heard, "the other worker says nothing either"
    assert expired(app) == Counter(["before"])
    two.sigcont()
    wait_expired(app, ["before", *keys])


def test_er04_er08_a_fenced_worker_says_nothing_more(app: Application) -> None:
    """Its watermark transaction is the first call after it wakes; the facts know only what its successor said."""
    older = timed(app).start().wait_ready()
    arm(app, ["a"])
    wait_expired(app, ["a"])
    older.sigstop()
    newer = timed(app, log="newer", state_path=str(app.folder / "elsewhere")).start().wait_ready()
    arm(app, ["b"])
    wait_expired(app, ["a", "b"])
    older.sigcont()
    assert older.wait_ended() == 5
    arm(app, ["c"])
    wait_expired(app, ["a", "b", "c"])
    assert newer.running


def test_transactions_of_the_sources_hold_back_what_they_hide_and_no_more(app: Application) -> None:
    """Their markers are no records: a worker that has read all records before them is caught up, also after a restart."""
    worker = timed(app).start().wait_ready()
    producer = Producer(app.client(**{"transactional.id": f"{app.name}-input"}))
    producer.init_transactions(30)
    for partition, commits in enumerate((True, False, True)):
        producer.begin_transaction()
        producer.produce(app.input, f"expire {TTL}".encode(), f"k{partition}".encode(), partition)
        producer.commit_transaction(30) if commits else producer.abort_transaction(30)
    wait_expired(app, ["k0", "k2"])
    assert worker.terminate() == 0
    worker.start().wait_ready()
    producer.begin_transaction()
    producer.produce(app.input, f"expire {TTL}".encode(), b"hidden", 0)
    producer.flush()
    arm(app, ["seen"], partition=1)
    time.sleep(2.5)
    assert "seen" not in expired(app), "the open transaction's record was there before, and may still come"
    producer.commit_transaction(30)
    wait_expired(app, ["k0", "k2", "seen", "hidden"])


def test_a_machine_whose_clock_is_days_ahead_expires_nobody(app: Application) -> None:
    """Nor does one behind hold anybody back: the time of watermarks is the brokers'."""
    worker = timed(app)
    worker.environment |= wrong_clock(-2 * DAY)
    worker.start().wait_ready()
    arm(app, ["soon"])
    wait_expired(app, ["soon"])
    arm(app, ["tomorrow"], ttl=DAY)
    worker.kill9()
    worker.environment |= wrong_clock(2 * DAY)
    worker.start().wait_ready()
    before = max(said.at for of_partition in watermarks(app).values() for said in of_partition)
    wait_until(
        lambda: max(said.at for of_partition in watermarks(app).values() for said in of_partition) > before or not worker.running,
        "a watermark of the wrong clock, or its end",
    )
    assert expired(app) == Counter(["soon"])
    assert max(said.at for of_partition in watermarks(app).values() for said in of_partition) < (time.time() + 60) * 1e6
