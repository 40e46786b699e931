"""No command shows a secret, whatever it says: at debug level, with librdkafka's own lines, and when it fails (ER-32).

A new command that takes a configuration is a line in `COMMANDS`; a test misses it there.
"""

import json
import sys
import urllib.request
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from uuid import uuid4

import pytest
import typer

from processors.cli.main import app
from tests.kafka.desk import demo
from tests.kafka.guarded import KEY_PASSWORD, OWNER, PASSWORD, Guarded
from tests.kafka.insights import InsightsProcess
from tests.kafka.processes import ROOT

HASH_KEY = "hash-secret-of-32-characters-long"
TOKEN = "token-secret-of-insights"
WRONG, WRONG_TOKEN = "wrong-secret-3", "guess-of-the-token"
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
    "insights": {"listen": "127.0.0.1:0", "token": "${file:insights.token}"},
    "log": {"level": "debug"},
}


def visit(insights: InsightsProcess) -> None:
    """Ask with a token, the right one and another, until it has read what there is."""
    insights.wait_ready()
    assert [_status(insights, token) for token in (TOKEN, WRONG_TOKEN)] == [HTTPStatus.OK, HTTPStatus.UNAUTHORIZED]


def _status(insights: InsightsProcess, token: str) -> int:
    asked = urllib.request.Request(f"{insights.address()}/api/v1/status", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            status: int = answer.status
            return status
    except HTTPError as refused:
        return refused.code


class Command(NamedTuple):
    """A command, less its `--config FILE`.

    Attributes:
        arguments: Its words.
        works: Where it does not end by itself, what waits until it works.
        connects: Whether it needs brokers.
    """

    arguments: tuple[str, ...]
    works: Callable[[InsightsProcess], None] | None = None
    connects: bool = True


COMMANDS = (
    Command(("lint",), connects=False),
    Command(("config", "show"), connects=False),
    Command(("explain", "--event", "event.json", "--source", "web"), connects=False),
    Command(("replay", "--input", "web=event.json", "--out", "out"), connects=False),
    Command(("topics", "create", "--with-sources")),
    Command(("traffic", "--yes", "--seconds", "1")),
    Command(("check",)),
    Command(("reset", "to-changelog", "--yes")),
    Command(("reset", "to-earliest", "--yes")),
    Command(("reset", "to-datetime", "2026-01-01T00:00:00Z", "--yes")),
    Command(("reset", "empty", "--yes")),
    Command(("run",), works=lambda worker: worker.wait_said("restored facts partitions")),
    Command(("report",)),
    Command(("report", "--reconcile")),
    Command(("explain", "--lead", "contact:7")),
    Command(("dlq", "list")),
    Command(("dlq", "show")),
    Command(("dlq", "replay", "--all")),
    Command(("tap", "--from-beginning"), works=lambda tap: tap.wait_said("watching")),
    Command(("insights",), works=visit),
)
CONNECTING = tuple(command for command in COMMANDS if command.connects)


def configured(command: Any, *words: str) -> Iterator[tuple[str, ...]]:
    """The words of every command that takes a configuration; Typer keeps its classes of commands to itself."""
    if hasattr(command, "commands"):
        for name, each in command.commands.items():
            yield from configured(each, *words, name)
    elif any("--config" in parameter.opts for parameter in command.params):
        yield words


class Session:
    """One configuration, whose secrets come from files and variables, and everything that commands said about it."""

    def __init__(self, folder: Path, kafka: dict[str, str]) -> None:
        self._folder = folder
        self._started: list[InsightsProcess] = []
        name = f"test-{uuid4().hex[:12]}"
        written = kafka | {"debug": "all"}
        (folder / "insights.token").write_text(f"{TOKEN}\n")
        (folder / "event.json").write_bytes(demo(7) + b"\n")
        self.secrets = {
            HASH_KEY,
            TOKEN,
            WRONG_TOKEN,
            *(kafka[key] for key in ("sasl.password", "ssl.key.password") if key in kafka),
        }
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
        process = InsightsProcess(  # which can be asked, too; nobody asks the others
            [sys.executable, "-m", "processors.cli.main", *command.arguments, "--config", str(self._config)],
            self._folder / f"{name}.log",
            self._environment,
            self._folder,
        ).start()
        self._started.append(process)
        if command.works:
            command.works(process)
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


def test_er32_every_command_that_takes_a_configuration_is_among_those_that_are_searched() -> None:
    of_cli = {*configured(typer.main.get_command(app))}
    searched = [words for command in COMMANDS for words in of_cli if command.arguments[: len(words)] == words]
    assert len(searched) == len(COMMANDS), "each is one of the command line"
    assert {*searched} == of_cli


def test_er32_no_command_says_a_secret(session: Session) -> None:
    assert {PASSWORD, KEY_PASSWORD} & session.secrets
    codes = {command.arguments: session.run(command) for command in COMMANDS}
    said = session.check_silence()
    assert set(codes.values()) == {0}, f"{codes}\n{said[-3000:]}"
    assert "[thrd:" in said, "librdkafka's own lines are part of it"
    assert "aiokafka" in said, "and those of the client of insights"


@pytest.mark.soak  # a dozen commands, each of which is given time to be let in
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
        codes = {command.arguments: session.run(command._replace(works=None)) for command in CONNECTING}
        said = session.check_silence()
        assert codes.pop(("check",)) == 3, "a setting at fault is one thing of many that it looks at"
        assert set(codes.values()) == {code}, f"{codes}\n{said[-3000:]}"
        assert said.count(reason) >= len(CONNECTING), said[-3000:]
    finally:
        session.close()
