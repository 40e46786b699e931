"""Every mistake that a definition can hold: where it is reported, under which key, and what to write instead."""

from pathlib import Path

import pytest

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
        (HEADER + STAGES, Marked("retired.mq", "did you mean mql?", SECOND + "retired: {→mq: mql}\n")),
        (
            "owner: x\nversion: 1\n" + DEMO,
            Marked("conversions.demo.name", "conversion demo is defined in", funnel(DEMO.replace("demo", "→demo"))),
        ),
    ],
    ids=["same version", "starts before", "starts with", "vanished", "was never there", "shared and own"],
)
def test_files_that_contradict_each_other(first: str, second: Marked, tmp_path: Path) -> None:
    text, place = unmarked(second.text)
    found = mistakes_in(tmp_path, a=first, b=text)
    assert [(Path(each.file).name, f"{each.line}:{each.column}", each.key) for each in found] == [("b.yml", place, second.key)]
    assert second.says in found[0].sentence


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


@pytest.mark.parametrize("field", ["lead.state", "deal.owner_2", "lead.budget", "account.size", "lead.partner"])
def test_without_an_application_custom_fields_may_exist(field: str, tmp_path: Path) -> None:
    assert mistakes_in(tmp_path, funnel=funnel(f"stages: [{{name: a, while: {{{field}: x}}}}]")) == []
