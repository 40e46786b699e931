"""The project's own files against each other: pins, version, make targets, and what an installation ships."""

import re
import subprocess
import tomllib
from importlib import metadata, resources

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.shared_material import ROOT

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
PINS = {
    canonicalize_name(pin.name): pin
    for line in (ROOT / "constraints.txt").read_text().splitlines()
    if not line.startswith("#")
    for pin in [Requirement(line)]
}


def test_constraints_pin_exactly_and_name_no_place_to_fetch_from() -> None:
    assert all(pin.url is None for pin in PINS.values())
    assert [name for name, pin in PINS.items() if not re.fullmatch(r"==[^*,]+", str(pin.specifier))] == []


def test_every_dependency_is_pinned_to_a_version_it_allows() -> None:
    project = PYPROJECT["project"]
    wanted = [
        Requirement(text) for group in [project["dependencies"], *project["optional-dependencies"].values()] for text in group
    ]
    pinned = {need.name: next(iter(PINS[canonicalize_name(need.name)].specifier)).version for need in wanted}
    assert [need.name for need in wanted if pinned[need.name] not in need.specifier] == [], "run `make constraints`"


def test_the_version_stands_in_one_place() -> None:
    assert metadata.version("funnelstream") == PYPROJECT["project"]["version"], "pyproject.toml changed: install again"


def test_every_make_target_is_in_the_help() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  make (\S+) +\S", shown, re.MULTILINE) == phony[1].split()


def test_shipped_definitions_are_found_as_an_installation_finds_them() -> None:
    shipped = {file.name for file in resources.files("funnels").iterdir()}
    names = {name.removesuffix(".test.yml") for name in shipped if name.endswith(".test.yml")}
    assert {"dreamdata-lead", "hubspot-lifecycle", "leadsquared", "prospecting", "revops", "shop"} <= names
    assert {f"{name}.yml" for name in names} <= shipped


def test_the_contract_for_the_pure_core_covers_every_package_of_it() -> None:
    """import-linter knows which packages lie at or below the topology; a new leaf must be held to the same contract."""
    contracts = {contract["id"]: contract for contract in PYPROJECT["tool"]["importlinter"]["contracts"]}
    topology, leaves = contracts["arrows"]["layers"][-2:]
    packages = {
        f"processors.{name}" for name in re.findall(r"\w+", f"{topology} {leaves}") if (ROOT / "processors" / name).is_dir()
    }
    assert {*contracts["pure-core"]["source_modules"]} == packages | {"schemas"}
