"""deploy/grafana: panels that show what the programs export, in terms a stranger understands, and files that Grafana finds."""

import json
import re
from itertools import combinations
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.promql import series
from tests.scraped import of_insights
from tests.shared_material import ROOT

GRAFANA = ROOT / "deploy/grafana"
DASHBOARDS = sorted(GRAFANA.glob("dashboards/*.json"))
PANELS = [
    pytest.param(panel, id=f"{file.stem}: {panel['title']}")
    for file in DASHBOARDS
    for panel in json.loads(file.read_text())["panels"]
    if panel["type"] != "row"
]
DATASOURCE = {"type": "prometheus", "uid": "${datasource}"}

each_dashboard = pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)


def provisioned(path: str) -> dict:
    """A file of the provisioning."""
    return YAML(typ="safe").load((GRAFANA / "provisioning" / path).read_text())


def written_out(expression: str) -> str:
    """An expression as Grafana sends it, with every value of each variable."""
    return re.sub(r"\$(\w+)", lambda name: "1m" if name[1] in {"__rate_interval", "__range"} else ".*", expression)


@pytest.mark.parametrize("panel", PANELS)
def test_every_panel_shows_what_there_is(panel: dict) -> None:
    """And its legend names only labels that are there."""
    assert panel["targets"]
    for target in panel["targets"]:
        labels = series().labels(written_out(target["expr"]))
        assert labels is not None
        assert {*re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])} <= labels


@pytest.mark.parametrize("panel", PANELS)
def test_every_panel_says_what_it_shows(panel: dict) -> None:
    """In one sentence, in a unit, from the chosen Prometheus, and no rate over a window that the sentence does not name."""
    assert re.fullmatch(r"[A-Z`].*[^.]\.", panel["description"])
    assert ". " not in panel["description"]
    assert panel["type"] == "table" or panel["fieldConfig"]["defaults"]["unit"]
    assert [panel["datasource"], *(target["datasource"] for target in panel["targets"])] == [DATASOURCE] * (
        1 + len(panel["targets"])
    )
    named = {"1d"} if "24 hours" in panel["description"] else set()
    assert {*re.findall(r"\[(.+?)\]", " ".join(t["expr"] for t in panel["targets"]))} <= {"$__rate_interval", "$__range"} | named


@each_dashboard
def test_every_variable_offers_what_there_is(file: Path) -> None:
    variables = json.loads(file.read_text())["templating"]["list"]
    assert variables[0]["name"] == "datasource"
    for variable in variables[1:]:
        (asked,) = re.findall(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
        assert asked[1] in (series().labels(written_out(asked[0])) or ())
    used = {*re.findall(r"\$(?!__)\{?(\w+)", file.read_text())}
    assert used == {variable["name"] for variable in variables}


@each_dashboard
def test_panels_lie_side_by_side(file: Path) -> None:
    """Within the 24 columns, none over another, each with an id of its own."""
    panels = json.loads(file.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [tuple(panel["gridPos"][side] for side in "xywh") for panel in panels]
    assert all(x + w <= 24 for x, _, w, _ in places)
    overlapping = [
        (one, other)
        for one, other in combinations(places, 2)
        if one[0] < other[0] + other[2]
        and other[0] < one[0] + one[2]
        and one[1] < other[1] + other[3]
        and other[1] < one[1] + one[3]
    ]
    assert overlapping == []


def test_every_metric_of_a_worker_is_on_the_processor_dashboard() -> None:
    """Somebody who adds a metric says there what it is for."""
    shown = (GRAFANA / "dashboards/processor.json").read_text()
    documented = re.findall(r"^\| `(funnelstream_worker_\w+)` \|", (ROOT / "docs/operations.md").read_text(), re.MULTILINE)
    assert [name for name in documented if name not in shown] == []


def test_every_metric_of_insights_is_on_the_funnel_dashboard() -> None:
    """What was taken back is shown as its difference or beside it."""
    shown = (GRAFANA / "dashboards/funnel.json").read_text()
    assert [name for name, _ in of_insights() if name.replace("_retracted_total", "") not in shown] == []


@each_dashboard
def test_a_dashboard_has_an_address_that_lasts(file: Path) -> None:
    """Its uid follows from its name, and nothing in it comes from the Grafana it was made with."""
    dashboard = json.loads(file.read_text())
    assert dashboard["uid"] == f"funnelstream-{file.stem}"
    assert "id" not in dashboard
    assert dashboard["description"]


def test_grafana_finds_its_source_and_its_dashboards() -> None:
    """Where docker-compose.yml mounts the folders, and under the uid that dashboards begin with."""
    (source,) = provisioned("datasources/prometheus.yml")["datasources"]
    (provider,) = provisioned("dashboards/funnelstream.yml")["providers"]
    compose = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text())["services"]
    volumes = compose["grafana"]["volumes"]
    assert f"./deploy/grafana/dashboards:{provider['options']['path']}:ro" in volumes
    assert "./deploy/grafana/provisioning:/etc/grafana/provisioning:ro" in volumes
    assert source["url"] == "http://prometheus:9090"
    assert "prometheus" in compose
    for file in DASHBOARDS:
        assert json.loads(file.read_text())["templating"]["list"][0]["current"]["value"] == source["uid"]
