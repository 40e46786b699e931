"""How a worker starts, refuses to, fails and ends: one clear line and the right exit code."""

import pytest
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined]  # exported at run time

from processors.engine.topics import WantedTopic, create_topics, wanted_topics
from tests.kafka.application import PARTITIONS, Application
from tests.kafka.processes import wait_until


@pytest.mark.parametrize(("word", "topic"), [("bug", "input"), ("late-bug", "facts")])
def test_a_bug_stops_the_worker_with_the_coordinates_and_commits_nothing_of_it(app: Application, word: str, topic: str) -> None:
    worker = app.worker().start().wait_ready()
    app.send([("a", 1)])
    app.wait_exact()
    app.send([("a", word)])
    assert worker.wait_ended() == 4
    name = app.input if topic == "input" else app.topics.facts
    record = app.read(name)[-1]
    partition, offset = record.partition() or 0, record.offset() or 0
    assert f"{name} partition {partition} offset {offset}." in worker.output
    assert "Traceback" not in worker.output
    assert app.committed(name)[partition] <= offset
    worker.start()  # nothing but new code helps
    assert worker.wait_ended() == 4
    assert len(app.steps()) == 1


def test_er28_sigterm_commits_and_ends_with_0_within_10_s(app: Application) -> None:
    worker = app.worker().start().wait_ready()
    app.send_some(5_000)
    assert worker.terminate(within=10) == 0
    worker.start().wait_ready()
    app.wait_exact()


def test_what_operators_ask_is_answered(app: Application) -> None:
    worker = app.worker(kafka={"statistics.interval.ms": "200"}).start().wait_ready()
    assert (worker.probe("/livez"), worker.probe("/readyz"), worker.probe("/nothing")) == (200, 200, 404)
    app.send_some(200)
    app.wait_exact()

    def lags() -> list[float]:
        return [value for name, value in worker.metrics().items() if name.startswith("funnelstream_worker_consumer_lag_records")]

    wait_until(lambda: len(lags()) == 7 and not any(lags()), "the lag of all seven partitions to be known and nothing")
    wait_until(lambda: worker.metrics()["funnelstream_worker_facts_read_total"] == 200, "the last commit to be measured")
    metrics = worker.metrics()
    assert metrics[f'funnelstream_worker_records_total{{source="web",topic="{app.input}"}}'] == 200
    assert metrics['funnelstream_worker_transitions_total{funnel="summing",kind="advance",op="announce"}'] == 200
    assert metrics['funnelstream_worker_transactions_aborted_total{reason="lost"}'] == 0
    assert not [name for name in metrics if name.endswith("_created")]
    assert worker.terminate() == 0
    worker.start().wait_ready()
    wait_until(lambda: len(lags()) == 7 and not any(lags()), "the lag to be nothing after a restart with nothing to read")


def test_topics_that_are_not_there_are_all_named_with_the_mend(app: Application) -> None:
    app.delete(app.topics.leads)
    missing = app.worker(source_topics={app.input: "web", "absent.topic": "crm"}).start()
    assert missing.wait_ended() == 3
    assert f"topic {app.topics.leads} does not exist" in missing.output
    assert "funnelstream topics create --config FILE" in missing.output
    assert "topic absent.topic of source crm does not exist" in missing.output
    assert "Traceback" not in missing.output


def test_er03_topics_that_would_corrupt_state_are_all_named_with_the_mend(app: Application) -> None:
    """Unequal partition counts, a clock that producers set, and state that is deleted by its age."""
    topics = [app.topics.facts, app.topics.changelog]
    app.delete(*topics)
    for future in app.admin.create_topics([NewTopic(topics[0], 3, 1), NewTopic(topics[1], 2, 1)]).values():
        future.result()
    worker = app.worker().start()
    assert worker.wait_ended() == 3
    for said in ("has 3 partitions and", "message.timestamp.type=LogAppendTime", "cleanup.policy=compact"):
        assert said in worker.output


def test_er03_an_assignor_that_splits_topics_is_refused(app: Application) -> None:
    worker = app.worker(kafka={"partition.assignment.strategy": "cooperative-sticky"}).start()
    assert worker.wait_ended() == 1
    assert "write range" in worker.output


def test_er16_brokers_that_do_not_answer_are_named_with_the_reason(app: Application) -> None:
    nobody = app.worker(kafka={"bootstrap.servers": "127.0.0.1:1"}, connect_within=3.0).start()
    assert nobody.wait_ended() == 3
    assert "no connection to the Kafka brokers 127.0.0.1:1" in nobody.output
    assert "Connection refused" in nobody.output


def test_a_setting_that_librdkafka_does_not_know_is_an_input_fault(app: Application) -> None:
    worker = app.worker(kafka={"bootstrap.server": "x"}).start()
    assert worker.wait_ended() == 1
    assert "bootstrap.server" in worker.output
    assert "Traceback" not in worker.output


def test_committed_facts_that_are_old_enough_are_deleted_and_no_others(app: Application) -> None:
    worker = app.worker(keep_facts=0.0, purge_every=0.3).start().wait_ready()
    app.send_some(100)
    app.wait_exact()

    def kept() -> bool:
        committed = app.committed(app.topics.facts)
        return {number: first for number, (first, _) in app.ends(app.topics.facts).items() if first} == committed

    wait_until(kept, "all committed facts to be deleted")
    worker.kill9()
    app.send_some(50)
    worker.start().wait_ready()
    app.wait_exact()


def test_topics_are_created_once_and_differences_are_reported(app: Application) -> None:
    reports = create_topics(app.admin, wanted_topics(app.topics, PARTITIONS))
    assert {report.state for report in reports} == {"exists"}
    other = WantedTopic("facts", app.topics.facts, 5, {"cleanup.policy": "compact"})
    [report] = create_topics(app.admin, [other])
    assert report.state == "differs"
    assert report.detail == "has 4 partitions, wanted 5; cleanup.policy=delete, wanted compact"
