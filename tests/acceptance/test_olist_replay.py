"""The Olist data set through `funnelstream replay`: the known totals, and what `fold` says of every lead."""

import json
from pathlib import Path
from typing import Any

import pytest

from processors.cli.loading import load
from tests.acceptance import olist
from tests.command import funnelstream
from tests.oracle import expected, facts_of, net
from tests.shared_material import ROOT


@pytest.mark.parametrize("arrival", ["ordered", "disordered"])
def test_olist_replayed(shared: Path, tmp_path: Path, arrival: str) -> None:
    """8,000 leads reached MQL and 842 were won, by origin, whatever the order and the duplicates."""
    ordered = olist.records(shared / "datasets" / "olist")
    arriving = olist.disordered(ordered) if arrival == "disordered" else ordered
    config = tmp_path / "olist.yml"
    definitions = ROOT / "funnels" / "dreamdata-lead.yml"
    config.write_text(
        olist.CONFIGURATION.format(application="olist", definitions=definitions, bootstrap="unused", folder=tmp_path)
    )
    inputs = []
    for source in ("web", "crm"):
        lines = b"\n".join(record.value for record in arriving if record.source == source)
        (tmp_path / f"{source}.ndjson").write_bytes(lines + b"\n")
        inputs += ["--input", f"{source}={tmp_path / source}.ndjson"]

    funnelstream("replay", "--config", config, *inputs, "--out", tmp_path / "out")

    published = {topic: _bodies(tmp_path / "out" / f"{topic}.ndjson") for topic in ("transitions", "conversions")}
    standing = {topic: list(net(bodies).values()) for topic, bodies in published.items()}
    olist.check(standing["transitions"], standing["conversions"], olist.origins(shared / "datasets" / "olist"))
    program = load(config).program
    facts = facts_of(program, ((record.source, record.value, record.at) for record in ordered))
    assert net([*published["transitions"], *published["conversions"]]) == expected(program, facts)
    if arrival == "ordered":
        assert {body["op"] for body in published["transitions"]} == {"announce"}
    olist.check_report(funnelstream("report", tmp_path / "out", "--format", "json"))
    assert ": all equal." in funnelstream("report", tmp_path / "out", "--reconcile")


def _bodies(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line)["value"] for line in path.read_text().splitlines()]
