"""docker-compose.yml against the program and the repository: what it calls, mounts and keeps."""

import re
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from processors.cli.main import app
from processors.configuration.definitions import load_definitions
from schemas.application import Application
from tests.promql import targets
from tests.shared_material import ROOT

COMPOSE: dict[str, Any] = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text())
VOLUMES: list[str] = COMPOSE["x-funnelstream"]["volumes"]
APPLICATION = Application.model_validate(YAML(typ="safe").load((ROOT / "deploy/compose/funnelstream.yml").read_text()))


@pytest.mark.parametrize("service", ["topics", "worker"])
def test_a_service_calls_a_command_that_exists_with_options_that_it_has(service: str) -> None:
    asked = CliRunner().invoke(app, [*COMPOSE["services"][service]["command"], "--help"])
    assert asked.exit_code == 0, asked.output


def test_what_is_mounted_is_in_the_repository() -> None:
    mounted = [
        volume.partition(":")[0]
        for service in COMPOSE["services"].values()
        for volume in service.get("volumes", [])
        if volume.startswith("./")
    ]
    assert {"./funnels", "./deploy/prometheus", "./deploy/grafana/dashboards"} <= {*mounted}
    assert [path for path in mounted if not (ROOT / path).exists()] == []


def test_the_store_survives_its_container() -> None:
    """A new container then restores the last seconds of the changelog, not all of it."""
    kept = [target for volume in VOLUMES for source, target, *_ in [volume.split(":")] if source in COMPOSE["volumes"]]
    assert any(APPLICATION.state.path.startswith(f"{target}/") for target in kept)


def test_the_published_port_is_the_one_the_worker_listens_on() -> None:
    listening = APPLICATION.http.listen.rpartition(":")[2]
    assert COMPOSE["services"]["worker"]["ports"] == [f"127.0.0.1:8080:{listening}"]


def test_ports_are_open_to_this_machine_only_and_images_are_pinned() -> None:
    for name, service in COMPOSE["services"].items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert "build" in service or re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"]), name


def test_what_runs_on_says_whether_it_is_well_and_keeps_its_data() -> None:
    for name in COMPOSE["services"].keys() - {"topics"}:
        service = COMPOSE["services"][name]
        assert service["healthcheck"]["test"][0] == "CMD", name
        assert {volume.partition(":")[0] for volume in service["volumes"]} & COMPOSE["volumes"].keys(), name


def test_prometheus_reads_the_worker_as_the_application_that_it_is() -> None:
    """At the port that it listens on; the alerts name the application as its topics do."""
    assert targets() == {
        "job": "funnelstream-worker",
        "instance": f"worker:{APPLICATION.http.listen.rpartition(':')[2]}",
        "application": APPLICATION.application,
    }
    assert "--config.file=/etc/prometheus/prometheus.yml" in COMPOSE["services"]["prometheus"]["command"]


def test_the_processor_dashboard_is_the_first_page_and_asks_for_no_login() -> None:
    grafana = COMPOSE["services"]["grafana"]
    told, mounted = grafana["environment"], dict(volume.split(":")[1::-1] for volume in grafana["volumes"])
    folder, _, file = told["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].rpartition("/")
    assert (ROOT / mounted[folder] / file).exists()
    assert told["GF_AUTH_ANONYMOUS_ENABLED"] == "true"
    assert told["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"


def test_every_definition_that_ships_can_be_used_with_it() -> None:
    """The folder of all of them is mounted: each field that one reads is given by a source."""
    found, problems = load_definitions([ROOT / "funnels"], APPLICATION)
    assert problems == []
    assert found.funnels
