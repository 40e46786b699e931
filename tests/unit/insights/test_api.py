"""The API: described as it is served, the same numbers as the projection, and hostile questions."""

import json
import re
from typing import Any

import jsonschema
import pytest
from faust.types import TP

from processors.insights.committed import Batch
from processors.insights.progress import Progress
from tests.insights_site import Site
from tests.insights_world import AS_OF
from tests.unit.insights.conftest import World

ONE = "/api/v1/funnels/revenue"


def handle(site: Site) -> str:
    found: str = site.get("/api/v1/leads?id=contact:c0003").json["handle"]
    return found


def test_every_route_is_described_and_answers_as_it_says(site: Site) -> None:
    """Both ways: nothing is served that is not described, and each answer has the shape that the description gives."""
    described = site.get("/api/openapi.json").json
    served = {
        resource.canonical
        for resource in site.server.app.router.resources()
        if resource.canonical.startswith("/api/") and resource.canonical != "/api/openapi.json"
    }
    assert served == described["paths"].keys()
    filled = {"{funnel}": "revenue", "{segment}": "source", "{handle}": handle(site)}
    asked = {f"{ONE}/cohorts": "?rate=signed_up-%3Emeeting%20within%2030d", "/api/v1/leads": "?id=contact:c0003"}
    for path, operations in described["paths"].items():
        address = path
        for name, value in filled.items():
            address = address.replace(name, value)
        answer = site.get(address + asked.get(address, ""))
        assert answer.status == 200, f"{address}: {answer.body}"
        check(answer.json, operations["get"]["responses"]["200"], described)
        for parameter in operations["get"]["parameters"]:
            assert parameter["description"]
    refused = site.get(f"{ONE}?days=never")
    assert refused.status == 400
    check(refused.json, described["paths"]["/api/v1/funnels/{funnel}"]["get"]["responses"]["400"], described)


def test_no_number_is_answered_before_everything_is_read(world: World) -> None:
    """A program cannot see on half a number that it is half: it is told to come again, in the form that is described."""
    progress, place = Progress(), TP("t", 0)
    with Site(world.settings, world.model, progress) as site:
        described = site.get("/api/openapi.json").json
        operations = {path: methods["get"]["responses"] for path, methods in described["paths"].items()}
        always = {path for path, responses in operations.items() if "503" not in responses}
        assert always == {"/api/v1/status", "/api/v1/funnels"}
        assert "nothing so far" in site.get(ONE).json["error"]
        progress.answered({place: 2_000}, progress.taken, AS_OF)
        progress.take(Batch(place, 0, (), 500))
        for path, responses in operations.items():
            answer = site.get(re.sub(r"{\w+}", "anything", path))
            if path in always:
                assert (answer.status, answer.json.get("status", answer.json)["ready"]) == (200, False)
                continue
            assert answer.status == 503, path
            assert answer.headers["retry-after"].isdigit()
            assert "500 of 2000 records so far" in answer.json["error"]
            check(answer.json, responses["503"], described)
            assert "Retry-After" in responses["503"]["headers"]
        progress.take(Batch(place, 500, (), 2_000))
        assert site.get(ONE).status == 200
        progress.answered({place: 2_007}, progress.taken, AS_OF)
        progress.silent(AS_OF)
        assert site.get(ONE).status == 200, "it goes on answering while Kafka is away, like the pages"


def check(body: Any, response: Any, described: Any) -> None:
    schema = response["content"]["application/json"]["schema"]
    jsonschema.validate(body, {**schema, "components": described["components"]})
    name = schema["$ref"].rpartition("/")[2]
    assert body.keys() == described["components"]["schemas"][name]["properties"].keys()


def test_the_numbers_are_those_of_the_projection(site: Site, world: World) -> None:
    [outline] = world.settings.outlines.funnels
    projection = world.model.projection
    answer = site.get(ONE).json
    expected = projection.funnel(outline, projection.all(outline), AS_OF)
    assert [place["restated"] for place in answer["places"]] == [place.restated._asdict() for place in expected.places]
    assert answer["win_rate"] == {**expected.win_rate._asdict(), "value": expected.win_rate.value}
    stays = answer["places"][0]["stays"]
    assert stays["mean"] == pytest.approx((expected.places[0].stays.mean or 0) / 1e6)
    by_source = site.get(f"{ONE}/segments/source").json["values"]
    whole = next(place for place in expected.places if place.name == "signed_up").restated.reached_first
    assert sum(value["reached"]["signed_up"] for value in by_source) == whole, "parts add up to the total"
    [other] = [value for value in by_source if value["folded"]]
    for value in (other, by_source[0]):
        alone = site.get(f"{ONE}?segment=source&value={value['label']}").json["places"]
        assert {place["name"]: place["restated"]["reached_first"] for place in alone if place["kind"] == "stage"} == {
            stage: value["reached"][stage] for stage in ("signed_up", "demo", "meeting", "proposal")
        }
        ended = {place["name"]: place["remained"] for place in alone if place["kind"] == "outcome"}
        assert ended == value["ended"], "the rest is what the others leave of the whole"


def test_cohorts_are_labelled_with_their_maturity(site: Site) -> None:
    answer = site.get(f"{ONE}/cohorts?rate=signed_up-%3Emeeting%20within%2030d").json
    first, *_, last = answer["cohorts"]
    assert (first["final"], last["final"]) == (True, False)
    assert last["inside"] > 0
    assert answer["period"]["share"]["whole"] == sum(cohort["share"]["whole"] for cohort in answer["cohorts"])


def test_a_lead_is_found_by_its_identifier_and_masked(site: Site) -> None:
    found = site.get("/api/v1/leads?id=contact:c0003").json
    lead = site.get(f"/api/v1/leads/{found['handle']}").json
    assert lead["path"][0]["to"]["stage"] == "signed_up"
    assert lead["snapshots"][0]["position"] is not None
    assert "c0003" not in json.dumps([found, lead])


def test_transitions_are_followed_by_a_cursor(site: Site, world: World) -> None:
    newest = site.get("/api/v1/transitions?limit=5").json
    times = [each["record"]["recorded_at"] for each in newest["transitions"]]
    assert times == sorted(times, reverse=True)
    assert site.get(f"/api/v1/transitions?after={newest['cursor']}").json["transitions"] == []
    run, _, arrival = newest["cursor"].partition("-")
    behind = site.get(f"/api/v1/transitions?after={run}-{int(arrival) - 3}").json
    assert len(behind["transitions"]) == 3
    assert behind["cursor"] == newest["cursor"]
    other_process = site.get(f"/api/v1/transitions?after=00000000-{arrival}&limit=5").json
    assert other_process["transitions"] == newest["transitions"], "a cursor of an earlier process begins anew"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{ONE}/cohorts", 404),
        (f"{ONE}/cohorts?rate='%20OR%201=1--", 404),
        (f"{ONE}/segments/source'--", 404),
        ("/api/v1/funnels/..%2f..", 404),
        ("/api/v1/funnels/revenue'%20OR%20'1'='1", 404),
        (f"{ONE}?segment=source&value=%27%20OR%201=1--", 404),
        ("/api/v1/leads", 404),
        ("/api/v1/leads?id=nowhere:1", 404),
        ("/api/v1/leads?id=contact:%27%20OR%201=1--", 404),
        ("/api/v1/leads/zz", 404),
        ("/api/v1/transitions?limit=0", 400),
        ("/api/v1/transitions?limit=501", 400),
        ("/api/v1/transitions?limit=%D9%A5", 400),
        ("/api/v1/transitions?limit=1e3", 400),
        ("/api/v1/transitions?funnel=nowhere", 404),
        ("/api/v1/nothing", 404),
        ("/api/v1/status?" + "x" * 2_100, 414),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_question_that_has_no_answer_is_told_in_json(site: Site, path: str, status: int) -> None:
    answer = site.get(path)
    assert answer.status == status
    assert answer.json.keys() == {"error"}


def test_a_cursor_of_this_process_must_be_one(site: Site) -> None:
    run = site.get("/api/v1/transitions").json["cursor"].partition("-")[0]
    for arrival in ("x", "9" * 40, "-1", ""):
        assert site.get(f"/api/v1/transitions?after={run}-{arrival}").status == 400
