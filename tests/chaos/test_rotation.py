"""A worker whose password was changed and whose connections then break waits out its session and ends with the reason."""

from pathlib import Path

from tests.kafka.application import Application
from tests.kafka.guarded import OWNER, Guarded

SHORTEST = {"session.timeout.ms": "30000"}


def test_a_worker_that_is_refused_when_it_connects_anew_ends_and_starts_with_the_new_secret(tmp_path: Path) -> None:
    """Only a restart reads a secret again: until then it would wait, alive and without partitions."""
    guarded = Guarded()
    app = Application(guarded.bootstrap, tmp_path).create()
    try:
        worker = app.worker(kafka=guarded.scram(OWNER) | SHORTEST).start().wait_ready()
        app.send_some(100)
        app.wait_exact()
        guarded.set_password(OWNER, "another-secret-9")
        guarded.kill()
        guarded.start()
        assert worker.wait_ended(within=180) == 3
        assert "correct sasl.username and sasl.password" in worker.output
        app.send_some(100)
        app.worker(kafka=guarded.scram(OWNER, password="another-secret-9"), log="new").start().wait_ready()
        app.wait_exact()
    finally:
        app.close()
        guarded.stop()
