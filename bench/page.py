"""Where figures go: a file of their own in bench/work, standard output, and on request their place in docs/benchmarks.md."""

import os
import platform
import re
from pathlib import Path

from bench.job import WORK
from tests.shared_material import ROOT

PAGE = ROOT / "docs" / "benchmarks.md"


def report(name: str, figures: str, *, write: bool) -> None:
    """Keep and print figures.

    Args:
        name: Of their place: what stands between `<!-- NAME -->` and `<!-- /NAME -->` on the page.
        figures: Markdown.
        write: Whether they replace what stands on the page.
    """
    text = f"{figures}\n\n{_machine()}"
    (WORK / f"{name}.md").write_text(text + "\n")
    print(f"\n{text}", flush=True)
    if write:
        PAGE.write_text(placed(PAGE.read_text(), name, text))


def placed(page: str, name: str, text: str) -> str:
    """The page with this text in the place of this name.

    Raises:
        ValueError: The page has no such place, or two.
    """
    page, places = re.subn(
        rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", lambda found: f"{found[1]}\n{text}\n\n{found[2]}", page, flags=re.DOTALL
    )
    if places != 1:
        raise ValueError(f"docs/benchmarks.md has {places} places named {name}, not one")
    return page


def _machine() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    model = re.search(r"model name\s*: (.+)", cpuinfo.read_text()) if cpuinfo.exists() else None
    processor = model[1].strip() if model else platform.machine()
    return f"*{os.cpu_count()} cores ({processor}), Python {platform.python_version()}.*"
