"""`explain --lead` on a real broker: what the changelog and the transitions of a running application say of one lead."""

import json
from pathlib import Path

import pytest

from tests.broker.discovery import Broker
from tests.command import funnelstream
from tests.kafka.desk import MENDED, Desk, demo, status


@pytest.fixture
def desk(broker: Broker, tmp_path: Path) -> Desk:
    return Desk(broker, tmp_path)


def test_a_lead_of_a_running_application(desk: Desk) -> None:
    """Its path, a correction of what came late, what is missing; masked unless it is asked for, and nobody else's."""
    desk.configure(MENDED)
    desk.send(desk.crm, status(7, "2"))
    desk.work()
    desk.send(desk.web, demo(7), demo(8))
    desk.work()
    explain = ("explain", "--config", desk.config, "--lead")
    told = funnelstream(*explain, "contact:7", "--show-personal").splitlines()
    assert told[0] == "contact:7 stands in open since 1 January 2026, 20:40 (small, version 1; times in UTC)."
    assert "  1 January 2026, 00:00: it entered asked." in told
    assert f"It came with record m7 of web ({desk.web}[" in "\n".join(told)
    assert any(line.strip().startswith("Corrected on ") and "it entered open, passing over asked" in line for line in told)

    other = json.loads(funnelstream(*explain, "contact:8", "--format", "json"))
    (on,) = other["funnels"]
    assert (on["place"], on["unpublished"], [missing["place"] for missing in on["missing"]]) == ("asked", 0, ["open"])
    assert on["missing"][0]["ways"] == [{"deal": "", "needs": ["lead.status is open (it is missing)"]}]
    assert ("contact:8" in json.dumps(other), "m8" in json.dumps(other), other["lead"].startswith("contact:~")) == (
        False,
        False,
        True,
    )

    nobody = funnelstream(*explain, "contact:9", "--show-personal")
    assert nobody == "Nothing is kept of contact:9: no record of it has arrived that any funnel reads.\n"
