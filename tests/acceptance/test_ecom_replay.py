"""The visitors of a shop through `funnelstream replay`: the known totals, and by device and by sex."""

from pathlib import Path

from tests.acceptance import ecom
from tests.command import funnelstream


def test_a_shop_replayed(shared: Path, tmp_path: Path) -> None:
    """90,400 saw the home page, 45,200 searched, 6,030 came to the payment and 452 paid."""
    found = ecom.visitors(shared / "datasets" / "ecom_funnel")
    ecom.check_files(found)
    config = ecom.configure(tmp_path, "ecom", "unused")
    calls = sorted((call for visitor in found for call in ecom.calls(visitor)), key=lambda call: call[1])
    (tmp_path / "web.ndjson").write_bytes(b"".join(value + b"\n" for value, _ in calls))

    given = f"web={tmp_path / 'web.ndjson'}"
    funnelstream("replay", "--config", config, "--input", given, "--out", tmp_path / "out", patience=1800)

    ecom.check_report(funnelstream("report", tmp_path / "out", "--format", "json"))
    for segment in ("device", "sex"):
        ecom.check_report(funnelstream("report", tmp_path / "out", "--format", "json", "--by", segment), segment)
