"""Every mistake that a definition can hold: where it is reported, under which key, and what to write instead."""

from pathlib import Path

import pytest

from processors.configuration.definitions import load_definitions
from schemas.application import Application
from tests.unit.configuration.marked import (
    HEADER,
    STAGES,
    Marked,
    blocks,
    configuration,
    configured,
    funnel,
    mistakes_in,
    unmarked,
)

DEMO = "conversions: [{name: demo, description: d, when: {event: A}}]\n"
SECOND = HEADER.replace("version: 1", "version: 2").replace("2026-01-01", "2026-03-01") + STAGES


@pytest.mark.parametrize("marked", blocks("mistakes.txt"))
def test_a_mistake_is_reported_where_it_is_with_its_mend(marked: Marked, tmp_path: Path) -> None:
    text, place = unmarked(marked.text if marked.whole else funnel(marked.text))
    found = mistakes_in(tmp_path, funnel=text)
    assert [(f"{problem.line}:{problem.column}", problem.key) for problem in found] == [(place, marked.key)], found
    assert marked.says in found[0].sentence
    assert str(found[0]).startswith(f"{tmp_path / 'funnel.yml'}:{place}: ")


def test_all_mistakes_of_all_files_come_in_one_go_sorted_by_place(tmp_path: Path) -> None:
    several = (
        "conversions: [{name: a, description: d, when: {event: A}, exclusive: g, count: once}]\n"
        "stages: [{name: b, while: {deal.stge: x, lead.score: {atleast: 3}}, lapse: hold}]\n"
        "rates: [{from: b, to: c}]\n"
    )
    found = mistakes_in(tmp_path, one=funnel(several), two="owner: x\nstages: 5\n")
    lines = [(Path(problem.file).stem, problem.line) for problem in found]
    assert lines == [("one", 7)] * 2 + [("one", 8)] * 3 + [("one", 9)] + [("two", 1)] * 5 + [("two", 2)]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (
            HEADER + STAGES,
            Marked("version", "a.yml:2 too: write version: 2", HEADER.replace("version: 1", "version: →1") + STAGES),
        ),
        (
            HEADER + STAGES,
            Marked(
                "effective_from",
                "version 2 starts before version 1: write an instant after 2026-01-01T00:00:00Z",
                SECOND.replace("2026-03-01", "→2025-03-01"),
            ),
        ),
        (HEADER + STAGES, Marked("effective_from", "starts with version 1", SECOND.replace("2026-03-01", "→2026-01-01"))),
        (
            HEADER + STAGES,
            Marked(
                "retired", "mql vanished without a mapping: write retired: {mql: STAGE}", "→" + SECOND.replace("mql", "x"), True
            ),
        ),
        (
            HEADER + STAGES,
            Marked("subject", "counts other grains than version 1", SECOND.replace("subject: lead", "subject: →visitor")),
        ),
        (
            HEADER + "also: [visitor]\n" + STAGES,
            Marked("also", "write also: [visitor] as there", "→" + SECOND),
        ),
        (HEADER + STAGES, Marked("retired.mq", "did you mean mql?", SECOND + "retired: {→mq: mql}\n")),
        (
            "owner: x\nversion: 1\n" + DEMO,
            Marked(
                "conversions.demo.name",
                "a.yml:3 already: if this version is in use, leave it alone, give the library's another name and",
                funnel(DEMO.replace("demo", "→demo")),
            ),
        ),
        (
            "owner: x\nversion: 1\n" + DEMO,
            Marked(
                "conversions.demo.name",
                "a.yml:3 already: take out the one that no version in use counts",
                "owner: x\nversion: 1\n" + DEMO.replace("demo", "→demo"),
            ),
        ),
    ],
    ids=[
        "same version",
        "starts before",
        "starts with",
        "vanished",
        "other subject",
        "other further grains",
        "was never there",
        "shared and own",
        "shared twice",
    ],
)
def test_files_that_contradict_each_other(first: str, second: Marked, tmp_path: Path) -> None:
    text, place = unmarked(second.text)
    found = mistakes_in(tmp_path, a=first, b=text)
    assert [(Path(each.file).name, f"{each.line}:{each.column}", each.key) for each in found] == [("b.yml", place, second.key)]
    assert second.says in found[0].sentence


WAITING = """\
conversions:
  - {name: x, description: d, when: {event: A, if: {happened: y}}}
  - {name: y, description: d, when: [{event: A, if: {happened: x}}, {event: B, if: {lead.vip: true, happened: [x, y]}}]}
  - {name: free, description: d, when: [{event: A, if: {not: {happened: free}}}, {event: B, if: {happened: x}}]}
stages:
  - {name: a, when: {conversion: [x, y]}}
  - {name: b, while: {happened: x, lead.vip: true}}
  - {name: c, when: [{conversion: x}, {conversion: free}]}
  - {name: d, while: {any: [{happened: y}, {happened: [x, free]}]}}
"""


def test_what_waits_for_a_conversion_that_waits_for_it_is_refused_everywhere(tmp_path: Path) -> None:
    found = mistakes_in(tmp_path, funnel=funnel(WAITING))
    assert [(problem.key, problem.sentence.partition(";")[0]) for problem in found] == [
        ("conversions.x.when.if.happened", "conversion x can never match: it waits for y, which can never match before it"),
        ("conversions.y.when[0].if.happened", "conversion y can never match: it waits for x, which can never match before it"),
        ("stages.a.when", "stage a can never be reached by this signal: none of the conversions x, y can ever match"),
        ("stages.b.while", "stage b can never be entered by this state: conversion x can never match"),
        ("stages.c.when[0]", "stage c can never be reached by this signal: conversion x can never match"),
    ]


def lending(*conversions: str) -> str:
    """A library of these conversions."""
    lines = "".join(f"  - {{description: d, {conversion}}}\n" for conversion in conversions)
    return f"owner: marketing\nversion: 1\nconversions:\n{lines}"


def test_libraries_that_use_each_other_are_refused_in_every_file_of_the_circle(tmp_path: Path) -> None:
    """No conversion waits for itself here: the files do, whatever the conversions."""
    found = mistakes_in(
        tmp_path,
        a=lending("name: a1, when: {event: A, if: {happened: b1}}", "name: a2, when: {event: A}"),
        b=lending("name: b1, when: {event: B, if: {not: {happened: c1}}}"),
        c=lending("name: c1, when: {event: C, if: {happened: a2}}"),
        d=lending("name: d1, when: {event: D, if: {happened: a2}}"),
        user=funnel("stages: [{name: s, when: {conversion: d1}}]\n"),
    )
    assert [(Path(each.file).name, f"{each.line}:{each.column}", each.key) for each in found] == [
        ("a.yml", "4:64", "conversions.a1.when.if.happened"),
        ("b.yml", "4:70", "conversions.b1.when.if.not.happened"),
        ("c.yml", "4:64", "conversions.c1.when.if.happened"),
    ]
    assert "libraries a and b use each other: b1 is defined in" in found[0].sentence
    assert "move what both need into one of them, or into a third" in found[0].sentence


def test_a_conversion_that_can_never_match_is_refused_in_funnels_that_share_it(tmp_path: Path) -> None:
    library = lending("name: late, when: {event: A, if: {happened: late}}")
    found = mistakes_in(tmp_path, a=library, b=funnel("stages: [{name: s, while: {happened: late}}]\n"))
    assert [(Path(each.file).name, each.key) for each in found] == [
        ("a.yml", "conversions.late.when.if.happened"),
        ("b.yml", "stages.s.while"),
    ]


def test_a_group_of_two_files_is_refused_because_nothing_says_who_is_first(tmp_path: Path) -> None:
    first, second = "when: {event: A}, exclusive: g", "when: {event: B}, exclusive: g"
    library = lending(f"name: lent1, {first}", f"name: lent2, {second}")
    own = lending(f"name: own1, {first}", f"name: own2, {second}").partition("version: 1\n")[2]
    found = mistakes_in(tmp_path, a=library, b=funnel(own + "stages: [{name: s, when: {conversion: lent1}}]\n"))
    assert [(Path(each.file).name, each.key) for each in found] == [
        ("b.yml", "conversions.own1.exclusive"),
        ("b.yml", "conversions.own2.exclusive"),
    ]
    assert "exclusive group g is one of " in found[0].sentence
    assert mistakes_in(tmp_path, a=library, b=funnel(own)) == [], "without the library nothing is unclear"


def test_a_library_has_no_orderings(tmp_path: Path) -> None:
    library = lending("name: a, when: {event: A, if: {lead.plan: {at_least: pro, of: plans}}}")
    (found,) = mistakes_in(tmp_path, a=library)
    assert found.sentence == "plans is no ordering of this file: a library has none; list the values, lead.plan: [a, b]"


def test_a_rate_between_grains_in_a_funnel_of_deals(tmp_path: Path) -> None:
    """Without `grain` the subject counts."""
    body = "stages: [{name: a, when: {event: A}}, {name: b, while: {deal.stage: x}}]\nrates: [{from: a, to: b}]\n"
    found = mistakes_in(tmp_path, web=HEADER.replace("subject: lead", "subject: deal") + body)
    assert [problem.key for problem in found] == ["stages.a.name", "rates[0].from"]


def test_with_an_application_only_fields_of_its_sources_exist(tmp_path: Path) -> None:
    """`lead.plan` is mapped, `lead.status` a preset of the format; a number may be compared, a text may not."""
    fields = "{lead.plan: {from: plan}, lead.score: {from: score, type: number}}"
    source = f"crm: {{topics: t, format: hubspot, identifiers: {{contact.objectId: user}}, fields: {fields}}}"
    folder = tmp_path / "application"
    folder.mkdir()
    application, _ = configured(folder, configuration(f"sources: {{{source}}}\n"))
    text = """stages:
      - {name: a, while: {lead.plan: pro, lead.status: open, lead.score: {at_least: 5}}}
      - {name: b, while: {lead.plann: pro}}
      - {name: c, while: {lead.email: x}}
      - {name: d, while: {lead.plan: {at_least: 5}}}
      - {name: e, while: {lead.score: high}}
    """
    found = mistakes_in(tmp_path, application, funnel=funnel(text))
    plann, email, plan, score = found
    assert (plann.key, email.key) == ("stages.b.while.lead.plann", "stages.c.while.lead.email")
    assert (plan.key, score.key) == ("stages.d.while.lead.plan.at_least", "stages.e.while.lead.score")
    assert "lead.plann is no field of any source; did you mean lead.plan?" in plann.sentence
    assert "map it in the `fields` of a source, lead.email: {from: ITS_NAME}" in email.sentence


@pytest.mark.parametrize(
    ("sources", "mend"),
    [
        ("web: {topics: t, format: segment, identifiers: {userId: user}}, quotes: {deals}", "write it in the `set` of a mapping"),
        ("crm: {topics: t, format: segment, identifiers: {userId: user, properties.deal: quote}}", "map it in the `fields`"),
        (
            "crm: {topics: t, format: segment, identifiers: {properties.deal: quote}}, quotes: {deals}",
            "map it in the `fields` of a source, deal.lost_for: {from: ITS_NAME}, or write it in the `set` of a mapping",
        ),
    ],
    ids=["only a mapping speaks of deals", "no mapping", "both"],
)
def test_a_field_that_is_missing_is_to_be_given_where_a_source_could(sources: str, mend: str, tmp_path: Path) -> None:
    (found,) = mistakes_in(
        tmp_path, application_of_deals(tmp_path, sources), funnel=funnel("stages: [{name: a, while: {deal.lost_for: x}}]")
    )
    assert f"deal.lost_for is no field of any source; {mend}" in found.sentence


@pytest.mark.parametrize(
    ("sources", "warned"),
    [
        ("quotes: {deals}", True),
        ("quotes: {attached}", False),
        ("crm: {topics: t, format: hubspot, identifiers: {contact.objectId: user}}", True),
        ("crm: {topics: t, format: hubspot, identifiers: {contact.objectId: user, deal.objectId: quote}}", False),
        ("crm: {topics: t, format: hubspot, identifiers: {deal.properties.customer_id: user}}", False),
    ],
    ids=["mapping", "mapping that attaches", "contacts", "contacts and deals", "deals by their contact"],
)
def test_deals_that_come_without_their_leads_are_warned_of(sources: str, warned: bool, tmp_path: Path) -> None:
    """A funnel of leads would show none in what reads deal.*; one of deals is about them; without sources nobody knows."""
    application = application_of_deals(tmp_path, sources)
    text = funnel("stages: [{name: a, description: d, while: {deal.stage: x}}]")
    for given, body, expected in (
        (application, text, warned),
        (application, text.replace("subject: lead", "subject: deal"), False),
        (application, text.replace("deal.stage: x", "lead.status: x"), False),
        (None, text, False),
    ):
        (tmp_path / "d.yml").write_text(body)
        found = [problem for problem in load_definitions([tmp_path / "d.yml"], given)[1] if problem.key == "subject"]
        assert [problem.severity for problem in found] == ["warning"] * expected


def application_of_deals(folder: Path, sources: str) -> Application:
    """An application of these sources; {deals} is a mapping of deals, {attached} one that names their leads."""
    kept = "topics: q, format: mapping, mapping: {records: [{change: deal, identifiers: {no: quote}, set: {deal.stage: s}}]}"
    attached = kept.replace("set:", "attach: {customer: user}, set:")
    namespaces = "identity: {namespaces: [{name: user, kind: lead}, {name: quote, kind: deal}]}\n"
    written = sources.replace("{deals}", f"{{{kept}}}").replace("{attached}", f"{{{attached}}}")
    inner = folder / "application"
    inner.mkdir()
    application, problems = configured(inner, configuration(f"{namespaces}sources: {{{written}}}\n"))
    assert application is not None, problems
    return application


@pytest.mark.parametrize("field", ["lead.state", "deal.owner_2", "lead.budget", "account.size", "lead.partner"])
def test_without_an_application_custom_fields_may_exist(field: str, tmp_path: Path) -> None:
    assert mistakes_in(tmp_path, funnel=funnel(f"stages: [{{name: a, while: {{{field}: x}}}}]")) == []
