"""What a person sees and does: pages without a fault, on a phone, with a keyboard, in the dark; hostile text stays text."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from faust.types import TP
from playwright.sync_api import Browser, Page, expect

from processors.insights.committed import Batch, Record
from tests.browser.chromium import chromium
from tests.insights_site import Site
from tests.insights_world import HOSTILE, fill, settings_of, write_world

pytestmark = pytest.mark.slow

FUNNEL = "/funnels/revenue"
_VIEWS = ("?segment=source", "/cohorts", "/time", "/corrections?days=all")
PAGES = ["/", "/transitions", "/leads", "/definitions", "/definitions/revenue", *(f"{FUNNEL}{view}" for view in _VIEWS)]
TOKEN = "a token of sixteen or more"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as running:
        yield running


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("browser")
    settings = settings_of(write_world(folder, people=60))
    with Site(settings, *fill(settings, folder / "out")) as running:
        yield running


@contextmanager
def visit(browser: Browser, site: Site, width: int = 1100, **options: str) -> Iterator[Page]:
    """A page in a window of its own; at the end nothing was refused, failed, or asked of another server."""
    context = browser.new_context(viewport={"width": width, "height": 800}, base_url=f"http://127.0.0.1:{site.port}", **options)  # type: ignore[arg-type]
    page = context.new_page()
    faults: list[str] = []
    page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("dialog", lambda dialog: faults.append(f"a dialog: {dialog.message}"))
    page.on("request", lambda asked: faults.append(asked.url) if f"127.0.0.1:{site.port}/" not in asked.url else None)
    yield page
    context.close()
    assert faults == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100])
def test_every_page_fits_its_window_and_is_without_a_fault(browser: Browser, site: Site, width: int, scheme: str) -> None:
    """A phone scrolls tables, never the page; text differs enough from what is behind it."""
    with visit(browser, site, width, color_scheme=scheme) as page:
        for path in PAGES:
            page.goto(path)
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            assert page.evaluate(CONTRAST) == [], path


CONTRAST = (Path(__file__).parent / "contrast.js").read_text()
"""Says which texts are too faint."""


def test_the_funnel_is_read_and_narrowed_down(browser: Browser, site: Site) -> None:
    with visit(browser, site) as page:
        page.goto("/")
        page.get_by_role("link", name="revenue").click()
        expect(page.locator(".steps li")).to_have_count(4)
        whole = page.locator(".count").first.inner_text()
        page.get_by_label("By").select_option("source")
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_role("heading", name="By source")).to_be_visible()
        page.get_by_label("Only").select_option("google")
        page.get_by_role("button", name="Show").click()
        assert int(page.locator(".count").first.inner_text()) < int(whole)
        page.get_by_role("link", name="Cohorts").click()
        expect(page.get_by_role("heading", name="Cohorts by month")).to_be_visible()
        assert "source" in page.url, "what was asked for stays"
        page.get_by_role("link", name="Time").click()
        expect(page.get_by_role("heading", name="Time in stage")).to_be_visible()


def test_hostile_text_is_shown_and_does_nothing(browser: Browser, site: Site) -> None:
    with visit(browser, site) as page:
        page.goto(f"{FUNNEL}?segment=source")
        expect(page.get_by_role("rowheader", name=HOSTILE, exact=True)).to_be_visible()
        page.goto("/leads")
        page.get_by_label("Identifier").fill(HOSTILE)
        page.get_by_role("button", name="Find").click()
        expect(page.get_by_text("Nothing was published of this identifier")).to_be_visible()
        expect(page.get_by_label("Identifier")).to_have_value(HOSTILE)


def test_a_lead_is_found_with_its_path_and_the_evidence(browser: Browser, site: Site) -> None:
    with visit(browser, site, 360) as page:
        page.goto("/leads")
        page.get_by_label("Identifier").fill("contact:c0003")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="How it got there")).to_be_visible()
        assert "c0003" not in page.content()
        page.get_by_text("Evidence: stages.signed_up").click()
        expect(page.get_by_text("web[0] at offset").first).to_be_visible()


def test_what_happens_is_shown_as_it_happens(browser: Browser, tmp_path: Path) -> None:
    """Without a reload, and masked; a retraction is told from an announcement."""
    settings = settings_of(write_world(tmp_path, people=20))
    model, progress = fill(settings, tmp_path / "out")
    lines = [json.loads(line)["value"] for line in (tmp_path / "out/transitions.ndjson").read_text().splitlines()]
    shape = next(line for line in lines if line["op"] == "announce")
    with Site(settings, model, progress) as site, visit(browser, site) as page:
        page.goto("/transitions")
        expect(page.locator("#live")).to_have_text("live")
        before = page.locator("#transitions tbody tr").count()
        for number, operation in enumerate(("announce", "retract")):
            new = shape | {"transition_id": "f" * 32, "revision": number + 1, "op": operation}
            new |= {"subject": {"kind": "lead", "id": f"contact:{HOSTILE}"}, "cause": shape["cause"] | {"rule": HOSTILE}}
            model.put(Batch(TP(settings.topics.transitions, 0), 0, (Record(0, b"k", json.dumps(new).encode(), 0),), 1))
        expect(page.locator("#transitions tbody tr")).to_have_count(before + 2, timeout=15_000)
        first = page.locator("#transitions tbody tr").first
        assert first.locator("td").nth(3).inner_text().startswith("retract: ")
        assert first.locator("td").last.inner_text() == HOSTILE
        assert HOSTILE not in first.locator("td").nth(2).inner_text()
        first.get_by_role("link").click()
        expect(page.get_by_role("heading", name="How it got there")).to_be_visible()


def test_a_person_logs_in(browser: Browser, site: Site, tmp_path: Path) -> None:
    folder = tmp_path
    settings = replace(settings_of(write_world(folder, people=5)), token=TOKEN)
    with Site(settings, *fill(settings, folder / "out")) as guarded:
        context = browser.new_context(base_url=f"http://127.0.0.1:{guarded.port}")
        page = context.new_page()
        page.goto(f"{FUNNEL}?days=all")
        page.get_by_label("Token").fill("a wrong token of some length")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_have_text("That is not the token.")
        page.get_by_label("Token").fill(TOKEN)
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("heading", name="revenue")).to_be_visible()
        assert page.url.endswith(f"{FUNNEL}?days=all"), "and is where he wanted to be"
        [cookie] = context.cookies()
        assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")
        context.close()
