"""`make screenshots`: a picture of each page for docs/insights.md, of the same people every time."""

import tempfile
from pathlib import Path

from tests.browser.chromium import chromium
from tests.insights_site import Site
from tests.insights_world import fill, settings_of, write_world
from tests.shared_material import ROOT

FOLDER = ROOT / "docs/insights"
PICTURES = {
    "funnel": ("/funnels/revenue?segment=source", 1000, 1000, "light"),
    "cohorts": ("/funnels/revenue/cohorts?days=365d", 1000, 1000, "light"),
    "time": ("/funnels/revenue/time", 1000, 640, "dark"),
    "corrections": ("/funnels/revenue/corrections?days=90d", 1000, 640, "light"),
    "lead": ("/leads?id=contact:c0012", 390, 844, "dark"),
    "live": ("/transitions", 1000, 640, "light"),
    "definition": ("/definitions/revenue", 1000, 800, "light"),
    "overview": ("/", 390, 844, "light"),
}
"""By name: the page, its window, and light or dark."""
LARGEST = 150 << 10
"""Bytes of one picture."""


def main() -> None:
    """Take all of them."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        settings = settings_of(write_world(Path(folder)))
        with Site(settings, *fill(settings, Path(folder, "out"))) as site:
            for name, (path, width, height, scheme) in PICTURES.items():
                window = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
                page = window.new_page()
                page.goto(f"http://127.0.0.1:{site.port}{path}", wait_until="networkidle" if name != "live" else "load")
                size = len(page.screenshot(path=FOLDER / f"{name}.png"))
                window.close()
                print(f"docs/insights/{name}.png {size >> 10} KiB")
                assert size < LARGEST, f"{name}.png is larger than {LARGEST >> 10} KiB"


if __name__ == "__main__":
    main()
