"""Definitions change while an application lives: what a stopped one goes on with, what it refuses, and that no two sets meet."""

from typing import Any

import pytest

from processors.engine.stop import ExitCode
from tests.kafka.application import Application
from tests.kafka.processes import WorkerProcess
from tests.kafka.summing import DEFINITIONS

DYNAMIC = {"group.protocol": "consumer"}
"""Members that are stopped leave at once; static ones count until their session ends, 30 s at least."""
FAR = 4_000_000_000_000_000


def definitions(digest: str, starts: int = FAR, **versions: str) -> dict[str, Any]:
    """Those of the summing topology, with others besides: `v2` is version 2."""
    named = {f"summing/{name.removeprefix('v')}": digest for name, digest in versions.items()}
    begin = {**DEFINITIONS.starts, **dict.fromkeys(named, starts)}
    return {"definitions": [digest, DEFINITIONS.rows, DEFINITIONS.versions | named, begin], "kafka": DYNAMIC}


@pytest.fixture
def stopped(app: Application) -> WorkerProcess:
    """A worker that has state and was stopped."""
    worker = app.worker(kafka=DYNAMIC).start().wait_ready()
    app.send_some(100)
    app.wait_exact()
    assert worker.terminate() == 0
    return worker


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
    foreign = ["sha256:foreign", 2, {"summing/1": "sha256:1"}, {"summing/1": 0}]
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
