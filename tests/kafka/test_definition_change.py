"""Definitions change while an application lives: what a stopped one goes on with, what it refuses, and that no two sets meet."""

import json
import re
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from processors.engine.mark import KEY, decode
from processors.engine.stop import ExitCode
from schemas.instants import HOUR, SECOND, format_instant
from tests.broker.discovery import Broker
from tests.deployment import Deployment, bodies
from tests.kafka.application import DYNAMIC, Application
from tests.kafka.desk import demo
from tests.kafka.processes import WorkerProcess, wait_until
from tests.kafka.summing import DEFINITIONS
from tests.small_funnel import SMALL

TIMED = SMALL.replace("name: asked,", "name: asked, sla: 5d,")
"""The small funnel with a timer, so that the time of its partitions moves by watermarks too."""
FAR = 4_000_000_000_000_000


def definitions(digest: str, starts: int = FAR, **versions: str) -> dict[str, Any]:
    """Those of the summing topology, with others besides: `v2` is version 2."""
    named = {f"summing/{name.removeprefix('v')}": digest for name, digest in versions.items()}
    begin = {**DEFINITIONS.starts, **dict.fromkeys(named, starts)}
    return {"definitions": [digest, DEFINITIONS.rows, DEFINITIONS.versions | named, begin], "kafka": DYNAMIC}


def ends(worker: WorkerProcess, code: ExitCode, *said: str) -> None:
    assert worker.start().wait_ended() == code, worker.tail()
    for words in said:
        assert words in worker.output


def test_a_stopped_application_goes_on_with_a_further_version_and_not_back(app: Application, stopped: WorkerProcess) -> None:
    more = app.worker(**definitions("sha256:more", v2="sha256:2"), log="more").start().wait_ready()
    more.wait_said("summing version 2 is new and applies from 2096-10-02T07:06:40Z")
    app.send_some(100)
    app.wait_exact()
    assert more.terminate() == 0
    ends(stopped, 1, "summing version 2 wrote the state of", "bring its file back")
    more.start().wait_ready()
    app.send_some(20)
    app.wait_exact()


def test_what_would_judge_the_past_anew_is_refused_before_anything_is_joined(app: Application, stopped: WorkerProcess) -> None:
    changed = app.worker(**definitions("sha256:changed", v1="sha256:other"), log="changed")
    ends(changed, 1, "summing version 1 has changed", "sha256:1,", "this worker has sha256:other", "written as version 2")
    past = app.worker(**definitions("sha256:past", starts=1, v2="sha256:2"), log="past")
    ends(past, 1, "summing version 2 is to apply from 1970-01-01", "write effective_from: 20")
    foreign = ["sha256:foreign", DEFINITIONS.rows + 1, {"summing/1": "sha256:1"}, {"summing/1": 0}]
    ends(
        app.worker(definitions=foreign, log="foreign"), 1, "under the definitions sha256:summing, this worker has sha256:foreign"
    )
    for refused in (changed, past):
        assert "assigned" not in refused.output
    stopped.start().wait_ready()
    app.send_some(20)
    app.wait_exact()


def test_two_sets_never_run_at_once_and_the_one_that_runs_is_not_disturbed(app: Application) -> None:
    """Static members, before there is any state that could tell: the newcomer sees what the other one's name says."""
    running = app.worker().start().wait_ready()
    other = definitions("sha256:other", v2="sha256:2") | {"kafka": {}, "others_leave_within": 2.0}
    ends(app.worker("two", **other), 1, "has members with other definitions than this worker's sha256:other: one on ")
    app.send_some(50)
    app.wait_exact()
    assert "revoked" not in running.output


def deployed(broker: Broker, folder: Path) -> Deployment:
    """The small funnel, as `funnelstream run` starts it."""
    name = f"versions-{uuid4().hex[:8]}"
    (folder / "funnels").mkdir()
    (folder / "funnels" / "small-1.yml").write_text(TIMED)
    told = {
        "application": name,
        "definitions": str(folder / "funnels"),
        "kafka": {"bootstrap.servers": broker.bootstrap, **DYNAMIC},
        "topics": {"prefix": name, "partitions": 2},
        "state": {"path": str(folder / "state")},
        "identity": {"namespaces": [{"name": "contact", "kind": "lead"}]},
        "sources": {"web": {"topics": [f"{name}.web"], "format": "segment", "identifiers": {"userId": "contact"}}},
        "http": {"listen": "127.0.0.1:0"},
    }
    (folder / "app.yml").write_text(json.dumps(told))  # which is YAML too
    return Deployment(folder / "app.yml", folder)


def reached(app: Deployment) -> int:
    """How far event time has come in any partition, as the marks say."""
    marks = [decode(value) for row in app.read(app.topics.changelog) if row.key() == KEY and (value := row.value()) is not None]
    return max((mark.reached for mark in marks), default=0)


def second(starts: int) -> str:
    """Version 2 of the small funnel: its stage is called otherwise."""
    header = TIMED.replace("version: 1", "version: 2").replace("2020-01-01T00:00:00Z", format_instant(starts))
    return header.replace("name: asked", "name: engaged") + "retired: {asked: engaged}\n"


def test_later_facts_are_judged_by_the_version_that_was_added_and_earlier_ones_are_not(
    broker: Broker, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    app, now = deployed(broker, tmp_path), round(time.time() * SECOND)
    worker, producer = app.worker("one"), app.producer()
    request.addfinalizer(worker.kill9)
    worker.start().wait_ready()

    def take(*demos: tuple[int, int]) -> None:
        for user, at in demos:
            producer.produce(app.source_topic["web"], demo(user, timestamp=format_instant(at)))
        producer.flush()
        app.wait_through()

    take((1, now - HOUR))
    wait_until(lambda: reached(app) > now - HOUR // 2, "a watermark to be taken in")
    assert worker.terminate() == 0
    first, later = tmp_path / "funnels" / "small-1.yml", tmp_path / "funnels" / "small-2.yml"
    later.write_text(second(now - HOUR // 2))
    ends(worker, 1, "small version 2 is to apply from", "has taken in what happened up to")
    later.write_text(second(now + 6 * HOUR))
    worker.start().wait_ready()
    worker.wait_said("small version 2 is new and applies from")
    take((2, now + 12 * HOUR), (3, now - 2 * HOUR))
    assert worker.terminate() == 0
    moved = {body["subject"]["id"]: (body["version"], body["to"]["stage"]) for body in bodies(app.read(app.topics.transitions))}
    assert moved == {"contact:1": (1, "asked"), "contact:2": (2, "engaged"), "contact:3": (1, "asked")}
    first.write_text(TIMED.replace("event: Demo", "event: Demo Requested"))
    ends(worker, 1, "small version 1 has changed")
    assert len({*re.findall("sha256:[0-9a-f]{16}", worker.output)}) == 2
    first.write_text(TIMED.replace("description: d", "description: Asked for a demo."))
    later.unlink()
    ends(worker, 1, "small version 2 wrote the state of")
    later.write_text(second(now + 6 * HOUR))
    worker.start().wait_ready()
