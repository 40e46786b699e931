"""Every topic of our own deleted, at work and at rest, and those with state grown: each worker ends, and the way back is exact.

What the documentation says is then done (docs/reliability.md, Faults): facts and changelog are begun again from the sources,
outputs are created again. `test_topics_change.py` has the cases that are not ways back.
"""

import pytest

from processors.engine.mark import BEGIN_AGAIN
from processors.engine.topics import create_topics, wanted_topics
from tests.kafka.application import PARTITIONS, ROLES, Application
from tests.kafka.processes import WorkerProcess, wait_until
from tests.kafka.test_topics_change import DYNAMIC_QUICK

pytestmark = pytest.mark.soak  # each case waits until a topic that is gone was noticed, and reads the sources again

STATE = ("facts", "changelog")
UNDECIDED = 120.0
"""Seconds: a commit that was under way is asked for 40 s, and the clients have 8 s to close."""


@pytest.fixture
def worker(app: Application) -> WorkerProcess:
    """A worker that has read 200 records."""
    return app.at_work(200, **DYNAMIC_QUICK)


def check_through(app: Application) -> None:
    """Every snapshot says all that was sent of its key, and so does the end of what is published, wherever that begins."""

    def through() -> bool:
        found = app.snapshots()
        told = {key: (lead["count"], lead["sum"]) for key, lead in found.items() if lead is not None}
        return told == {key: (len(numbers), sum(numbers)) for key, numbers in app.sent.items()}

    wait_until(through, "every snapshot to be right")
    app.wait_exact(beginning=app.amount - len(app.steps()))


@pytest.mark.parametrize("busy", [False, True], ids=["at rest", "at work"])
@pytest.mark.parametrize("role", ROLES)
def test_a_topic_that_is_deleted_ends_the_worker_and_the_way_back_is_exact(
    app: Application, worker: WorkerProcess, role: str, *, busy: bool
) -> None:
    topic = getattr(app.topics, role)
    app.send_some(5_000 if busy else 0)
    app.delete(topic)
    if busy:
        app.send_some(500)
    code = worker.wait_ended(within=UNDECIDED)
    if code == 5:  # a commit was under way; a supervisor starts it again
        code = worker.start().wait_ended()
    assert code == 3, worker.tail()
    assert topic in worker.output
    if role not in ("transitions", "leads"):
        app.check_exact_so_far()
    if role in STATE:
        app.begin_again()
    else:
        create_topics(app.admin, wanted_topics(app.topics, PARTITIONS))
    worker.start().wait_ready()
    app.send_some(100)
    check_through(app)
    if role != "transitions":
        app.wait_exact()


@pytest.mark.parametrize("roles", [["facts"], ["changelog"], [*STATE]], ids=" and ".join)
def test_er03_topics_that_have_grown_are_begun_again(app: Application, worker: WorkerProcess, roles: list[str]) -> None:
    for role in roles:
        app.grow(getattr(app.topics, role), 2 * PARTITIONS)
    app.send_some(200)
    assert worker.wait_ended() == 3
    assert BEGIN_AGAIN in worker.output
    app.check_exact_so_far()
    app.begin_again()
    worker.start().wait_ready()
    app.send_some(100)
    app.wait_exact()
