"""What is valid but not built is refused by name and place; what changes no timeline is not."""

from pathlib import Path

import pytest

from processors.configuration.application import load_application
from processors.configuration.definitions import load_definitions
from processors.configuration.problems import Problem, errors
from processors.configuration.unbuilt import unbuilt
from tests.unit.configuration.marked import HEADER, STAGES, configuration, funnel
from tests.unit.configuration.test_definitions import LIBRARY, USER

STAGE = "stages: [{{name: a, {}}}]\n".format
SOURCE = "sources: {{web: {{topics: t, {}}}}}\n".format
DEFINITIONS = {
    "a rule that reads account.*": (STAGE("when: {event: A, if: {account.tier: x}}"), "stages.a.when.if.account.tier"),
    "also account": ("also: [account]\n", "also[0]"),
}
APPLICATION = {
    "this format": (SOURCE("format: snowplow, identifiers: {user_id: user}"), "sources.web.format"),
    "snapshot: count": (
        SOURCE("format: hubspot, identifiers: {contact.objectId: user}, snapshot: count"),
        "sources.web.snapshot",
    ),
    "look_back": ("identity: {look_back: 90d, namespaces: [{name: user, kind: lead}]}\n", "identity.look_back"),
    "max_per_lead": (
        "identity: {namespaces: [{name: user, kind: lead, max_per_lead: 5}]}\n",
        "identity.namespaces.user.max_per_lead",
    ),
}


def refused(folder: Path, sections: str = "", **definitions: str) -> list[Problem]:
    """What cannot be run of these files, which hold no mistakes."""
    (folder / "d").mkdir()
    for name, text in definitions.items():
        (folder / "d" / f"{name}.yml").write_text(text)
    (folder / "application.yml").write_text(configuration(sections))
    application, problems = load_application(folder / "application.yml", {})
    found, mistakes = load_definitions([folder / "d"])
    assert application is not None, problems
    assert errors(mistakes) == []
    return unbuilt(found, application)


@pytest.mark.parametrize(("name", "body", "key"), [(name, *rest) for name, rest in DEFINITIONS.items()], ids=DEFINITIONS)
def test_what_definitions_may_not_use_yet(name: str, body: str, key: str, tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, web=funnel(body))
    assert (problem.key, problem.severity) == (key, "error")
    assert problem.sentence.startswith(f"{name} is not built yet: ")


@pytest.mark.parametrize(("name", "sections", "key"), [(name, *rest) for name, rest in APPLICATION.items()], ids=APPLICATION)
def test_what_a_configuration_may_not_use_yet(name: str, sections: str, key: str, tmp_path: Path) -> None:
    (problem,) = refused(tmp_path, sections, web=HEADER + STAGES)
    assert (problem.key, Path(problem.file).name) == (key, "application.yml")
    assert problem.sentence.startswith(f"{name} is not built yet: ")


def test_accounts_and_shadows(tmp_path: Path) -> None:
    accounts = (
        HEADER.replace("subject: lead", "subject: account")
        .replace("effective_from: 2026-01-01", "shadow: true")
        .replace("web", "accounts")
    )
    problems = refused(
        tmp_path,
        SOURCE("format: debezium, identifiers: {id: user}"),
        accounts=accounts + STAGE("when: {event: A}"),
    )
    assert [(Path(problem.file).stem, problem.key) for problem in problems] == [
        ("application", "sources.web.format"),
        ("accounts", "shadow"),
        ("accounts", "subject"),
    ]


def test_all_that_is_built_is_accepted(tmp_path: Path) -> None:
    second = HEADER.replace("version: 1", "version: 2").replace("2026-01-01", "2026-03-01")
    body = """also: [deal]
conversions:
  - {name: x, description: d, when: {event: A, if: {lead.s: 2}}, exclusive: g, value: {amount: lead.a, currency: lead.c}}
  - {name: y, description: d, when: {event: B, event.page: {matches: "^h"}}, exclusive: g, count: once_per_session}
  - {name: z, description: d, when: {event: C}, count: {once_per_window: 1d}}
  - {name: v, description: d, when: {event: D}, count: once_per_deal}
stages:
  - {name: a, when: {conversion: x}, optional: true, resets: true}
  - {name: b, while: {happened: y, lead.created_at: {before: 2030-01-01}}, at: lead.created_at, lapse: keep}
  - {name: c, when: {event: A}, expires: {after: 1d, anchor: last}, sla: 1d}
  - {name: e, while: {deal.stage: x, deal.closed_at: {passed: true}}}
detours: [{name: n, while: {not: {lead.status: open}}}]
outcomes: [{name: w, result: won, while: {lead.status: customer}}]
policies: {backward: ignore, skip: allow, after_outcome: reenter, lateness: 1d}
segments: {s: {value: [event.campaign.source, deal.owner], rule: first_touch, touch: {event: A, if: {deal.stage: x}}}}
rates: [{from: a, to: w, within: 30d, cohort: week}]
shadow: false
value: {amount: deal.amount, currency: deal.currency}
"""
    later = "stages: [{name: a, when: {event: A}}]\nretired: {b: a, c: remove, e: a}\nalso: [deal]\n"
    deals = "outcomes: [{name: w, result: won, while: {deal.is_won: true}}]\n"
    assert (
        refused(tmp_path, web=funnel(body), second=second + later + deals, shared=LIBRARY, user=USER.replace("web", "user")) == []
    )
