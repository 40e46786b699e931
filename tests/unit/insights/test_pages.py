"""Pages: what they show, that nothing in them is taken for anything but text, and that they need nothing from elsewhere."""

import html
import re
from dataclasses import replace
from html.parser import HTMLParser

import msgspec
import pytest
from faust.types import TP

from processors.insights.committed import Batch
from processors.insights.progress import Progress
from processors.insights.read_model import ReadModel
from schemas.instants import parse_instant
from tests.insights_site import Site
from tests.insights_world import AS_OF, HOSTILE
from tests.unit.insights.conftest import World

FUNNEL = "/funnels/revenue"
PAGES = (
    "/",
    FUNNEL,
    f"{FUNNEL}?segment=source",
    f"{FUNNEL}?days=90d&grain=lead",
    f"{FUNNEL}/cohorts",
    f"{FUNNEL}/time?from=2026-02-01&to=2026-03-31",
    f"{FUNNEL}/corrections?days=all",
    "/leads",
    "/leads?id=contact:nobody",
    "/transitions",
    "/transitions?funnel=revenue",
    "/definitions",
    "/definitions/revenue",
    "/login",
)
_VOID = {"meta", "link", "input", "br", "rect", "path"}


class Page(HTMLParser):
    """A page taken apart; what is open at its end, what it asks for, and controls without a label."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.scripts: list[str] = []
        self.unlabelled: list[str] = []
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        self.attributes |= given.keys()
        self.addresses += [value or "" for name, value in attributes if name in ("href", "src", "action")]
        if tag == "script":
            self.scripts.append(given.get("src") or "")
        if tag in ("input", "select") and given.get("type") != "hidden" and "label" not in self.open:
            self.unlabelled.append(tag)
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)
        if tag not in _VOID:
            self.open.pop()


def lead_page(site: Site) -> str:
    return site.get("/leads?id=contact:c0003").headers["location"]


def test_every_page_is_whole_and_needs_nothing_from_elsewhere(site: Site) -> None:
    """No resource of another server, no style or script within the page, a label for every control."""
    for path in (*PAGES, lead_page(site)):
        answer = site.get(path)
        assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8"), path
        page = Page(answer.body)
        assert (page.open, page.unlabelled) == ([], []), path
        assert {address[:1] for address in page.addresses} <= {"/", "#"}, path
        assert {*page.scripts} <= {"/static/insights.js"}, path
        assert not {name for name in page.attributes if name == "style" or name.startswith("on")}, path
        for asset in {address for address in page.addresses if address.startswith("/static/")}:
            assert site.get(asset).status == 200


def test_every_answer_is_held_to_this_server(site: Site) -> None:
    for path in ("/", "/nowhere", "/api/v1/status", "/metrics", "/static/insights.css"):
        headers = site.get(path).headers
        policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == policy["form-action"] == "'self'"
        assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "no-referrer")
        assert "python" not in headers["server"].lower()


@pytest.mark.parametrize("path", [f"{FUNNEL}?segment=source", "/leads?id=contact:{}", "/leads?id={}", "/nowhere/{}", "/{}"])
def test_hostile_text_stays_text(site: Site, path: str) -> None:
    answer = site.get(path.replace("{}", "".join(f"%{byte:02x}" for byte in HOSTILE.encode())))
    body = answer.body if answer.status != 303 else site.get(answer.headers["location"]).body
    assert HOSTILE not in body
    assert "<script>alert" not in body
    assert "49" not in re.findall(r"alert.{0,60}", body)
    if "segment=source" in path or path == "/leads?id={}":
        assert HOSTILE in html.unescape(body)


def test_the_funnel_shows_the_numbers_with_their_drop_off(site: Site, world: World) -> None:
    [outline] = world.settings.outlines.funnels
    answer = world.model.projection.funnel(outline, world.model.projection.all(outline), AS_OF)
    reached = [place.restated.reached_first for place in answer.places if place.kind == "stage"]
    body = site.get(FUNNEL).body
    assert re.findall(r'class="count">(\d+)<', body) == [str(number) for number in reached]
    shares = [f"{number / reached[0]:.1%}".replace("%", "\N{NARROW NO-BREAK SPACE}%") for number in reached]
    assert re.findall(r'class="share">([^<]+)<', body) == shares
    assert f"{reached[0] - reached[1]} did not" in body


def test_the_evidence_of_a_lead_is_masked_unless_it_is_to_be_shown(site: Site, world: World) -> None:
    body = site.get(lead_page(site)).body
    assert "c0003" not in body
    assert "stages.signed_up" in body
    assert re.search(r"web\[0\] at offset \d+", body)
    open_settings = world.settings.__class__(**{**vars(world.settings), "mask": world.settings.mask.__class__(b"k", show=True)})
    with Site(open_settings, world.model, world.progress) as shown:
        assert "contact:c0003" in shown.get(lead_page(site)).body


def test_nothing_is_said_to_be_nothing(empty: Site) -> None:
    for path in PAGES:
        body = empty.get(path).body
        assert "Nothing is read yet" in body or path == "/login", path
    assert "No data" in empty.get(FUNNEL).body
    assert "No data" in empty.get("/").body
    assert "No data" in empty.get("/transitions").body
    assert "nobody has begun" in empty.get(f"{FUNNEL}/cohorts").body
    assert "0.0" not in re.sub(r"<[^>]*>", "", empty.get(FUNNEL).body), "an empty whole has no share"


def test_pages_say_how_far_they_are(world: World) -> None:
    progress, place = Progress(), TP("t", 0)
    with Site(world.settings, ReadModel(world.settings), progress) as site:
        progress.answered({place: 2_000}, progress.taken, AS_OF)
        progress.take(Batch(place, 0, (), 500))
        assert "Still reading: 500 of 2\N{NARROW NO-BREAK SPACE}000" in site.get("/").body
        assert site.get("/readyz").status == 503
        progress.take(Batch(place, 500, (), 2_000))
        assert "As of 2026-06-30 12:00 UTC: everything that is published" in re.sub("<[^>]*>", "", site.get("/").body)
        assert site.get("/readyz")[::2] == (200, "ok: behind by 0 records\n")
        progress.answered({place: 2_007}, progress.taken, AS_OF)
        progress.silent(AS_OF)
        assert "Kafka has not answered since" in site.get("/").body
        assert site.get("/readyz").body == "ok: behind by 7 records; Kafka has not answered since 2026-06-30T12:00:00Z\n"
        assert site.get("/readyz").status == site.get("/livez").status == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/funnels/nowhere", 404),
        (f"{FUNNEL}?grain=deal", 404),
        (f"{FUNNEL}?segment=nothing", 404),
        (f"{FUNNEL}?segment=source&value=nobody", 404),
        (f"{FUNNEL}?days=1000000d", 400),
        (f"{FUNNEL}?from=yesterday", 400),
        (f"{FUNNEL}?from=0001-01-01", 400),
        (f"{FUNNEL}?from=2026-03-02&to=2026-03-01", 400),
        ("/leads/1", 404),
        ("/leads/" + "0" * 32, 404),
        ("/leads/" + "\u0661".encode().hex() * 8, 404),
        ("/leads/..%2f..%2fetc%2fpasswd", 404),
        ("/static/..%2fserver.py", 404),
        ("/static/../server.py", 404),
        ("/leads?id=" + "x" * 600, 200),
        ("/leads?id=%00", 200),
        ("/leads?id=%ff%fe", 200),
        ("/" + "x" * 3_000, 414),
        ("/leads?id=" + "x" * 3_000, 414),
        ("/" + "x" * 20_000, 400),
        ("/definitions/nowhere", 404),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_question_that_has_no_answer(site: Site, path: str, status: int) -> None:
    answer = site.get(path)
    assert answer.status == status
    assert "Traceback" not in answer.body


def test_only_questions_are_answered(site: Site) -> None:
    assert site.send("DELETE", FUNNEL, None, {}).status == 405
    assert site.post("/login", "token=" + "x" * 10_000).status == 413


def test_a_definition_that_changed_within_the_days_is_annotated(world: World) -> None:
    """Hostile words of a reason are text, too."""
    [outline] = world.settings.outlines.funnels
    began = parse_instant("2026-03-15")
    second = msgspec.structs.replace(outline.versions[-1], number=2, effective_from=began, reason=HOSTILE)
    changed = msgspec.structs.replace(outline, versions=[*outline.versions, second])
    outlines = msgspec.structs.replace(world.settings.outlines, funnels=[changed])
    with Site(replace(world.settings, outlines=outlines), world.model, world.progress) as site:
        for view in ("", "/cohorts"):
            body = site.get(f"{FUNNEL}{view}?from=2026-03-01&to=2026-03-31").body
            assert "Version 2 of the definition began on 2026-03-15" in body
            assert HOSTILE in html.unescape(body)
            assert HOSTILE not in body
        assert "Version 2" not in site.get(f"{FUNNEL}?from=2026-04-01").body
        assert site.get("/api/v1/funnels/revenue").json["versions"] == [{"number": 2, "began": "2026-03-15", "reason": HOSTILE}]
