"""Who may look: the token in each way it can be shown, and nobody from outside without one."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from processors.engine.stop import INPUT, Stop
from processors.insights import access
from processors.insights.settings import check_address
from tests.insights_site import Site
from tests.unit.insights.conftest import World

TOKEN = "a token, with spaces & = signs"
FORM = "token=a+token%2C+with+spaces+%26+%3D+signs"


@pytest.fixture(scope="module")
def guarded(world: World) -> Iterator[Site]:
    with (
        pytest.MonkeyPatch.context() as patch,
        Site(replace(world.settings, token=TOKEN), world.model, world.progress) as running,
    ):
        patch.setattr(access, "_HESITATION", 0)
        yield running


def test_nothing_is_shown_without_the_token(guarded: Site) -> None:
    """Every page, every route of the API and the metrics; all that is served but probes, the form and its style."""
    routes = {resource.canonical for resource in guarded.server.app.router.resources()}
    closed = {route for route in routes if not route.startswith(("/static/", "/livez", "/readyz", "/login"))}
    assert {"/", "/metrics", "/api/openapi.json", "/api/v1/status", "/leads/{handle}"} <= closed
    for route in closed:
        answer = guarded.get(route.replace("{", "").replace("}", ""))
        if route.startswith("/api/") or route == "/metrics":
            assert (answer.status, answer.headers["www-authenticate"][:6]) == (401, "Bearer"), route
        else:
            assert (answer.status, answer.headers["location"][:12]) == (303, "/login?next="), route
        assert "revenue" not in answer.body
    assert guarded.get("/nowhere").status == 303, "nor is it said what is there"
    assert [guarded.get(path).status for path in ("/livez", "/readyz", "/login", "/static/insights.css")] == [200] * 4


def test_a_program_shows_the_token(guarded: Site) -> None:
    for path in ("/metrics", "/api/v1/status", "/"):
        assert guarded.get(path, Authorization=f"Bearer {TOKEN}").status == 200
        assert guarded.get(path, Authorization=f"bearer  {TOKEN}").status == 200
        assert guarded.get(path, Authorization="Bearer wrong").status in (401, 303)
    for wrong in ("Bearer", "Bearer ", f"Basic {TOKEN}", f"Bearer {TOKEN}x", TOKEN, "Bearer \xe9\xff"):
        assert guarded.get("/metrics", Authorization=wrong).status == 401


def test_a_person_logs_in_once(guarded: Site) -> None:
    answer = guarded.post("/login", f"{FORM}&next=%2Ffunnels%2Frevenue%3Fdays%3D30d")
    assert (answer.status, answer.headers["location"]) == (303, "/funnels/revenue?days=30d")
    cookie, *flags = answer.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= {*flags}
    assert TOKEN not in cookie
    assert guarded.get("/funnels/revenue", Cookie=cookie).status == 200
    assert guarded.get("/metrics", Cookie=cookie).status == 200
    assert guarded.get("/metrics", Cookie=cookie[:-1] + "x").status == 401
    wrong = guarded.post("/login", "token=wrong")
    assert (wrong.status, wrong.headers.get("set-cookie")) == (401, None)
    assert "That is not the token" in wrong.body


def test_a_cookie_is_worth_nothing_to_another_process(guarded: Site, world: World) -> None:
    cookie = guarded.post("/login", FORM).headers["set-cookie"].split(";")[0]
    with Site(replace(world.settings, token=TOKEN), world.model, world.progress) as restarted:
        assert restarted.get("/metrics", Cookie=cookie).status == 401


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "/%0d%0aX:y", "javascript:1"]
)
def test_a_login_leads_nowhere_else(guarded: Site, elsewhere: str) -> None:
    answer = guarded.post("/login", f"{FORM}&next={elsewhere}")
    assert answer.headers["location"] == "/"
    assert "evil" not in guarded.get(f"/login?next={elsewhere}").body


def test_without_a_token_only_this_machine_is_answered_and_under_its_own_names(site: Site) -> None:
    """A page of somebody else may have its name lead here; the browser then tells that name."""
    for host in ("localhost", "localhost:8081", "127.0.0.1:1", "[::1]:8081", "127.0.0.2"):
        assert site.get("/api/v1/status", Host=host).status == 200, host
    for host in ("evil.example", "evil.example:8081", "127.0.0.1.evil.example", "10.0.0.1", "", "localhost.evil.example:80"):
        assert site.get("/api/v1/status", Host=host).status == 421, host


@pytest.mark.parametrize("listen", ["0.0.0.0:8081", "[::]:8081", "10.1.2.3:80", "insights.example:8081"])
def test_it_does_not_listen_to_others_without_a_token(world: World, listen: str) -> None:
    with pytest.raises(Stop) as refused:
        check_address(replace(world.settings, listen=listen))
    assert refused.value.code == INPUT
    assert "insights.token is not set" in refused.value.sentence
    check_address(replace(world.settings, listen=listen, token=TOKEN))


@pytest.mark.parametrize("listen", ["127.0.0.1:8081", "localhost:8081", "[::1]:8081"])
def test_it_listens_to_this_machine(world: World, listen: str) -> None:
    check_address(replace(world.settings, listen=listen))


@pytest.mark.parametrize("token", ["", "   ", "short"])
def test_a_token_that_could_be_guessed_is_none(world: World, token: str) -> None:
    with pytest.raises(Stop, match="at least 16 characters"):
        check_address(replace(world.settings, token=token))


@pytest.mark.parametrize("kind", ["multipart/form-data; boundary=x", "application/x-www-form-urlencoded; charset=no-such"])
def test_a_form_that_cannot_be_read_is_refused_and_no_bug(guarded: Site, kind: str) -> None:
    assert guarded.send("POST", "/login", "\xff not a form", {"Content-Type": kind}).status in (400, 401)
