"""A shared library from its file to what is published: its conversions count in each funnel that uses them, and in no other."""

from pathlib import Path

from processors.configuration.definitions import load_definitions
from processors.configuration.problems import errors
from processors.topology.program import Program
from tests.unit.configuration.marked import HEADER
from tests.worlds import History, application, fact

LIBRARY = """\
owner: marketing
version: 1
conversions:
  - {name: signed_up, description: d, when: {event: Signed Up, event.properties.plan: free}, exclusive: sign_up}
  - {name: trial, description: d, when: {event: Signed Up}, exclusive: sign_up}
  - {name: call, description: d, when: {event: Call, if: {lead.plan: pro, happened: trial}}}
  - {name: unused, description: d, when: {event: Demo}}
"""
DEMO = "conversions: [{name: demo, description: d, when: {event: Demo}}]\n"
FUNNELS = {
    "calls": "stages: [{name: called, while: {happened: call}}]\n",
    "trials": DEMO + "stages: [{name: tried, when: {conversion: trial}}]\n",
}


def published(folder: Path) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
    """Conversions and stages, each with its funnel, of a lead that signed up, became pro, called and saw a demo."""
    (folder / "shared.yml").write_text(LIBRARY)
    for name, body in FUNNELS.items():
        (folder / f"{name}.yml").write_text(HEADER.replace("funnel: web", f"funnel: {name}") + body)
    found, problems = load_definitions([folder])
    assert errors(problems) == []
    took = History(Program(found.funnels, application()))
    took.take([fact(1, "Signed Up", plan="pro"), fact(2, plan="pro"), fact(3, "Call"), fact(4, "Demo")])
    conversions = {(body["funnel"], body["name"]) for body in took.bodies("conversions")}
    return conversions, {(body["funnel"], body["to"]["stage"]) for body in took.bodies("transitions")}


def test_conversions_of_a_library_are_published_by_the_funnels_that_use_them(tmp_path: Path) -> None:
    conversions, stages = published(tmp_path)
    assert conversions == {("calls", "trial"), ("calls", "call"), ("trials", "trial"), ("trials", "demo")}
    assert stages == {("calls", "called"), ("trials", "tried")}
