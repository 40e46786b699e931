"""Given/expect files: every mistake has its place and its mend, and what is left out has its default."""

from pathlib import Path

import jsonschema
import pytest

from processors.configuration.case_file import case_files, read_cases
from processors.configuration.definitions import load_definitions
from processors.configuration.json_schemas import cases_json_schema
from processors.configuration.problems import Unreadable, errors
from processors.configuration.yaml_source import Document, read_document
from processors.simulation.cases import field_types
from schemas.cases import format_moment, parse_moment
from schemas.instants import DAY, parse_instant
from tests.shared_material import shared_files

FUNNEL = """\
funnel: web
version: 1
owner: o
reason: r
effective_from: 2026-01-01
subject: {subject}
conversions: [{{name: demo, description: d, when: {{event: Demo}}}}]
stages: [{{name: asked, when: {{conversion: demo}}}}, {{name: open, while: {{lead.need: true, lead.score: {{at_least: 5}}}}}}]
{more}
"""
CASE = "  - {name: a, given: [{at: d0, event: Demo}], expect: {path: [{to: asked}]}}\n"


def problems(folder: Path, text: str, subject: str = "lead", more: str = "") -> list[str]:
    """The mistakes of a given/expect file: place below the folder, and sentence."""
    (folder / "web.yml").write_text(FUNNEL.format(subject=subject, more=more))
    (folder / "web.test.yml").write_text(text)
    definitions, _ = load_definitions([folder / "web.yml"])
    read, found = read_cases(folder / "web.test.yml", definitions.funnels, field_types(definitions.funnels))
    assert (read is None) == bool(errors(found))
    return [str(problem).removeprefix(f"{folder}/") for problem in found]


def case(given: str = "{at: d0, event: Demo}", expect: str = "path: [{to: asked}]", more: str = "") -> str:
    """A file with one case."""
    return f"funnel: web\ntests:\n  - name: a\n    given: [{given}]\n    expect: {{{expect}}}\n{more}"


def test_a_file_without_mistakes(tmp_path: Path) -> None:
    assert problems(tmp_path, "funnel: web\ntests:\n" + CASE) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("funnel: wep\ntests:\n" + CASE, "1:9: funnel: no definition beside this file is of the funnel wep; did you mean web?"),
        ("tests: [1]\n", "1:1: funnel: funnel missing"),
        ("[]\n", "1:1: a given/expect file is a mapping"),
        ("funnel: web\ntests:\n" + CASE + CASE, "4:12: tests.a.name: two cases are called 'a'"),
        (case("{at: 3, event: Demo}"), "4:18: tests.a.given[0].at: 3 is no time: write days after the start"),
        (case("{at: d0}"), "4:13: tests.a.given[0]: a record says one thing, and this one says nothing"),
        (case("{at: d0, event: A, delete: true}"), "this one says event and delete: write one of event, set, delete, restore"),
        (case("{at: d0, set: {lead.need: true}, session: x}"), "session belongs to an event: write event: NAME beside it"),
        (case("{at: d0, evnt: Demo}"), "unknown key evnt; did you mean event?"),
        (case("{at: d0, set: {lead.ned: true}}"), "4:28: tests.a.given[0].set.lead.ned: the funnel does not read lead.ned"),
        (case("{at: d0, set: {lead.need: maybe}}"), "lead.need is of type bool: 'maybe' is neither true nor false"),
        (case("{at: d0, event: Demo, props: {event.pag: x}}"), "tests.a.given[0].props.event.pag: event.pag is no event field"),
        ("funnel: web\n", "1:1: tests: tests missing: there is nothing to try; write tests: [{name: .."),
        (
            case().replace("    given: [{at: d0, event: Demo}]\n", ""),
            "given missing: nothing happens in it; write given: [{at: d0",
        ),
        (case("{event: Demo}"), "at missing: nothing says when it happened; write at: d0"),
        (case("{at: d3, arrives: d1, event: Demo}"), "it arrives before it happened"),
        (case("{at: d3, event: Demo}", more="    as_of: d1\n"), "it arrives after as_of, so it would not be there"),
        (case("{at: d-999999, event: Demo}"), "it lies outside the years 1 to 9999: write a time nearer to the start"),
        (case("{at: d0, set: {lead.score: 99999999999999999999999}}"), "the number has more than 64 bits"),
        (case("{at: d0, event: Demo, props: {event.page: 99999999999999999999999}}"), "the number has more than 64 bits"),
        (case(expect=""), "it expects nothing, so it could not fail: write path, published or conversions"),
        (case(expect="path: [{to: askd}]"), "5:26: tests.a.expect.path[0].to: the funnel has no stage, detour or outcome askd"),
        (case(expect="published: [{skipped: [opn]}]"), "tests.a.expect.published[0].skipped[0]: the funnel has no stage"),
        (case(expect="path: [{kind: moved}]"), "unknown kind 'moved'"),
        (case(expect="conversions: {dem: {counted: 1}}"), "the funnel has no conversion dem; did you mean demo?"),
        (case(more="    subject: {deal: A}\n"), "the funnel publishes nothing of single deals"),
    ],
)
def test_every_mistake_has_its_place_and_its_mend(tmp_path: Path, text: str, said: str) -> None:
    first, *_ = problems(tmp_path, text)
    assert said in first
    assert first.startswith("web.test.yml:")


@pytest.mark.parametrize(
    ("subject", "more", "subject_of_case", "said"),
    [
        ("deal", "", "", "the funnel counts deals: say which one, subject: {deal: B}"),
        ("lead", "also: [deal]", "    subject: {deal: A}\n", "no record of the case is about the deal A: there are B"),
    ],
)
def test_the_deal_that_a_case_is_about(tmp_path: Path, subject: str, more: str, subject_of_case: str, said: str) -> None:
    outcome = "outcomes: [{name: won, result: won, while: {deal.is_won: true}}]\n"
    (found,) = problems(
        tmp_path, case("{at: d0, deal: B, set: {deal.is_won: true}}", more=subject_of_case), subject, outcome + more
    )
    assert said in found


def test_a_field_of_a_deal_needs_the_deal(tmp_path: Path) -> None:
    """Without one it would be set on nothing, and a case that expects nothing would pass."""
    outcome = "outcomes: [{name: won, result: won, while: {deal.is_won: true}}]"
    (found,) = problems(tmp_path, case("{at: d0, set: {deal.is_won: true}}"), more=outcome)
    assert "4:28: tests.a.given[0].set.deal.is_won: deal.is_won is a deal's, and the record names none: write deal: A" in found


def test_an_event_that_no_rule_names_is_told_and_refuses_nothing(tmp_path: Path) -> None:
    """A case may mean it; one that expects nothing would pass by a slip."""
    (found,) = problems(tmp_path, case("{at: d0, event: Demoo}", expect="path: []"))
    assert found == "web.test.yml:4:29: tests.a.given[0].event: no rule of web names the event Demoo; did you mean Demo?"


def test_d0_is_where_the_funnel_begins_unless_the_file_says_otherwise(tmp_path: Path) -> None:
    problems(tmp_path, case())
    definitions, _ = load_definitions([tmp_path / "web.yml"])
    starts = []
    for start in ("", "start: 2026-02-03\n"):
        (tmp_path / "web.test.yml").write_text(start + case())
        read, _ = read_cases(tmp_path / "web.test.yml", definitions.funnels, field_types(definitions.funnels))
        assert read is not None
        starts.append((read.start, list(read.lines)))
    assert starts == [(parse_instant("2026-01-01"), [3]), (parse_instant("2026-02-03"), [4])]


def test_a_shadow_has_no_beginning(tmp_path: Path) -> None:
    (tmp_path / "web.yml").write_text(
        FUNNEL.format(subject="lead", more="").replace("effective_from: 2026-01-01", "shadow: true")
    )
    (tmp_path / "web.test.yml").write_text(case())
    definitions, _ = load_definitions([tmp_path / "web.yml"])
    read, (problem,) = read_cases(tmp_path / "web.test.yml", definitions.funnels, field_types(definitions.funnels))
    assert (read, "write start: 2026-01-01" in problem.sentence) == (None, True)


def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"holds no given/expect files: put one there as NAME\.test\.yml"):
        case_files([tmp_path])
    with pytest.raises(Unreadable, match="cannot be read"):
        read_cases(tmp_path / "none.test.yml", (), {})


@pytest.mark.parametrize(
    ("written", "days"), [("d0", 0), ("d1.5", 1.5), ("d-3", -3), ("2026-01-03", 2), ("2026-01-01T06:00:00Z", 0.25)]
)
def test_moments(written: str, days: float) -> None:
    start = parse_instant("2026-01-01")
    instant = parse_moment(written).on(start)
    assert (instant - start) / DAY == days
    assert format_moment(instant, start) == f"d{days:g}"


def test_a_moment_that_is_no_short_number_of_days_is_written_whole() -> None:
    start = parse_instant("2026-01-01")
    assert format_moment(start + DAY // 3, start) == "2026-01-01T08:00:00Z"


@pytest.mark.parametrize("file", shared_files("cases/*.test.yml"))
def test_the_schema_for_editors_takes_the_shared_cases(file: Path) -> None:
    jsonschema.validate(read_document(file).data, cases_json_schema())


@pytest.mark.parametrize("given", ["{at: 3, event: Demo}", "{at: d3, evnt: Demo}", "{at: d3, event: Demo, delete: 5}"])
def test_the_schema_for_editors_refuses_what_is_a_mistake(given: str) -> None:
    schema = jsonschema.Draft202012Validator(cases_json_schema())
    schema.check_schema(cases_json_schema())
    assert schema.is_valid(Document("f", case().encode()).data)
    assert not schema.is_valid(Document("f", case(given).encode()).data)
