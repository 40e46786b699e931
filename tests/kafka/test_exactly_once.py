"""One transaction for everything (ER-6 to ER-11): nothing lost, nothing doubled, whatever kills the worker or spoils a commit."""

import random
import time

from confluent_kafka import Producer

from tests.deployment import limit_size
from tests.kafka import foreign
from tests.kafka.application import Application
from tests.kafka.processes import wait_until


def test_er01_er09_er23_killed_at_random_moments_and_exact(app: Application) -> None:
    """Every kill leaves an open transaction or a store behind its log; a static member is back at once, not after its session."""
    chance = random.Random(7)
    worker = app.worker(limits={"batch_records": 50}).start().wait_ready()
    for _ in range(6):
        app.send_some(400)
        time.sleep(chance.uniform(0.0, 0.25))
        worker.kill9()
        worker.start()
    worker.wait_ready(within=25)  # the session lasts 45 s
    app.send_some(100)
    app.wait_exact()
    assert "restored facts partitions" in worker.output


def test_er06_er08_records_without_output_move_the_offsets_too(app: Application) -> None:
    worker = app.worker().start().wait_ready()
    app.send([("a", "drop"), ("b", "drop"), ("c", "drop"), ("a", 5)])
    app.wait_exact()
    wait_until(lambda: sum(app.committed(app.input).values()) == 4, "the offsets of dropped records to be committed")
    dropped = 'funnelstream_worker_dropped_total{reason="unmatched",source="web"}'
    wait_until(lambda: worker.metrics()[dropped] == 3, "what was dropped to be counted, which follows the commit")


def test_er09_snapshots_and_rows_collapse_per_transaction(app: Application) -> None:
    """Ten steps of one key in one transaction: ten steps published, one snapshot, one changelog record per row, and one mark."""
    app.send([("a", 1)] * 10)
    app.worker().start().wait_ready()
    app.wait_exact()
    assert len(app.read(app.topics.leads)) == 1
    assert app.snapshots()["a"] == app.steps()[-1]
    keys = [message.key() or b"" for message in app.read(app.topics.changelog)]
    assert sorted(set(keys)) == sorted(keys)
    assert b"!mark" in keys


def test_er10_transactions_are_bounded_and_never_empty(app: Application) -> None:
    app.send_some(2_000)
    worker = app.worker(limits={"batch_records": 100}).start().wait_ready()
    app.wait_exact()
    name = "funnelstream_worker_batch_records"
    wait_until(lambda: worker.metrics()[f"{name}_sum"] == 4_000, "the last commit to be measured")
    metrics = worker.metrics()
    assert metrics[f'{name}_bucket{{le="100.0"}}'] == metrics[f"{name}_count"] >= 40
    time.sleep(1)
    assert worker.metrics()[f"{name}_count"] == metrics[f"{name}_count"], "an idle worker commits"


def test_er10_a_commit_sends_at_once_what_waits_for_a_full_request(app: Application) -> None:
    """Of `linger.ms` nothing is felt but the requests that are saved."""
    producer = Producer(app.client(**{"transactional.id": f"{app.name}-input", "linger.ms": "20000"}))
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(app.input, b"3", b"a")
    producer.commit_transaction(10)
    app.sent["a"].append(3)
    app.worker().start()
    app.wait_exact()


def test_er11_a_dead_letter_over_the_size_limit_is_shortened_not_lost(app: Application) -> None:
    """produce() refuses it and the commit succeeds without it: unless treated, it would disappear silently."""
    worker = app.worker(kafka={"message.max.bytes": "100000"}).start().wait_ready()
    whole = b"dead" + b"x" * 99_800
    producer = Producer(app.client())
    producer.produce(app.input, whole + b"y" * 200, b"a")
    producer.flush()
    app.send([("b", 1)])
    app.wait_exact()
    [letter] = app.read(app.topics.dead_letters)
    headers = dict(letter.headers() or [])
    assert letter.value() == whole[: 64 << 10]
    assert headers["dead-letter-reason"] == b"not_json"
    assert (headers["dead-letter-truncated"], headers["dead-letter-size"]) == (b"true", b"100004")
    assert worker.running


def test_er11_a_dead_letter_with_a_key_and_headers_too_large_as_well_stops_with_a_sentence(app: Application) -> None:
    worker = app.worker(kafka={"message.max.bytes": "100000"}).start().wait_ready()
    producer = Producer(app.client())
    producer.produce(app.input, b"dead" + b"x" * 70_000, b"k" * 40_000)
    producer.flush()
    assert worker.wait_ended() == 3
    assert "message.max.bytes" in worker.output


def test_headers_whose_names_are_no_text_stop_nothing(app: Application) -> None:
    """The client cannot read them at all; only a dead letter would have carried them, and says that it could not."""
    worker = app.worker().start().wait_ready()
    foreign.produce(app.kafka["bootstrap.servers"], app.input, b"dead", b"\xff\xfe")
    app.send([("b", 1)])
    app.wait_exact()
    [letter] = app.read(app.topics.dead_letters)
    headers = dict(letter.headers() or [])
    assert (headers["dead-letter-reason"], headers["dead-letter-headers-unreadable"]) == (b"not_json", b"true")
    assert worker.running


def test_er11_any_other_record_over_the_size_limit_stops_with_a_sentence(app: Application) -> None:
    worker = app.worker(kafka={"message.max.bytes": "1000"}).start().wait_ready()
    app.send([("key" * 400, 1)])
    assert worker.wait_ended() == 3
    assert "message.max.bytes" in worker.output
    assert app.steps() == []


def test_er11_er13_er18_a_delivery_that_never_works_is_named_after_one_more_try(app: Application) -> None:
    """The brokers refuse the record, so only the commit fails; the second attempt asks for the reason."""
    limit_size(app.admin, app.topics.transitions, 300)
    worker = app.worker(kafka={"batch.num.messages": "1"}).start().wait_ready()
    app.send([("a", 1), ("b" * 400, 1)])
    assert worker.wait_ended() == 3
    assert f"could not be delivered to {app.topics.transitions}" in worker.output
    assert "max.message.bytes" in worker.output
    limit_size(app.admin, app.topics.transitions, 1_000_000)
    worker.start().wait_ready()
    app.wait_exact()


def test_er06_input_of_aborted_transactions_is_never_seen(app: Application) -> None:
    app.worker().start().wait_ready()
    producer = Producer(app.client(**{"transactional.id": f"{app.name}-input"}))
    producer.init_transactions(30)
    for committed in (False, True, False):
        producer.begin_transaction()
        producer.produce(app.input, b"3", b"a")
        if committed:
            app.sent["a"].append(3)
            producer.commit_transaction(30)
        else:
            producer.flush()
            producer.abort_transaction(30)
    app.send([("b", 1)])
    app.wait_exact()


def test_er30_tombstones_are_records_and_deleted_rows_stay_deleted(app: Application) -> None:
    worker = app.worker().start().wait_ready()
    producer = Producer(app.client())
    producer.produce(app.input, None, b"a")
    producer.flush()
    app.send([("a", 1), ("a", 2), ("b", 1)])
    app.wait_exact()
    app.send([("a", "forget")])
    wait_until(lambda: app.snapshots().get("a", 0) is None, "the tombstone")
    worker.terminate()
    worker.start().wait_ready()
    app.sent["a"] = []
    app.send([("a", 4)])
    wait_until(lambda: [step["sum"] for step in app.steps() if step["key"] == "a"] == [1, 3, 4], "the key to begin anew")
