"""Topics that are deleted or grown in partitions under a running worker (ER-3, ER-25): read from their beginning, or named."""

from typing import Any

import pytest

from processors.engine.findings import missing
from processors.engine.mark import BEGIN_AGAIN
from processors.engine.stop import Stop
from processors.engine.topics import create_topics, wanted_topics
from tests.kafka.application import DYNAMIC, INPUTS, PARTITIONS, Application

QUICK: dict[str, Any] = {
    "watch_every": 0.3,
    "kafka": {"topic.metadata.refresh.interval.ms": "500", "topic.metadata.propagation.max.ms": "1000"},
}
DYNAMIC_QUICK: dict[str, Any] = QUICK | {"kafka": QUICK["kafka"] | DYNAMIC}


def test_a_source_that_grows_is_read_from_the_beginning_of_its_new_partitions(app: Application) -> None:
    """What is written to them before the worker knows of them is read as well."""
    worker = app.worker(**QUICK).start().wait_ready()
    app.send_some(50)
    app.grow(app.input, 2 * INPUTS)
    for number in range(2 * INPUTS):
        app.send([(f"new{number}", 1)] * 10, partition=number)
    app.wait_exact()
    assert worker.running


def test_er21_a_source_that_grows_again_and_again_is_read_once(app: Application) -> None:
    """Every growth is a rebalance, or two of them within a second: each partition goes on exactly where it was committed."""
    worker = app.worker(**QUICK).start().wait_ready()
    for count in range(INPUTS + 1, INPUTS + 9):
        app.send_some(30)
        app.grow(app.input, count)
        for number in range(count):
            app.send([(f"k{number}", 1)] * 3, partition=number)
    app.wait_exact()
    assert worker.running


def test_er03_facts_that_grow_stop_every_worker(app: Application) -> None:
    """Going on would put leads where their rows are not. What was published until then stays right."""
    one, two = app.worker("one", **QUICK).start(), app.worker("two", **QUICK).start()
    one.wait_ready()
    two.wait_ready()
    app.send_some(200)
    app.wait_exact()
    topic = app.topics.facts
    app.grow(topic, 2 * PARTITIONS)
    app.send_some(200)
    for worker in (one, two):
        assert worker.wait_ended() == 3
        assert f"topic {topic}: its state was written with {PARTITIONS} partitions" in worker.output
        assert "give the application a new name" in worker.output
    app.check_exact_so_far()


def test_er03_both_grown_are_refused_before_anything_is_joined(app: Application) -> None:
    """A worker that owns none of the old partitions would see no state that contradicts it, and begin every lead anew."""
    worker = app.at_work(200)
    worker.kill9()
    for topic in (app.topics.facts, app.topics.changelog):
        app.grow(topic, 2 * PARTITIONS)
    other = app.worker("two").start()
    assert other.wait_ended() == 3
    assert f"written with {PARTITIONS} partitions, the topic has {2 * PARTITIONS} now" in other.output
    assert "assigned" not in other.output


@pytest.mark.parametrize("roles", [["facts"], ["facts", "changelog"]], ids=" and ".join)
def test_er25_state_that_is_gone_is_begun_again_whatever_was_tried_before(app: Application, roles: list[str]) -> None:
    """Made anew, the topics look as those of an application that has read nothing: going on would lose all that was read."""
    worker = app.at_work(100, **DYNAMIC_QUICK)
    topics = [getattr(app.topics, role) for role in roles]
    app.delete(*topics)
    app.send([("a", "dead"), ("b", 1)])
    assert worker.wait_ended() == 3
    assert BEGIN_AGAIN in worker.output
    assert any(topic in worker.output for topic in topics)
    create_topics(app.admin, wanted_topics(app.topics, PARTITIONS))
    worker.start()
    assert worker.wait_ended() == 3
    assert f"topic {app.topics.facts} was deleted and made anew" in worker.output
    assert BEGIN_AGAIN in worker.output
    [told] = missing(app.findings())
    assert told.says.startswith("was deleted and made anew since")
    app.check_exact_so_far()
    app.begin_again()
    worker.start().wait_ready()
    app.send_some(50)
    app.wait_exact()


def test_er25_facts_that_were_made_anew_end_a_running_worker(app: Application) -> None:
    """Their offsets mean other records now, which no changelog can tell: it is no way back."""
    worker = app.at_work(100, **DYNAMIC_QUICK)
    app.delete(app.topics.facts)
    create_topics(app.admin, wanted_topics(app.topics, PARTITIONS))
    assert worker.wait_ended() in (3, 5)
    assert app.topics.facts in worker.output
    app.wait_empty()
    with pytest.raises(Stop, match="written from facts of a topic that was deleted and made anew since"):
        app.reset().to_changelog("")
    (found,) = missing(app.findings())
    assert found.sentence.startswith(f"topic {app.topics.facts} was deleted and made anew")
    app.check_exact_so_far()


def test_a_source_that_is_deleted_is_named(app: Application) -> None:
    worker = app.at_work(100, **QUICK)
    app.delete(app.input)
    assert worker.wait_ended() == 3
    assert f"topic {app.input} is gone" in worker.output
    assert "Traceback" not in worker.output
    app.create_input()
    worker.start().wait_ready()
    app.send_some(100)
    app.wait_exact()


def test_an_output_that_was_deleted_is_written_again_once_it_is_back(app: Application) -> None:
    """What it held is gone with it; what is committed afterwards is neither lost nor doubled."""
    worker = app.at_work(100, **QUICK)
    app.delete(app.topics.transitions)
    app.send_some(100)
    assert worker.wait_ended() == 3
    create_topics(app.admin, wanted_topics(app.topics, PARTITIONS))
    worker.start().wait_ready()
    app.wait_exact(beginning=100)


def test_a_source_that_was_made_anew_is_read_from_its_beginning(app: Application) -> None:
    worker = app.at_work(100, **QUICK)
    app.delete(app.input)
    app.create_input()
    app.send_some(100)
    assert worker.wait_ended() in (3, 5)  # whichever it sees first: another topic, or records before those it has read
    assert app.input in worker.output
    worker.start().wait_ready()
    app.wait_exact()
