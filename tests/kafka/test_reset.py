"""Resets on a real broker: what they leave is exact, a dry run leaves everything, and dying in the middle is made good (ER-25).

The workers are dynamic members, because one that was stopped leaves its group at once: nobody waits for a session to end.
"""

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from processors.engine.admin import AdminClient
from processors.engine.described import describe_group
from processors.engine.group import delete_group
from processors.engine.stop import Stop
from processors.state.store import DiskStore
from schemas.instants import SECOND, format_instant
from tests.broker.discovery import Broker
from tests.command import funnelstream, run
from tests.deployment import Deployment, faults_of_the_log
from tests.kafka.application import DYNAMIC, INPUTS, PARTITIONS, Application
from tests.kafka.processes import WorkerProcess, wait_until
from tests.small_funnel import SMALL

PRODUCT = """\
application: {application}
definitions: funnel.yml
kafka: {{bootstrap.servers: "{bootstrap}", group.protocol: consumer}}
topics: {{prefix: "{application}", partitions: 2}}
http: {{listen: "127.0.0.1:0"}}
identity: {{namespaces: [{{name: user, kind: lead}}]}}
sources: {{web: {{topics: ["{application}.web"], format: segment, identifiers: {{userId: user}}}}}}
"""


def observed(app: Application) -> Any:
    """All that a reset could change."""
    ids = [str(found.topic_id) for found in app.described().values()]
    return ids, app.committed(app.topics.facts), app.committed(app.input), app.store().exists()


def moved(app: Application) -> None:
    """Facts offsets as a reset by hand, or their expiry, leaves them."""
    app.set_offsets(app.topics.facts, {0: 1, 1: 0})


def test_er25_offsets_that_were_reset_by_hand_follow_the_changelog_again(app: Application, stopped: WorkerProcess) -> None:
    before = app.committed(app.topics.facts)
    moved(app)
    stopped.start()
    assert stopped.wait_ended() == 3
    assert "funnelstream reset to-changelog --config FILE" in stopped.output
    app.wait_empty()
    funnelstream("reset", "to-changelog", "--config", app.config(), "--yes")
    assert app.committed(app.topics.facts) == before
    stopped.start().wait_ready()
    app.send_some(50)
    app.wait_exact()


def test_er22_a_changelog_is_read_past_an_open_transaction_or_not_at_all(app: Application, stopped: WorkerProcess) -> None:
    """Its committed end may hide behind one: an older mark taken for the last would double facts."""
    held = app.hold([1])
    doing = app.reset()
    with pytest.raises(Stop, match="hanging transaction") as refused:
        doing.to_changelog("", patience=2.0)
    assert f"{app.topics.changelog} partition 1" in refused.value.sentence
    held.abort_transaction(30)
    assert doing.to_changelog("").steps == []


def test_a_dry_run_prints_the_plan_and_changes_nothing(app: Application, stopped: WorkerProcess) -> None:
    moved(app)
    before, config = observed(app), app.config()
    said = funnelstream("reset", "to-changelog", "--config", config, "--dry-run")
    assert f"set offset    {app.topics.facts} partition 0: 1 -> " in said
    plan = json.loads(funnelstream("reset", "empty", "--config", config, "--outputs", "--dry-run", "--format", "json"))
    assert [step["action"] for step in plan["steps"]].count("delete topic") == 7
    assert f"{app.input} partition 0" in funnelstream("reset", "to-earliest", "--config", config, "--dry-run", "--source", "web")
    assert observed(app) == before


def test_without_a_terminal_and_without_yes_nothing_is_done(app: Application) -> None:
    done = run("reset", "empty", "--config", app.config())
    assert done.returncode == 2
    assert "--dry-run" in done.stderr


def test_at_a_terminal_the_plan_is_confirmed(app: Application, stopped: WorkerProcess) -> None:
    before = app.committed(app.input)
    assert _answered(app, "n") == (130, before)
    assert _answered(app, "y") == (0, dict.fromkeys(before, 0))


def _answered(app: Application, answer: str) -> tuple[int, dict[int, int]]:
    """Exit code and the sources' offsets after a reset that was answered so."""
    ours, terminal = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    command = [sys.executable, "-m", "processors.cli.main", "reset", "to-earliest", "--config", str(app.config())]
    try:
        done = subprocess.run(command, stdin=terminal, capture_output=True, text=True, check=False, timeout=120)
    finally:
        os.close(ours)
        os.close(terminal)
    assert f"set offset    {app.input} partition 0" in done.stdout, done.stderr
    assert "Do this?" in done.stderr
    return done.returncode, app.committed(app.input)


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_members_are_named_and_nothing_is_done(app: Application, protocol: str) -> None:
    worker = app.worker(kafka={"group.protocol": protocol}).start().wait_ready()
    app.send_some(20)
    app.wait_exact()
    before = observed(app)
    done = run("reset", "empty", "--config", app.config(), "--yes")
    assert done.returncode == 3
    assert f"has members: {'one' if protocol == 'classic' else f'{app.name}.one'} on" in done.stderr
    assert observed(app) == before
    assert worker.running


def test_offsets_cannot_be_taken_from_a_worker_that_starts_in_the_middle(app: Application, stopped: WorkerProcess) -> None:
    """Every reset is planned first: a worker that joins before it is performed ends it, and goes on exactly."""
    doing = app.reset()
    plans = [doing.to_sources([app.input], None), doing.to_nothing(outputs=True)]
    stopped.start().wait_ready()
    for plan in plans:
        with pytest.raises(Stop, match="has members"):
            list(doing.perform(plan))
    app.send_some(50)
    app.wait_exact()


def test_sources_are_read_again_from_a_time_and_from_their_beginning(app: Application, stopped: WorkerProcess) -> None:
    """The summing topology does not know duplicates, so that they can be counted; the product's own does."""
    earlier = app.committed(app.input)
    since = 1 + max(message.timestamp()[1] for message in app.read(app.input))
    stopped.start().wait_ready()
    app.send_some(50)
    app.wait_exact()
    assert stopped.terminate() == 0
    read = app.committed(app.input)
    steps = app.reset().to_sources([app.input], since).steps
    assert {step.partition: (step.before, step.after) for step in steps} == {
        number: (read[number], earlier[number]) for number in range(INPUTS)
    }
    funnelstream("reset", "to-datetime", "2100-01-01T00:00:00Z", "--config", app.config(), "--yes")
    assert app.committed(app.input) == read
    funnelstream("reset", "to-earliest", "--config", app.config(), "--yes")
    assert set(app.committed(app.input).values()) == {0}
    stopped.start().wait_ready()
    wait_until(lambda: len(app.steps()) == 2 * app.amount, "every record to be read once more")


def test_er25_offsets_that_expired_and_sources_read_again_publish_nothing_twice(broker: Broker, tmp_path: Path) -> None:
    """With the product's own topology, which knows facts by their id."""
    (tmp_path / "funnel.yml").write_text(SMALL)
    name = f"test-{uuid4().hex[:12]}"
    (tmp_path / "application.yml").write_text(PRODUCT.format(application=name, bootstrap=broker.bootstrap))
    deployment = Deployment(tmp_path / "application.yml", tmp_path)
    worker, admin = deployment.worker("one"), AdminClient({"bootstrap.servers": broker.bootstrap})
    for count, reset in ((40, "to-changelog"), (50, "to-earliest")):
        _demos(deployment, range(count - 10 if count > 40 else 0, count))
        worker.start().wait_ready()
        wait_until(partial(_published, deployment, count), "every demo to be published")
        assert worker.terminate() == 0
        if reset == "to-changelog":
            delete_group(admin, name)
            worker.start()
            assert worker.wait_ended() == 3
            assert "says no offset" in worker.output
            wait_until(lambda: not describe_group(admin, name).members, "the group to be empty")
        funnelstream("reset", reset, "--config", deployment.config, "--yes")
        worker.start().wait_ready()
        wait_until(partial(_read_again, worker, count), "every record to be read again")
        assert worker.terminate() == 0
        assert _published(deployment, count)
    assert faults_of_the_log(deployment.published()) == []


def _published(deployment: Deployment, count: int) -> bool:
    return len(deployment.read(deployment.topics.conversions)) == count


def _read_again(worker: WorkerProcess, count: int) -> bool:
    return worker.metrics()['funnelstream_worker_duplicates_total{source="web"}'] == count


def _demos(deployment: Deployment, numbers: Iterable[int]) -> None:
    producer = deployment.producer()
    an_hour_ago = int(time.time()) - 3600
    for number in numbers:  # each at an instant of its own
        at = format_instant((an_hour_ago + number) * SECOND)
        call = {"type": "track", "event": "Demo", "userId": f"u{number % 7}", "messageId": f"m{number}", "timestamp": at}
        producer.produce(deployment.source_topic["web"], json.dumps(call).encode(), str(number).encode())
    assert producer.flush(30) == 0


def test_empty_begins_from_nothing_and_ends_exact(app: Application, stopped: WorkerProcess) -> None:
    before = observed(app)[0]
    funnelstream("reset", "empty", "--outputs", "--config", app.config(), "--yes")
    ids, facts, sources, store = observed(app)
    assert not {*ids} & {*before}
    assert (facts, sources, store) == ({}, {}, False)
    stopped.start().wait_ready()
    app.send_some(50)
    app.wait_exact()


def test_empty_may_die_after_any_step_and_is_run_again(app: Application, stopped: WorkerProcess) -> None:
    """In between a worker refuses to start; what it may have committed before it refused does not count in the end."""
    for action in ("delete group", "delete topic", "delete store"):
        doing = app.reset()
        for step in doing.perform(doing.to_nothing(outputs=True)):
            if step.action == action:
                break
        stopped.start()
        assert stopped.wait_ended() == 3, stopped.tail()
        app.wait_empty()
    app.set_offsets(app.input, dict.fromkeys(range(INPUTS), 50))
    funnelstream("reset", "empty", "--outputs", "--config", app.config(), "--yes")
    stopped.start().wait_ready()
    app.send_some(50)
    app.wait_exact()


def test_er26_a_store_of_a_changelog_that_was_made_anew_is_not_believed(app: Application, stopped: WorkerProcess) -> None:
    """As on another machine: the store stays, neither ahead of the new log nor before it. Believed, it adds to its old sums."""
    store = DiskStore(app.store(), app.label())
    reaches = {number: store.position(number) for number in range(PARTITIONS)}
    store.close()
    app.store().rename(app.folder / "kept")
    funnelstream("reset", "empty", "--outputs", "--config", app.config(), "--yes")
    other = app.worker("two", kafka=DYNAMIC).start().wait_ready()
    ends = dict.fromkeys(reaches, 0)
    while any(position is not None and position.offset >= ends[number] for number, position in reaches.items()):
        app.send_some(200)  # until the new changelog has grown past the old store
        app.wait_exact()
        ends = {number: end for number, (_, end) in app.ends(app.topics.changelog).items()}
    assert other.terminate() == 0
    (app.folder / "kept").rename(app.store())
    stopped.start().wait_ready()
    app.send_some(50)
    app.wait_exact()
