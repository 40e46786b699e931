"""`funnelstream explain --lead`: where a lead stands, how it got there, what was corrected, and what is missing to go on."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ruamel.yaml import YAML

from processors.cli.explained_lead import LeadExplainer
from processors.cli.lead_history import OnFunnel
from processors.cli.lead_records import LeadRecords
from processors.cli.telling import tell
from processors.engine.stop import INPUT
from processors.shown.masking import Mask
from processors.simulation.cases import LEAD, CaseRunner
from schemas.cases import Case
from schemas.definitions import Funnel
from schemas.instants import DAY, parse_instant
from tests.unit.cli.called import World, call, demo, stopped

START = parse_instant("2026-01-01")
FUNNEL = """
funnel: sales
version: 1
owner: o
reason: r
effective_from: 2026-01-01
subject: lead
also: [deal]
conversions: [{name: visit, description: d, when: {event: Visit}, count: once_per_lead}]
stages:
  - {name: seen, when: {conversion: visit}, expires: {after: 10d, anchor: last}, sla: 3d}
  - {name: fit, while: [{lead.need: true, happened: visit}, {lead.score: {above: 5}}], lapse: keep}
  - {name: open, when: {event: Signed, event.properties.plan: pro}, while: {deal.stage: open, deal.owner: {exists: true}}}
  - {name: late, while: {deal.closed_at: {passed: true}, not: {deal.stage: lost}}}
detours: [{name: paused, while: {lead.status: paused}}]
outcomes:
  - {name: won, result: won, while: {deal.is_won: true}}
  - {name: lost, result: lost, while: {deal.stage: lost}}
"""


def explained(given: str, days: float, *, show: bool = True) -> list[OnFunnel]:
    """What is explained of a lead with these records, when this many days have passed."""
    runner = CaseRunner([Funnel.model_validate(YAML(typ="safe", pure=True).load(FUNNEL))])
    case = Case.model_validate({"name": "a", "given": YAML(typ="safe", pure=True).load(given), "expect": {"path": []}})
    until = START + round(days * DAY)
    facts = [fact for fact in runner.facts(case, START) if fact.broker_time <= until]
    transitions, _ = runner.published("sales", facts, until)
    records = LeadRecords(facts, until, transitions)
    return LeadExplainer(runner.program, runner.funnels, runner.types, records, Mask(b"key", show=show)).explain()


def told(given: str, days: float) -> list[str]:
    return list(tell(LEAD, explained(given, days)))


def test_a_whole_path_in_words() -> None:
    lines = told(
        "[{at: d0, id: v1, event: Visit}, {at: d0.5, event: Visit, id: v2}, {at: d2, id: s, set: {lead.need: true}},"
        " {at: d3, id: x, set: {lead.status: paused}}, {at: d4, id: y, set: {lead.status: open}}]",
        5,
    )
    assert lines == [
        "lead:1 stands in fit since 5 January 2026, 00:00 (sales, version 1; times in UTC).",
        "  1 January 2026, 00:00: conversion visit, counted; it moved the lead.",
        "  1 January 2026, 00:00: it entered seen.",
        "    Rule stages.seen (when: conversion visit) read event = Visit. It came with record v1 of given (given[0]@0).",
        "  1 January 2026, 12:00: conversion visit, a repeat that does not count; it moved nobody.",
        "  3 January 2026, 00:00: it went on from seen to fit.",
        "    Rule stages.fit (while: lead.need is true and visit has happened, or lead.score is above 5) read lead.need = true. "
        "It came with record s of given (given[0]@2).",
        "  4 January 2026, 00:00: it stepped aside to paused.",
        "    Rule detours.paused (while: lead.status is paused) read lead.status = paused. It came with record x of given "
        "(given[0]@3).",
        "  5 January 2026, 00:00: it came back from paused to fit.",
        "    Rule detours.paused (while: lead.status is paused) read lead.status = open. It came with record y of given "
        "(given[0]@4).",
        "  For open it still needs one of these:",
        "    - event Signed where event.properties.plan is pro on a deal (not yet)",
        "    - a deal; and deal.stage is open (it is missing); and deal.owner has a value (it is missing)",
    ]


def test_what_is_missing_is_told_with_present_values_and_of_each_deal() -> None:
    given = (
        "[{at: d0, set: {lead.score: 7}}, {at: d1, deal: B, set: {deal.stage: lead_in, deal.owner: u}},"
        " {at: d1, deal: A, set: {deal.stage: open}}, {at: d1, deal: C, set: {deal.stage: open}},"
        " {at: d1, deal: C, delete: true}]"
    )
    (lead, *_) = explained(given, 2)
    (missing,) = lead.missing
    assert (lead.place, missing.place) == ("fit", "open")
    assert [(way.deal, list(way.needs)) for way in missing.ways] == [
        ("", ["event Signed where event.properties.plan is pro on a deal (not yet)"]),
        ("deal:A", ["deal.owner has a value (it is missing)"]),
        ("deal:B", ["deal.stage is open (it is lead_in)"]),
    ]


def test_time_that_has_not_passed_yet_and_a_part_that_must_be_false() -> None:
    (lead, deal) = explained("[{at: d0, deal: A, set: {deal.stage: open, deal.owner: u, deal.closed_at: d9}}]", 2)
    for on in (lead, deal):
        (missing,) = on.missing
        assert (on.place, missing.place) == ("open", "late")
        assert list(missing.ways[0].needs) == ["deal.closed_at has passed (it is 2026-01-10T00:00:00Z)"]
    (lead, _) = explained("[{at: d0, deal: A, set: {deal.stage: open, deal.owner: u, deal.closed_at: d1}}]", 2)
    assert (lead.place, [missing.place for missing in lead.missing]) == ("late", ["won", "lost"])


def test_nowhere_and_at_an_end() -> None:
    (lead,) = explained("[{at: d0, set: {lead.score: 1}}]", 1)
    assert (lead.place, [missing.place for missing in lead.missing], list(lead.path)) == (None, ["seen"], [])
    (lead, _) = explained("[{at: d0, deal: A, set: {deal.is_won: true}}]", 1)
    assert (lead.place, list(lead.missing)) == ("won", [])


def test_a_deleted_lead_needs_its_record_back() -> None:
    (lead,) = explained("[{at: d0, event: Visit}, {at: d1, delete: true}]", 2)
    assert (lead.place, lead.path[-1].kind) == (None, "withdraw")
    assert [list(way.needs) for way in lead.missing[0].ways] == [["its record restored (it is deleted)"]]


def test_a_deal_has_a_path_of_its_own() -> None:
    given = "[{at: d0, deal: A, set: {deal.stage: open, deal.owner: u}}, {at: d1, deal: A, set: {deal.stage: lost}}]"
    lines = told(given, 2)
    assert "Deal deal:A of lead:1 stands in lost since 2 January 2026, 00:00 (sales, version 1; times in UTC)." in lines
    assert lines.count("  2 January 2026, 00:00: it ended as lost, coming from open.") == 2


def test_a_deal_that_belongs_to_nobody_yet() -> None:
    runner = CaseRunner([Funnel.model_validate(YAML(typ="safe", pure=True).load(FUNNEL))])
    given = [{"at": "d0", "deal": "A", "set": {"deal.stage": "open", "deal.owner": "u"}}]
    case = Case.model_validate({"name": "a", "given": given, "expect": {"path": []}})
    facts = [msgspec.structs.replace(fact, entity="deal:A") for fact in runner.facts(case, START)]
    transitions, _ = runner.published("sales", facts, START)
    records = LeadRecords(facts, START, transitions)
    (on,) = LeadExplainer(runner.program, runner.funnels, runner.types, records, Mask(b"key", show=True)).explain()
    assert (on.deal, on.grain, on.place, on.unpublished) == ("deal:A", "deal", "open", 0)
    assert next(tell("deal:A", [on])).startswith("deal:A stands in open since 1 January 2026, 00:00")


def test_timers_say_since_when_they_ran() -> None:
    lines = told("[{at: d0, id: v, event: Visit}]", 11)
    assert "  4 January 2026, 00:00: it had been in seen longer than was agreed." in lines
    assert "  11 January 2026, 00:00: its time in seen ran out, and it stood in no stage." in lines
    assert sum("Time alone did it, since record v of given (given[0]@0)." in line for line in lines) == 2
    assert lines[0] == "lead:1 stands in no stage (sales, version 1; times in UTC)."


def test_corrections_are_told_with_what_was_said_before() -> None:
    given = (
        "[{at: d0, event: Visit}, {at: d2, arrives: d12, event: Visit},"
        " {at: d13, deal: A, event: Signed, props: {event.properties.plan: pro}}, {at: d1, arrives: d14, set: {lead.score: 9}}]"
    )
    lines = told(given, 20)
    assert (
        "  Taken back on 13 January 2026, 00:00: on 13 January 2026, 00:00 it was said that on 11 January 2026, 00:00 "
        "its time in seen ran out, and it stood in no stage."
    ) in lines
    assert (
        "  Taken back on 15 January 2026, 00:00: on 13 January 2026, 00:00 it was said that on 4 January 2026, 00:00 "
        "it had been in seen longer than was agreed."
    ) in lines
    assert (
        "    Corrected on 15 January 2026, 00:00; before, it was said that on 14 January 2026, 00:00 it entered open, "
        "passing over seen and fit."
    ) in lines


def test_second_entries_skips_and_flags() -> None:
    given = (
        "[{at: d0, deal: A, set: {deal.stage: open, deal.owner: u}}, {at: d1, deal: A, set: {deal.owner: null}},"
        " {at: d2, deal: A, set: {deal.owner: v}}]"
    )
    lines = told(given, 3)
    assert lines[0] == "lead:1 stands in open since 3 January 2026, 00:00, its entry number 2 (sales, version 1; times in UTC)."
    skipped = "passing over seen and fit; flagged, because stages may not be skipped."
    assert f"  1 January 2026, 00:00: it entered open, {skipped}" in lines
    assert "  2 January 2026, 00:00: it left open, and stood in no stage." in lines
    assert f"  3 January 2026, 00:00: it entered open again, for the second time, {skipped}" in lines


def test_what_is_personal_is_masked_unless_it_is_asked_for() -> None:
    given = "[{at: d0, id: secret-id, set: {lead.score: 77}}, {at: d1, deal: secret-deal, set: {deal.stage: hot}}]"
    shown, masked = (json.dumps(msgspec.to_builtins(explained(given, 2, show=show))) for show in (True, False))
    for secret in ("secret-id", "77", "secret-deal", "(it is hot)"):
        assert secret in shown
        assert secret not in masked
    assert "deal.stage is open (it is <text 3>)" in masked


def test_moves_that_were_not_published_are_noticed() -> None:
    runner = CaseRunner([Funnel.model_validate(YAML(typ="safe", pure=True).load(FUNNEL))])
    case = Case.model_validate({"name": "a", "given": [{"at": "d0", "event": "Visit"}], "expect": {"path": []}})
    records = LeadRecords(runner.facts(case, START), START, [])
    funnels = LeadExplainer(runner.program, runner.funnels, runner.types, records, Mask(b"key", show=True)).explain()
    assert funnels[0].unpublished == 1
    assert "  1 move is not published: the worker is behind, or runs with other definitions than these." in tell(LEAD, funnels)


# --- from what a replay wrote ------------------------------------------------------------------------------------------

FIRST, LATER = "2026-01-05T10:00:00Z", "2026-01-09T10:00:00Z"


def test_a_folder_that_replay_wrote(world: World) -> None:
    folder = world.replay(web=[demo(1, FIRST), demo(1, LATER), demo(2, LATER)])
    told: Any = json.loads(call("explain", "--lead", "user:1", "--dir", folder, "--format", "json").stdout)
    (on,) = told["funnels"]
    assert (told["lead"], on["funnel"], on["place"], on["since"], on["unpublished"]) == ("user:1", "small", "asked", FIRST, 0)
    (moved,) = on["path"]
    assert (moved["from"], moved["to"], moved["rule"]) == (None, "asked", "stages.asked")
    assert moved["fact"] == {
        "source": "web",
        "id": f"m1{FIRST}",
        "topic": "web",
        "partition": 0,
        "offset": 0,
        "change_source": None,
    }
    assert [converted["at"] for converted in on["conversions"]] == [FIRST, LATER]
    assert [missing["place"] for missing in on["missing"]] == ["customer"]


def test_the_definitions_are_those_of_the_replay(world: World) -> None:
    """It is explained by what it ran with, whatever became of the files since."""
    folder = world.replay(web=[demo(1, FIRST)])
    (world.folder / "funnel.yml").unlink()
    (world.folder / "test.yml").unlink()
    done = call("explain", "--lead", "user:1", "--dir", folder)
    assert done.stdout.startswith("user:1 stands in asked since 5 January 2026, 10:00 (small, version 1; times in UTC).")


def test_secrets_are_not_kept(world: World) -> None:
    """Without the key, an address cannot be found by itself; its hash, as it is published, can."""
    key = "0123456789abcdef-secret"
    text = (world.folder / "test.yml").read_text()
    text = text.replace("identity: {namespaces: [", f"identity: {{hash_key: {key}, namespaces: [")
    text = text.replace("kind: lead}]", "kind: lead}, {name: email, kind: lead, normalise: email}]")
    text = text.replace("{userId: user}", "{userId: email}")
    (world.folder / "test.yml").write_text(text + "kafka: {bootstrap.servers: 'b:1', sasl.password: hidden}\n")
    folder = world.replay(web=[{**demo(1, FIRST), "userId": "a@b.example"}])
    kept = (folder / "application.json").read_text()
    assert (key in kept, "hidden" in kept) == (False, False)
    (transition,) = world.bodies("transitions.ndjson")
    hashed = transition["value"]["subject"]["id"]
    assert call("explain", "--lead", hashed, "--dir", folder).stdout.startswith(f"{hashed} stands in asked")
    refused = call("explain", "--lead", "email:a@b.example", "--dir", folder)
    assert (refused.exit_code, "write the hash" in " ".join(refused.stderr.replace("│", " ").split())) == (2, True)


def test_a_deal_that_belongs_to_a_lead_names_it(world: World) -> None:
    """Its facts are its lead's (rule 13), so by itself it has no history: the lead to ask for is named."""
    text = (world.folder / "test.yml").read_text().replace("kind: lead}]", "kind: lead}, {name: quote, kind: deal}]")
    quotes = "{where: {kind: quote}, change: deal, identifiers: {no: quote}, attach: {customer: user}, set: {deal.stage: step}}"
    orders = f"  orders: {{topics: [o], format: mapping, mapping: {{id: id, records: [{quotes}]}}}}\n"
    (world.folder / "test.yml").write_text(f"{text}{orders}authority: {{deal.stage: [orders, crm]}}\n")
    with (world.folder / "funnel.yml").open("a") as funnel:
        funnel.write("  - {name: hot, description: d, while: {deal.stage: hot}}\n")
    quote = {"id": "q", "kind": "quote", "no": 1, "step": "hot"}
    folder = world.replay("--overwrite", web=[demo(7, FIRST)], orders=[{**quote, "customer": 7}])
    asked = ["explain", "--lead", "quote:1", "--dir", folder]
    assert call(*asked).stdout == "quote:1 is a deal that belongs to user:7: explain --lead user:7\n"
    assert json.loads(call(*asked, "--format", "json").stdout) == {"lead": "quote:1", "belongs_to": "user:7", "funnels": []}
    other = call("explain", "--lead", "quote:9", "--dir", folder).stdout
    assert other.startswith("Nothing is kept of quote:9")
    assert next(tell("deal:A", [], "user:#1", masked=True)).endswith("--lead user:#1 (--show-personal writes it whole)")


def test_who_is_not_there_and_what_is_no_folder_of_a_replay(world: World, tmp_path: Path) -> None:
    folder = world.replay(web=[demo(1, FIRST)])
    done = call("explain", "--lead", "user:9", "--dir", folder)
    assert done.stdout == "Nothing is kept of user:9: no record of it has arrived that any funnel reads.\n"
    assert call("explain", "--lead", "nobody", "--dir", folder).exit_code == 2
    code, sentence = stopped("explain", "--lead", "user:1", "--dir", tmp_path)
    assert (code, "holds no application.json" in sentence) == (INPUT, True)
    (folder / "transitions.ndjson").write_text("{\n")
    code, sentence = stopped("explain", "--lead", "user:1", "--dir", folder)
    assert (code, "run replay again" in sentence) == (INPUT, True)


@pytest.mark.parametrize(
    "options",
    [
        ["--lead", "user:1"],
        ["--lead", "user:1", "--dir", "d", "--config", "c"],
        ["--lead", "user:1", "--event", "e"],
        ["--event", "e", "--dir", "d"],
        [],
    ],
)
def test_options_that_do_not_go_together(options: list[str]) -> None:
    assert call("explain", *options).exit_code == 2


def test_too_much_is_not_answered_like_too_little() -> None:
    """Whoever wrote both options is not told to write one of them."""
    done = call("explain", "--lead", "user:1", "--dir", "d", "--config", "c")
    assert "not both: leave out --dir or --config" in " ".join(done.stderr.replace("│", " ").split())
