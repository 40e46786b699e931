"""What definitions become: trees in file order, digests of what they say, libraries that are part of who uses them."""

from pathlib import Path

import jsonschema

from processors.configuration.definitions import DefinitionSet, load_definitions
from processors.configuration.json_schemas import application_json_schema, definition_json_schema
from processors.configuration.problems import errors
from processors.configuration.yaml_source import Document
from schemas.definitions import AllOf, AnyOf, Count, Expiry, FieldTest, Funnel, Happened, Not, Signal, Stage
from schemas.instants import DAY, parse_instant
from tests.shared_material import ROOT
from tests.unit.configuration.marked import HEADER, STAGES, funnel
from tests.unit.configuration.test_application import EXAMPLE

LIBRARY = "owner: marketing\nversion: 1\nconversions: [{name: demo, description: d, when: {event: A}}]\n"
USER = funnel("stages: [{name: mql, when: {conversion: demo}}]\n")


def loaded(folder: Path, **files: str) -> DefinitionSet:
    """Definitions without mistakes."""
    for name, text in files.items():
        (folder / f"{name}.yml").write_text(text)
    found, problems = load_definitions([folder])
    assert errors(problems) == []
    return found


def the_funnel(folder: Path, text: str) -> Funnel:
    """The only funnel of a file."""
    return loaded(folder, funnel=text).funnels[0]


def test_cases_load_without_errors_and_fit_the_published_schema(shared: Path) -> None:
    found, problems = load_definitions([shared / "cases"])
    assert errors(problems) == []
    assert {"dreamdata", "leadsquared", "prospecting", "revops", "shop"} <= {funnel.funnel for funnel in found.funnels}
    for file in found.files:
        jsonschema.validate(file.document.data, definition_json_schema())


def test_what_ships_has_neither_errors_nor_warnings() -> None:
    found, problems = load_definitions([ROOT / "funnels"])
    assert problems == []
    assert [funnel.funnel for funnel in found.funnels] == [
        "dreamdata-lead",
        "hubspot-lifecycle",
        "leadsquared",
        "prospecting",
        "revops",
        "shop",
    ]
    assert {funnel.effective_from for funnel in found.funnels} == {parse_instant("2015-01-01")}
    for file in found.files:
        jsonschema.validate(file.document.data, definition_json_schema())


def test_the_schemas_are_schemas_and_refuse_what_lint_refuses() -> None:
    for schema in (definition_json_schema(), application_json_schema()):
        jsonschema.Draft202012Validator.check_schema(schema)
    definition = jsonschema.Draft202012Validator(definition_json_schema())
    assert definition.is_valid(Document("f", LIBRARY.encode()).data)
    for wrong in (
        "stags: []",
        "stages: [{name: a, when: {evnt: A}}]",
        "stages: [{name: a, while: {x.y: 1}}]",
        "policies: {lateness: 5}",
    ):
        assert not definition.is_valid(Document("f", funnel(f"{wrong}\n").encode()).data), wrong
    application = jsonschema.Draft202012Validator(application_json_schema())
    data = Document("f", EXAMPLE.replace('"${PARTITIONS:-12}"', "12").encode()).data
    assert [error.message for error in application.iter_errors(data)] == []
    assert not application.is_valid({**data, "limits": {"record_bytes": 5}})


def test_conditions_keep_the_order_of_the_file(tmp_path: Path) -> None:
    text = """stages:
      - name: a
        while:
          - {lead.b: [x, 1], lead.a: {at_least: 5, below: 9.5}, not: {lead.c: {exists: true}}}
          - any: [{happened: [demo]}, {deal.stage: {above: open, of: o}}]
        when: {event: E, event.page: home, event.properties.n: {above: 1}, if: {lead.vip: true}}
orderings: {o: [open, won]}
conversions: [{name: demo, description: d, when: {event: [A, B]}, count: {once_per_window: 2w}}]
"""
    made = the_funnel(tmp_path, funnel(text))
    assert made.stages[0].while_ == (
        AllOf(
            parts=(
                FieldTest(field="lead.b", operator="in", operand=("x", 1)),
                FieldTest(field="lead.a", operator="at_least", operand=5),
                FieldTest(field="lead.a", operator="below", operand=9.5),
                Not(part=FieldTest(field="lead.c", operator="exists", operand=True)),
            )
        ),
        AnyOf(
            parts=(
                Happened(conversions=("demo",)),
                FieldTest(field="deal.stage", operator="above", operand="open", ordering="o"),
            )
        ),
    )
    assert made.stages[0].when == (
        Signal(
            events=("E",),
            where=AllOf(
                parts=(
                    FieldTest(field="event.page", operator="equals", operand="home"),
                    FieldTest(field="event.properties.n", operator="above", operand=1),
                )
            ),
            condition=FieldTest(field="lead.vip", operator="equals", operand=True),
        ),
    )
    assert made.conversions[0].count == Count(method="once_per_window", window=14 * DAY)


def test_defaults(tmp_path: Path) -> None:
    made = the_funnel(tmp_path, funnel("stages: [{name: a, when: {event: A}, expires: {after: 30d, anchor: last}}]\n"))
    assert made.effective_from == parse_instant("2026-01-01")
    assert made.stages == (Stage(name="a", when=(Signal(events=("A",)),), expires=Expiry(after=30 * DAY, anchor="last")),)
    assert (made.policies.backward, made.policies.skip, made.policies.after_outcome) == ("allow", "flag", "ignore")
    assert (made.policies.lateness, made.stages[0].lapse) == (90 * DAY, "regress")


def test_the_digest_is_of_what_is_said_not_of_how(tmp_path: Path) -> None:
    digest = the_funnel(tmp_path, HEADER + STAGES).digest
    same = (
        "# a comment\n"
        + HEADER.replace("2026-01-01", "'2026-01-01T01:00:00+01:00'")
        + "policies: {skip: flag, lateness: 2160h}\n"
        + STAGES
    )
    assert the_funnel(tmp_path, same).digest == digest
    for said, instead in (
        ("event: A", "event: B"),
        ("when: {event: A}", "while: {any: [{lead.a: 1}]}"),
        ("mql", "sql"),
        ("ops", "op"),
    ):
        assert the_funnel(tmp_path, HEADER.replace(said, instead) + STAGES.replace(said, instead)).digest != digest, said
    either = the_funnel(tmp_path, HEADER + "stages: [{name: a, while: {any: [{lead.a: 1}, {lead.b: 1}]}}]\n").digest
    both = the_funnel(tmp_path, HEADER + "stages: [{name: a, while: {all: [{lead.a: 1}, {lead.b: 1}]}}]\n").digest
    assert either != both


def test_a_library_is_part_of_the_digest_of_who_uses_it(tmp_path: Path) -> None:
    found = loaded(tmp_path, shared=LIBRARY, user=USER, other=funnel("").replace("funnel: web", "funnel: other"))
    other, user = found.funnels
    assert [library.name for library in user.libraries] == ["shared"]
    changed = loaded(tmp_path, shared=LIBRARY.replace("event: A", "event: B")).funnels
    assert changed[1].digest != user.digest
    assert changed[0].digest == other.digest
    assert found.digest != user.digest


SIGN_UPS = """owner: product
version: 3
conversions:
  - {name: signed_up, description: d, when: {event: Signed Up, event.properties.plan: free}, exclusive: sign_up}
  - {name: unused, description: d, when: {event: Other}}
  - {name: trial, description: d, owner: sales, when: {event: Signed Up}, exclusive: sign_up}
"""
ASKING = (
    "owner: marketing\nversion: 1\nconversions: [{name: asked, description: d, when: {event: Asked, if: {happened: trial}}}]\n"
)
SHARING = """conversions: [{name: own, description: d, when: {event: Own}}]
stages:
  - {name: s, when: {conversion: own}}
  - {name: t, while: {any: [{lead.vip: true}, {happened: asked}]}}
"""


def test_conversions_of_libraries_count_in_the_funnels_that_use_them(tmp_path: Path) -> None:
    """Own ones first, then by library and file: what is named, what that waits for, and its exclusive group; never the rest."""
    found = loaded(tmp_path, **{"sign-ups": SIGN_UPS, "asking": ASKING, "web": funnel(SHARING)})
    (web,) = found.funnels
    counted = [(conversion.name, conversion.owner) for conversion in web.all_conversions]
    assert counted == [("own", None), ("asked", "marketing"), ("signed_up", "product"), ("trial", "sales")]
    assert [conversion.name for conversion in web.conversions] == ["own"]
    assert [library.name for library in web.libraries] == ["asking", "sign-ups"]
    alone = funnel("stages: [{name: s, when: {event: A}}]\nsegments: {x: {value: lead.source, rule: last_touch}}\n")
    touched = alone.replace("rule: last_touch", "rule: last_touch, touch: {conversion: unused}")
    assert the_funnel(tmp_path, alone.replace("web", "a")).all_conversions == ()
    (tmp_path / "funnel.yml").unlink()
    assert [each.name for each in loaded(tmp_path, web=touched).funnels[0].all_conversions] == ["unused"]


def test_a_folder_is_read_without_its_tests_and_a_file_once(tmp_path: Path) -> None:
    (tmp_path / "web.test.yml").write_text("tests: []")
    (tmp_path / "notes.md").write_text("[")
    loaded(tmp_path, web=HEADER + STAGES)
    found, problems = load_definitions([tmp_path, tmp_path / "web.yml"])
    assert (len(found.funnels), errors(problems)) == (1, [])
