"""Rows come back from the changelog, whatever happened to the store, and never when they do not belong (ER-22 to ER-26)."""

import shutil
import time
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import NewPartitions  # type: ignore[attr-defined]  # exported at run time

from processors.engine.topics import create_topics, wanted_topics
from processors.state.rows import Position
from processors.state.store import DiskStore, Label
from tests.kafka.application import PARTITIONS, Application
from tests.kafka.processes import WorkerProcess


@pytest.fixture
def stopped(app: Application) -> WorkerProcess:
    """A worker that has state and was stopped."""
    worker = app.worker().start().wait_ready()
    app.send_some(300)
    app.wait_exact()
    assert worker.terminate() == 0
    return worker


def _deleted(path: Path, _: Application) -> None:
    shutil.rmtree(path)


def _broken(path: Path, _: Application) -> None:
    for file in path.iterdir():
        file.write_bytes(b"broken")


def _without_its_first_file(path: Path, _: Application) -> None:
    (path / "CURRENT").unlink()


def _position(path: Path, app: Application, position: Position) -> None:
    store = DiskStore(path, app.label())
    store.apply({0: {b"sum:k1": b"[0, 1000000]"}}, dict.fromkeys(range(PARTITIONS), position))
    store.close()


def _ahead_of_the_log(path: Path, app: Application) -> None:
    _position(path, app, Position(1_000_000, time.time()))


def _too_old(path: Path, app: Application) -> None:
    """Yesterday's store may hold rows whose tombstones are gone."""
    _position(path, app, Position(2, time.time() - 25 * 3600))


def _of_somebody_else(path: Path, app: Application) -> None:
    shutil.rmtree(path)
    DiskStore(path, Label("another", PARTITIONS)).close()


SPOILERS = (_deleted, _broken, _without_its_first_file, _ahead_of_the_log, _too_old, _of_somebody_else)


def test_er26_a_store_that_cannot_be_trusted_is_restored(app: Application, stopped: WorkerProcess) -> None:
    for spoil in SPOILERS:
        spoil(app.store(), app)
        stopped.start().wait_ready()
        assert stopped.metrics()["funnelstream_worker_restored_rows_total"] > 20, spoil.__name__
        app.send_some(50)
        app.wait_exact()
        assert stopped.terminate() == 0


def test_er26_a_trusted_store_reads_only_what_it_misses(app: Application, stopped: WorkerProcess) -> None:
    stopped.start().wait_ready()
    assert stopped.metrics()["funnelstream_worker_restored_rows_total"] == 0
    app.send_some(50)
    app.wait_exact()


def test_er22_markers_and_an_aborted_tail_do_not_hold_a_restore_up(app: Application, stopped: WorkerProcess) -> None:
    app.hold(range(PARTITIONS)).abort_transaction(30)
    shutil.rmtree(app.store())
    stopped.start().wait_ready()
    app.send_some(50)
    app.wait_exact()


def test_er22_er24_committed_rows_behind_an_open_transaction_are_waited_for(app: Application, stopped: WorkerProcess) -> None:
    """The last stable offset hides them (KAFKA-10167): a restore bounded by it would start without them. Meanwhile it is live."""
    held = app.hold(range(PARTITIONS))
    stopped.start().wait_said("assigned")
    time.sleep(2)
    assert (stopped.probe("/livez"), stopped.probe("/readyz")) == (200, 503)
    held.abort_transaction(30)
    stopped.wait_ready()
    app.send_some(50)
    app.wait_exact()


def test_er24_a_restore_without_progress_names_the_hanging_transaction(app: Application, stopped: WorkerProcess) -> None:
    hanging = app.hold([1])
    impatient = app.worker(restore_patience=2.0, log="impatient").start()
    assert impatient.wait_ended() == 3
    assert "hanging transaction" in impatient.output
    assert f"{app.topics.changelog} partition 1" in impatient.output
    hanging.abort_transaction(30)


def test_er25_state_without_the_offsets_it_belongs_to_is_refused(app: Application) -> None:
    """A changelog with rows, and a group that has read nothing: going on would count everything twice."""
    producer = Producer(app.client())
    producer.produce(app.topics.changelog, b'{"facts":7,"definitions":"sha256:summing","partitions":4}', b"!mark", 2)
    producer.produce(app.topics.changelog, b"[7, 7]", b"sum:a", 2)
    producer.flush()
    worker = app.worker().start()
    assert worker.wait_ended() == 3
    assert f"{app.topics.facts} partition 2" in worker.output
    assert "up to offset 7" in worker.output


def test_er25_offsets_that_were_moved_are_refused(app: Application, stopped: WorkerProcess) -> None:
    """Moved as the broker lets anybody move them: in a transaction of no member."""
    mover = Producer(app.client(**{"transactional.id": f"{app.name}-mover"}))
    mover.init_transactions(30)
    mover.begin_transaction()
    outsider = Consumer(app.client(**{"group.id": app.name}))
    mover.send_offsets_to_transaction([TopicPartition(app.topics.facts, 0, 1)], outsider.consumer_group_metadata(), 30)
    mover.commit_transaction(30)
    stopped.start()
    assert stopped.wait_ended() == 3
    assert "the group's commit says offset 1" in stopped.output


def test_er25_facts_that_were_deleted_unread_are_refused_with_their_range(app: Application, stopped: WorkerProcess) -> None:
    read = app.committed(app.topics.facts)[0]
    producer = Producer(app.client())
    for _ in range(5):
        producer.produce(app.topics.facts, b"unread", b"a", 0)
    producer.flush()
    end = app.ends(app.topics.facts)[0][1]
    place = TopicPartition(app.topics.facts, 0, end)
    app.admin.delete_records([place])[place].result()
    stopped.start()
    assert stopped.wait_ended() == 3
    assert f"the facts from {read} to {end - 1} were deleted unread" in stopped.output


def test_er25_offsets_without_the_state_they_belong_to_are_refused(app: Application, stopped: WorkerProcess) -> None:
    app.delete(app.topics.changelog)
    create_topics(app.admin, wanted_topics(app.topics, PARTITIONS))
    shutil.rmtree(app.store())
    stopped.start()
    assert stopped.wait_ended() == 3
    assert "its changelog holds no state" in stopped.output


def test_er03_another_partition_count_than_the_state_was_written_with_is_refused(
    app: Application, stopped: WorkerProcess
) -> None:
    for topic in (app.topics.facts, app.topics.changelog):
        app.admin.create_partitions([NewPartitions(topic, 2 * PARTITIONS)])[topic].result()
    stopped.start()
    assert stopped.wait_ended() == 3
    assert "written with 4 partitions, the topic has 8 now" in stopped.output
