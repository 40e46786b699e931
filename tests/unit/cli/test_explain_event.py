"""`funnelstream explain --event`: which decoder, what becomes of the record, who looked, who matched, and why others did not."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from processors.engine.stop import ENVIRONMENT
from tests.unit.cli.called import CONFIGURATION, call, stopped

FUNNELS = {
    "sales": """\
funnel: sales
version: 1
owner: o
reason: r
effective_from: 2020-01-01
subject: lead
conversions:
  - {name: trial, description: d, exclusive: up, when: {event: Signed Up, event.properties.plan: [trial, pro],
     event.properties.seats: {at_least: 5}}}
  - {name: any_sign_up, description: d, exclusive: up, when: [{event: Signed Up, event.properties.plan: {exists: true}}]}
  - {name: known, description: d, when: {event: Signed Up, if: {lead.status: open}}}
stages:
  - {name: asked, when: {conversion: [trial, any_sign_up]}}
  - {name: open, while: {lead.status: [open, new], any: [{lead.owner: {exists: true}}, {lead.source: web}]}}
  - {name: seen, while: {not: {lead.status: open}}, at: lead.created_at}
outcomes:
  - {name: won, result: won, while: {lead.lifecycle_stage: customer}}
""",
    "other": """\
funnel: other
version: 1
owner: o
reason: r
effective_from: 2020-01-01
subject: lead
stages: [{name: asked, when: {event: Demo}}]
""",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "f").mkdir()
    for name, text in FUNNELS.items():
        (tmp_path / "f" / f"{name}.yml").write_text(text)
    (tmp_path / "test.yml").write_text(CONFIGURATION.replace("funnel.yml", "f"))
    return tmp_path


def explained(folder: Path, record: Any, *options: str) -> Any:
    done = call(*arguments(folder, record), "--format", "json", *options)
    assert done.exit_code == 0, (done.output, done.exception)
    return json.loads(done.stdout)


def arguments(folder: Path, record: Any) -> Sequence[object]:
    content = record if isinstance(record, bytes) else json.dumps(record).encode()
    (folder / "record.json").write_bytes(content + b"\n")
    return ["explain", "--config", folder / "test.yml", "--event", folder / "record.json"]


def track(event: str, user: str = "1", **properties: Any) -> dict[str, Any]:
    at = "2026-01-05T10:00:00Z"
    return {"type": "track", "event": event, "userId": user, "messageId": "m", "timestamp": at, "properties": properties}


def changed(name: str, value: str) -> dict[str, Any]:
    named = {"propertyName": name, "propertyValue": value}
    return {"subscriptionType": "contact.propertyChange", "objectId": 2, "occurredAt": 1767434400000, **named}


def verdicts(said: Any) -> dict[str, tuple[str, list[str]]]:
    return {judged["rule"]: (judged["verdict"], judged["because"]) for judged in said["judged"]}


def test_an_event_that_matches(folder: Path) -> None:
    told = explained(folder, track("Signed Up", plan="pro", seats=7))
    assert (told["source"], told["format"], told["dropped"], told["letters"]) == ("web", "segment", [], [])
    (fact,) = told["facts"]
    assert (fact["kind"], fact["entity"], fact["occurred_at"], fact["id"]) == ("event", "user:1", "2026-01-05T10:00:00Z", "m")
    (said,) = told["said"]
    assert (said["what"], said["others"]) == ("event Signed Up", 1)
    assert verdicts(said) == {
        "conversions.trial": ("matches", []),
        "conversions.any_sign_up": ("does not match", ["trial comes first in the exclusive group up"]),
        "conversions.known": ("depends", ["if at that moment lead.status is open"]),
        "stages.asked": ("matches", ["by conversion trial"]),
    }


def test_every_test_that_failed_is_told_with_the_value_found(folder: Path) -> None:
    told = explained(folder, track("Signed Up", plan="free", seats=2))
    judged = verdicts(told["said"][0])
    assert judged["conversions.trial"] == (
        "does not match",
        ["event.properties.plan is trial or pro (it is free)", "event.properties.seats is at least 5 (it is 2)"],
    )
    assert judged["conversions.any_sign_up"] == ("matches", [])
    missing = verdicts(explained(folder, track("Signed Up", seats=2))["said"][0])
    assert missing["conversions.any_sign_up"] == ("does not match", ["event.properties.plan has a value (it is missing)"])


def test_an_event_that_no_definition_names(folder: Path) -> None:
    told = explained(folder, track("Signd Up"))
    assert (told["facts"], told["dropped"]) == ([], ["unmatched"])
    assert told["said"] == [{"what": "event Signd Up", "judged": [], "others": 2, "hint": "; did you mean Signed Up?"}]


def test_a_change_is_judged_on_what_it_says(folder: Path) -> None:
    """What it does not say, such as another field or what happened before, is named and not guessed."""
    status, stage = (explained(folder, [changed(name, "open")])["said"][0] for name in ("hs_lead_status", "lifecyclestage"))
    assert verdicts(status) == {
        "stages.open": ("depends", ["if lead.owner has a value or lead.source is web, of which it says nothing"]),
        "stages.seen": ("does not match", ["not (lead.status is open) (lead.status is open)"]),
    }
    assert verdicts(stage) == {"outcomes.won": ("does not match", ["lead.lifecycle_stage is customer (it is open)"])}
    (entry,) = explained(folder, [changed("createdate", "1767434400000")])["said"]
    assert verdicts(entry) == {"stages.seen": ("depends", ["lead.created_at gives the time of its entry"])}


def test_each_element_of_an_array_is_told(folder: Path) -> None:
    told = explained(folder, [changed("lifecyclestage", "customer"), changed("color", "red"), {"subscriptionType": 1}])
    assert [said["what"] for said in told["said"]] == ["change of lifecyclestage", "change of color"]
    assert (len(told["facts"]), told["dropped"]) == (1, ["unused"])
    ((letter),) = told["letters"]
    assert letter["reason"] == "wrong_shape"


def test_a_record_of_a_mapped_source_with_the_deal_that_it_belongs_to(folder: Path) -> None:
    mapping = (
        "    mapping: {id: no, time: {path: at, unit: ms}, records: [{where: {kind: quote}, change: deal,"
        " identifiers: {no: quote}, attach: {customer: user}, set: {deal.stage: step}}]}\n"
    )
    text = CONFIGURATION.replace("funnel.yml", "f").replace("kind: lead}]", "kind: lead}, {name: quote, kind: deal}]")
    text = text.replace("sources:\n", f"sources:\n  orders:\n    topics: [o]\n    format: mapping\n{mapping}")
    (folder / "test.yml").write_text(f"{text}authority: {{deal.stage: [orders, crm]}}\n")
    deals = FUNNELS["other"].replace("]", ", {name: hot, while: {deal.stage: hot}}]").replace("funnel: other", "funnel: deals")
    (folder / "f" / "deals.yml").write_text(deals)
    told = explained(folder, {"no": 1, "kind": "quote", "at": 1767434400000, "customer": 5, "step": "cold"})
    ((fact,), (said,)) = told["facts"], told["said"]
    assert (told["source"], fact["entity"], fact["deal"], fact["values"]) == (
        "orders",
        "user:5",
        "quote:1",
        {"deal.stage": "cold"},
    )
    assert verdicts(said) == {"stages.hot": ("does not match", ["deal.stage is hot (it is cold)"])}
    assert said["others"] == 2


def test_a_record_that_cannot_be_used(folder: Path) -> None:
    told = explained(folder, b"{broken", "--source", "web")
    assert (told["facts"], told["said"], [letter["reason"] for letter in told["letters"]]) == ([], [], ["not_json"])


def test_for_people(folder: Path) -> None:
    lines = call(*arguments(folder, track("Signed Up", plan="free"))).stdout.splitlines()
    assert lines == [
        "Source web reads it as segment.",
        'Fact of user:1, 2026-01-05T10:00:00Z: event Signed Up, event.properties.plan="free" (id m).',
        "",
        "What definitions make of the event Signed Up:",
        "  sales v1 conversions.trial        does not match: event.properties.plan is trial or pro (it is free); "
        "event.properties.seats is at least 5 (it is missing)",
        "  sales v1 conversions.any_sign_up  matches",
        "  sales v1 conversions.known        depends: if at that moment lead.status is open",
        "  sales v1 stages.asked             matches: by conversion any_sign_up",
        "  1 other funnel has no rule that names it",
    ]


def test_a_source_is_asked_for_where_none_or_several_could_read_it(folder: Path) -> None:
    done = call(*arguments(folder, b"{}"))
    said = " ".join(done.stderr.replace("│", " ").split())
    assert (done.exit_code, "Say which source it is of: web or crm" in said, "For crm: This is neither" in said) == (
        2,
        True,
        True,
    )
    assert call(*arguments(folder, b"{}"), "--source", "nowhere").exit_code == 2
    assert stopped("explain", "--config", folder / "test.yml", "--event", folder / "none.json")[0] == ENVIRONMENT
    assert call("explain", "--event", folder / "record.json").exit_code == 2


def test_a_dead_letter_is_seen_by_no_definition(folder: Path) -> None:
    """Nothing is said of funnels, since none was asked: that none names it would be false."""
    text = (folder / "test.yml").read_text().replace("{contact.objectId: user}}", "{contact.objectId: user}, fields: FIELDS}")
    fields = "{lead.status: {from: hs_lead_status, values: {OPEN: open}, unlisted: dead_letter}}"
    (folder / "test.yml").write_text(text.replace("FIELDS", fields))
    told = explained(folder, [changed("hs_lead_status", "closed"), changed("color", "red")])
    assert [letter["reason"] for letter in told["letters"]] == ["unlisted_value"]
    assert [said["what"] for said in told["said"]] == ["change of color"]
    assert "no rule that names it" not in call(*arguments(folder, changed("hs_lead_status", "closed"))).stdout


def test_a_file_of_several_records_is_told_from_one_record_of_several_lines(folder: Path) -> None:
    record = json.dumps(track("Demo")).encode()
    done = call(*arguments(folder, record + b"\n\n" + record), "--source", "web")
    assert (done.exit_code, "has 2 records, one a line" in " ".join(done.stderr.replace("│", " ").split())) == (2, True)
    assert len(explained(folder, json.dumps(track("Demo"), indent=2).encode())["facts"]) == 1


def test_what_a_mapping_does_not_name_is_said_in_its_words(folder: Path) -> None:
    records = "[{where: {kind: a}, event: Demo, identifiers: {no: user}}]"
    orders = f"  orders: {{topics: [o], format: mapping, mapping: {{records: {records}}}}}\n"
    (folder / "test.yml").write_text(CONFIGURATION.replace("funnel.yml", "f") + orders)
    said = call(*arguments(folder, {"kind": "b"}), "--source", "orders").stdout
    assert "Dropped (unmapped_object): it fits no `where` of the source's mapping." in said


def test_a_mapped_record_that_names_no_deal_is_told_where_it_should(folder: Path) -> None:
    quote = "{change: deal, identifiers: {order.no: quote}, attach: {customer: user}, set: {deal.stage: step}}"
    text = CONFIGURATION.replace("funnel.yml", "f").replace("kind: lead}]", "kind: lead}, {name: quote, kind: deal}]")
    orders = f"  orders: {{topics: [o], format: mapping, mapping: {{records: [{quote}]}}}}\n"
    (folder / "test.yml").write_text(f"{text}{orders}authority: {{deal.stage: [orders, crm]}}\n")
    deals = FUNNELS["other"].replace("]", ", {name: hot, while: {deal.stage: hot}}]").replace("funnel: other", "funnel: deals")
    (folder / "f" / "deals.yml").write_text(deals)
    ((letter),) = explained(folder, {"customer": 5, "step": "hot"}, "--source", "orders")["letters"]
    assert letter["sentence"] == (
        "None of its identifiers (user) names a deal that source orders may assert: there is no usable value at order.no."
    )
