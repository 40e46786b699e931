"""No command shows a secret, whatever it says: at debug level, with librdkafka's own lines, and when it fails (ER-32).

A new command that takes a configuration is a line in `COMMANDS`.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import uuid4

import pytest

from tests.kafka.guarded import KEY_PASSWORD, OWNER, PASSWORD, Guarded
from tests.kafka.processes import ROOT, WorkerProcess

HASH_KEY = "hash-secret-of-32-characters-long"
WRONG = "wrong-secret-3"
APPLICATION = {
    "definitions": str(ROOT / "funnels" / "hubspot-lifecycle.yml"),
    "identity": {
        "hash_key": "${HASH_KEY}",
        "namespaces": [
            {"name": "contact", "kind": "lead"},
            {"name": "email", "kind": "lead", "normalise": "email"},
            {"name": "anonymous", "kind": "visitor"},
        ],
    },
    "http": {"listen": "127.0.0.1:0"},
    "log": {"level": "debug"},
}


class Command(NamedTuple):
    """A command, less its `--config FILE`; and where it does not end by itself, what it says once it works."""

    arguments: tuple[str, ...]
    works: str = ""


COMMANDS = (
    Command(("lint",)),
    Command(("config", "show")),
    Command(("topics", "create", "--with-sources")),
    Command(("check",)),
    Command(("reset", "to-changelog", "--yes")),
    Command(("reset", "empty", "--yes")),
    Command(("run",), works="restored facts partitions"),
    Command(("report",)),
    Command(("explain", "--lead", "contact:7")),
    Command(("dlq", "list")),
    Command(("dlq", "replay", "--all")),
    Command(("tap", "--from-beginning"), works="watching"),
)
CONNECTING = COMMANDS[2:]
"""All but `lint` and `config show`."""


class Session:
    """One configuration, whose secrets come from files and variables, and everything that commands said about it."""

    def __init__(self, folder: Path, kafka: dict[str, str]) -> None:
        self._folder = folder
        self._started: list[WorkerProcess] = []
        name = f"test-{uuid4().hex[:12]}"
        written = kafka | {"debug": "all"}
        self.secrets = {HASH_KEY, *(kafka[key] for key in ("sasl.password", "ssl.key.password") if key in kafka)}
        for key in ("sasl.password", "ssl.key.pem"):
            if key in kafka:
                (folder / key).write_text(f"{kafka[key]}\n")
                written[key] = f"${{file:{key}}}"
        if "ssl.key.password" in kafka:
            written["ssl.key.password"] = "${KEY_PASSWORD}"
        self.secrets |= {*kafka.get("ssl.key.pem", "").splitlines()[1:-1]}
        self._environment = {"HASH_KEY": HASH_KEY, "KEY_PASSWORD": kafka.get("ssl.key.password", "")}
        web = {"topics": [f"{name}.web"], "format": "segment", "identifiers": {"userId": "contact", "anonymousId": "anonymous"}}
        crm = {"topics": [f"{name}.crm"], "format": "hubspot", "identifiers": {"contact.objectId": "contact"}}
        own: dict[str, Any] = {"application": name, "topics": {"prefix": name, "partitions": 2}, "state": {"path": "state"}}
        self._config = folder / "funnelstream.yml"
        self._config.write_text(json.dumps(APPLICATION | own | {"kafka": written, "sources": {"web": web, "crm": crm}}))

    def run(self, command: Command) -> int:
        """The exit code of a command."""
        name = "-".join(command.arguments[:2])
        process = WorkerProcess(
            [sys.executable, "-m", "processors.cli.main", *command.arguments, "--config", str(self._config)],
            self._folder / f"{name}.log",
            self._environment,
        ).start()
        self._started.append(process)
        if command.works:
            process.wait_said(command.works)
            return process.terminate()
        return process.wait_ended()

    def check_silence(self) -> str:
        """All that was said; fails where it holds a secret."""
        said = "\n".join(process.output for process in self._started)
        assert "Traceback" not in said
        assert [secret for secret in self.secrets if secret in said] == []
        return said

    def close(self) -> None:
        for process in self._started:
            process.kill9()


@pytest.fixture(params=["SCRAM", "mTLS"])
def session(request: pytest.FixtureRequest, guarded: Guarded, tmp_path: Path) -> Iterator[Session]:
    found = Session(tmp_path, guarded.scram(OWNER) if request.param == "SCRAM" else guarded.mutual(OWNER))
    yield found
    found.close()


def test_er32_no_command_says_a_secret(session: Session) -> None:
    assert {PASSWORD, KEY_PASSWORD} & session.secrets
    codes = {command.arguments: session.run(command) for command in COMMANDS}
    said = session.check_silence()
    assert set(codes.values()) == {0}, f"{codes}\n{said[-3000:]}"
    assert "[thrd:" in said, "librdkafka's own lines are part of it"


@pytest.mark.parametrize(
    ("wrong", "code", "reason"),
    [({"sasl.password": WRONG}, 3, "correct sasl.username and sasl.password"), ({"ssl.key.password": WRONG}, 1, "ssl.key.pem")],
)
def test_er16_er32_every_command_that_is_refused_says_why_and_no_secret(
    guarded: Guarded, tmp_path: Path, wrong: dict[str, str], code: int, reason: str
) -> None:
    settings = guarded.scram(OWNER) if "sasl.password" in wrong else guarded.mutual(OWNER)
    session = Session(tmp_path, settings | wrong)
    try:
        codes = {command.arguments: session.run(command._replace(works="")) for command in CONNECTING}
        said = session.check_silence()
        assert codes.pop(("check",)) == 3, "a setting at fault is one thing of many that it looks at"
        assert set(codes.values()) == {code}, f"{codes}\n{said[-3000:]}"
        assert said.count(reason) >= len(CONNECTING), said[-3000:]
    finally:
        session.close()
