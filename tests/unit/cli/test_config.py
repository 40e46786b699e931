"""`config show`: what an operator sees of an application, in full and without secrets."""

import json
from typing import Any

import pytest
from ruamel.yaml import YAML

from tests.unit.cli.called import CONFIGURATION, World, call

SECRET = "correct horse battery staple"
KAFKA = 'kafka: {bootstrap.servers: "${HOST}", sasl.password: "${PASSWORD}", linger.ms: 5}\n'


@pytest.fixture
def told(world: World, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What it prints as JSON."""
    monkeypatch.setenv("HOST", "broker:9092")
    monkeypatch.setenv("PASSWORD", SECRET)
    (world.folder / "test.yml").write_text(CONFIGURATION + KAFKA)
    arguments = ("config", "show", "--config", world.folder / "test.yml", "--instance", "one")
    as_json, as_yaml = call(*arguments, "--format", "json"), call(*arguments)
    assert SECRET not in as_json.output + as_yaml.output
    found: dict[str, Any] = json.loads(as_json.stdout)
    assert YAML(typ="safe").load(as_yaml.stdout) == found
    return found


def test_the_configuration_with_its_defaults(told: dict[str, Any]) -> None:
    assert told["configuration"]["kafka"]["bootstrap.servers"] == "broker:9092"
    assert told["configuration"]["kafka"]["sasl.password"] == "*** (from ${PASSWORD})"
    assert told["configuration"]["limits"]["batch_time"] == "100ms"
    assert told["topics"]["facts"] == "test-facts"


def test_what_librdkafka_is_told_whatever_was_written(told: dict[str, Any]) -> None:
    clients = told["clients"]
    assert clients["producer"]["transactional.id"] == "test:one"
    assert clients["producer"]["linger.ms"] == "5"
    assert "linger.ms" not in clients["consumer"]
    assert clients["consumer"]["isolation.level"] == "read_committed"
    assert {client["sasl.password"] for client in clients.values()} == {"*** (from ${PASSWORD})"}


def test_which_definitions_would_run(told: dict[str, Any]) -> None:
    [funnel] = told["definitions"]["funnels"]
    assert (funnel["funnel"], funnel["version"]) == ("small", 1)
    assert (funnel["stages"], funnel["conversions"]) == (["asked", "customer"], ["demo"])
    assert funnel["digest"].startswith("sha256:")
    assert funnel["state"].startswith("sha256:"), "what marks name"
    assert told["definitions"]["digest"].startswith("sha256:")


def test_a_mistake_in_the_configuration_is_said_as_everywhere(world: World) -> None:
    (world.folder / "test.yml").write_text("application: test\n")
    done = call("config", "show", "--config", world.folder / "test.yml")
    assert getattr(done.exception, "code", None) == 1
