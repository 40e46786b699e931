"""docker-compose.yml against the program and the repository: what it calls, mounts and keeps."""

import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from typer.testing import CliRunner

from processors.cli.insights import insights_settings
from processors.cli.loading import load
from processors.cli.main import app
from processors.configuration.definitions import load_definitions
from processors.insights.settings import check_address
from processors.simulation.traffic import SOURCES
from schemas.application import Application, Insights
from tests.promql import INSIGHTS, PROMETHEUS, WORKER, targets
from tests.shared_material import ROOT

COMPOSE: dict[str, Any] = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
PROGRAMS = ["topics", "worker", "insights", "traffic"]
"""The services that run funnelstream."""
KEEP_NOTHING = {"topics", "insights", "traffic"}
CONFIGURATION = ROOT / "deploy/compose/funnelstream.yml"
APPLICATION = Application.model_validate(YAML(typ="safe").load(CONFIGURATION.read_text()))
INSIGHTS_TOLD = APPLICATION.insights or Insights()


@pytest.mark.parametrize("service", PROGRAMS)
def test_a_service_calls_a_command_that_exists_with_options_that_it_has(service: str) -> None:
    asked = CliRunner().invoke(app, [*SERVICES[service]["command"], "--help"])
    assert asked.exit_code == 0, asked.output


@pytest.mark.parametrize("service", PROGRAMS)
def test_a_service_has_what_its_configuration_names(service: str) -> None:
    """The configuration and the definitions it is called with, and the file of each reference in it."""
    mounted = {target: source for source, target, *_ in (volume.split(":") for volume in SERVICES[service]["volumes"])}
    called = SERVICES[service]["command"]
    assert ROOT / mounted[called[called.index("--config") + 1]] == CONFIGURATION
    assert mounted[APPLICATION.definitions] == "./funnels"
    referred = re.findall(r"\$\{file:/run/secrets/([\w-]+)\}", CONFIGURATION.read_text())
    assert referred == SERVICES[service]["secrets"] == [*COMPOSE["secrets"]]


@pytest.mark.parametrize("service", [*PROGRAMS[1:], "prometheus", "grafana"])
def test_a_service_waits_for_what_it_needs(service: str) -> None:
    """For programs that is Kafka and its topics, in a state that they can reach."""
    for needed, how in SERVICES[service].get("depends_on", {}).items():
        assert how["condition"] == ("service_healthy" if "healthcheck" in SERVICES[needed] else "service_completed_successfully")
    if service in PROGRAMS:
        assert SERVICES[service]["depends_on"].keys() == {"kafka", "topics"}


def test_what_is_mounted_is_in_the_repository() -> None:
    mounted = [
        volume.partition(":")[0]
        for service in SERVICES.values()
        for volume in service.get("volumes", [])
        if volume.startswith("./")
    ]
    assert {"./funnels", "./deploy/prometheus", "./deploy/grafana/dashboards"} <= {*mounted}
    assert [path for path in mounted if not (ROOT / path).exists()] == []


def test_the_store_survives_its_container() -> None:
    """A new container then restores the last seconds of the changelog, not all of it."""
    volumes = [volume.split(":") for volume in SERVICES["worker"]["volumes"]]
    kept = [target for source, target, *_ in volumes if source in COMPOSE["volumes"]]
    assert any(APPLICATION.state.path.startswith(f"{target}/") for target in kept)


@pytest.mark.parametrize(("service", "listen"), [("worker", APPLICATION.http.listen), ("insights", INSIGHTS_TOLD.listen)])
def test_the_published_port_is_the_one_that_is_listened_on_and_asked_for_health(service: str, listen: str) -> None:
    port = listen.rpartition(":")[2]
    assert SERVICES[service]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"http://127.0.0.1:{port}/readyz" in SERVICES[service]["healthcheck"]["test"][-1]


def test_insights_is_shown_to_nobody_without_the_token_that_prometheus_has() -> None:
    """It listens on the container's network, so it refuses to start without one; both read the same secret."""
    assert SERVICES["prometheus"]["secrets"] == SERVICES["insights"]["secrets"] == ["insights-token"]
    jobs = {job["job_name"]: job for job in YAML(typ="safe").load(PROMETHEUS.read_text())["scrape_configs"]}
    assert jobs[INSIGHTS]["authorization"] == {"credentials_file": "/run/secrets/insights-token"}


def test_the_programs_take_the_configuration_as_it_is_mounted(tmp_path: Path) -> None:
    """With the secret and the definitions where this machine has them."""
    default = re.fullmatch(r"\$\{\w+:-\./(.+)\}", COMPOSE["secrets"]["insights-token"]["file"])
    assert default is not None
    config = tmp_path / "funnelstream.yml"
    text = CONFIGURATION.read_text().replace("/run/secrets/insights-token", str(ROOT / default[1]))
    config.write_text(text.replace(APPLICATION.definitions, str(ROOT / "funnels")))
    settings = insights_settings(load(config))
    check_address(settings)
    assert settings.token == (ROOT / default[1]).read_text().strip()


def test_ports_are_open_to_this_machine_only_and_images_are_pinned() -> None:
    for name, service in SERVICES.items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        assert "build" in service or re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"]), name


def test_what_runs_on_says_whether_it_is_well_and_keeps_its_data() -> None:
    """But what sends invented people only sends, and insights reads everything anew."""
    for name in SERVICES.keys() - {"topics", "traffic"}:
        assert SERVICES[name]["healthcheck"]["test"][0] == "CMD", name
    for name in SERVICES.keys() - KEEP_NOTHING:
        assert {volume.partition(":")[0] for volume in SERVICES[name]["volumes"]} & COMPOSE["volumes"].keys(), name


def test_prometheus_reads_both_programs_as_the_application_that_they_are() -> None:
    """At the ports that they listen on; the alerts name the application as its topics do."""
    assert targets() == {
        job: {"job": job, "instance": f"{service}:{listen.rpartition(':')[2]}", "application": APPLICATION.application}
        for job, service, listen in (
            (WORKER, "worker", APPLICATION.http.listen),
            (INSIGHTS, "insights", INSIGHTS_TOLD.listen),
        )
    }
    assert "--config.file=/etc/prometheus/prometheus.yml" in SERVICES["prometheus"]["command"]


def test_the_funnel_dashboard_is_the_first_page_and_asks_for_no_login() -> None:
    grafana = SERVICES["grafana"]
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


def test_invented_people_speak_to_sources_of_the_configuration() -> None:
    assert {name: source.format for name, source in APPLICATION.sources.items()} == SOURCES


def test_the_image_has_what_insights_needs() -> None:
    assert re.search(r"pip install .*\.\[insights\]", (ROOT / "deploy/Dockerfile").read_text())
