"""The page docs/explaining.md: what `explain --lead` says of five leads of the Olist data set, written from its real output.

`python -m tests.acceptance.explained` writes the page anew after the wording, a shipped funnel or the replay has changed.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from tests.acceptance import olist
from tests.command import funnelstream
from tests.shared_material import ROOT, SHARED

PAGE = ROOT / "docs" / "explaining.md"
LEADS = {
    "0b99dab71519032b917dc641cdd7ac5b": "Went no further than its interest: what is missing is told with present values.",
    "33ce1e734d9d50629fa2c36769285d53": "A customer whose records arrived in order.",
    "ff89e8ee1db049c810a2da86c84c6bd5": "A customer whose first contact arrived after the purchase: a correction.",
    "b91cf8812365f50ff4bda4bcd6206b05": "A customer whose first contact is dated after the purchase: it moved nobody.",
    "4fdeceef54c4e757fdbf8ea9132b22c9": "Another late first contact.",
}
HEAD = """\
# Why leads stand where they stand

Five leads of the Olist data set (a marketplace, 2017 and 2018), as `funnelstream explain --lead ID --dir DIR` explains them
after a [replay](replaying.md) in which records arrive up to five days out of order, and some of them twice. How the
command works is told in [operations.md](operations.md#why-a-lead-stands-where-it-stands). A test holds this page against its
output.
"""


def page(folder: Path) -> str:
    """The page, from a replay into a folder."""
    config = folder / "olist.yml"
    definitions = ROOT / "funnels" / "dreamdata-lead.yml"
    written = olist.CONFIGURATION.format(application="olist", definitions=definitions, bootstrap="unused", folder=folder)
    config.write_text(written)
    inputs = []
    arriving = olist.disordered(olist.records(SHARED / "datasets" / "olist"))
    for source in ("web", "crm"):
        lines = [record.value for record in arriving if record.source == source]
        (folder / f"{source}.ndjson").write_bytes(b"".join(line + b"\n" for line in lines))
        inputs += ["--input", f"{source}={folder / source}.ndjson"]
    funnelstream("replay", "--config", config, *inputs, "--out", folder / "out")
    parts = [HEAD]
    for lead, said in LEADS.items():
        told = funnelstream("explain", "--lead", f"mql:{lead}", "--dir", folder / "out")
        parts.append(f"{said}\n\n```text\n{told}```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    with TemporaryDirectory() as temporary:
        PAGE.write_text(page(Path(temporary)))
