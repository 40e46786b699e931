"""YAML as people and attackers write it: places are right, and nothing but problems comes of it."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.configuration import interpolation, yaml_nodes
from processors.configuration.application import load_application
from processors.configuration.definitions import load_definitions
from processors.configuration.json_schemas import application_json_schema, definition_json_schema
from processors.configuration.problems import Unreadable
from processors.configuration.yaml_nodes import DEEPEST_NESTING, LARGEST_FILE
from processors.configuration.yaml_source import Document
from schemas.mistakes import shown
from tests.unit.configuration.marked import blocks, configuration, funnel, unmarked

LAUGHS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("a: [", "1:5", "this is no YAML: expected the node content"),
        ("a: b: c", "1:5", "mapping values are not allowed here"),
        ("a:\n\tb: 1", "2:1", "cannot start any token"),
        ("a: 1\nb: 2\na: 3", "3:1", "key a is written twice (lines 1 and 3): keep one"),
        ("--- a\n--- b", "2:1", "found another document"),
        ("a: *b", "1:4", "undefined alias"),
        ("a:\n  - !!python/object:os.system x", "2:5", "has no meaning here: leave it out"),
        ("a: &a {b: 1}\nc: {<<: *a}", "2:5", "merge keys (<<) are not part of YAML 1.2"),
        ("? [a]\n: b", "1:3", "a key must be a text"),
        ("a: .inf", "1:4", "put it in quotes"),
        ("a: " + "9" * 5000, "1:4", "put it in quotes"),
        ("a: 0x" + "f" * 5000, "1:4", "put it in quotes"),
        ("a: 0o" + "7" * 5000, "1:4", "put it in quotes"),
        ('a: "\\ud800"', "1:4", "half a character"),
        ("a: \x00", "1:4", "this is no YAML"),
        ("", "1:1", "the file is empty"),
        ("# nothing\n~", "2:1", "the file is empty"),
        ("x: " + "[" * 500, f"1:{DEEPEST_NESTING + 3}", "nested more than"),
        ("- " * 500, f"1:{DEEPEST_NESTING * 2 + 1}", "nested more than"),
        ("&a [*a]", "1:1", "nested more than"),
        (LAUGHS, "1:18", "once its aliases are written out"),
        ("#" * (LARGEST_FILE + 1), "1:1", "larger than 256 KiB"),
    ],
)
def test_what_cannot_be_read(text: str, place: str, says: str) -> None:
    (problem,) = Document("f", text.encode()).problems
    assert f"{problem.line}:{problem.column}" == place
    assert says in problem.sentence


def test_a_file_is_not_read_to_its_end_once_it_says_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each thing costs, and they are counted before anything is built of them: an alias is one, whatever it stands for."""
    monkeypatch.setattr(yaml_nodes, "MOST_VALUES", 10)
    (problem,) = Document("f", b"[1,2,3,4,5,6,7,8,9,10,11, {}}").problems
    assert (problem.column, problem.sentence[:28]) == (20, "the file says more than 5000")
    assert Document("f", b"[1,2,3,4,5,6,7,8,9]").problems == []


def test_thousands_of_references_and_mistakes_are_concealed_one_by_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What a mistake could repeat is found by its place, not by going through all references again."""
    (tmp_path / "f.yml").write_text("".join(f"k{index}: ${{A}}\n" for index in range(300)))
    looked_at = 0

    def counted(value: object) -> str:
        nonlocal looked_at
        looked_at += 1
        return shown(value)

    monkeypatch.setattr(interpolation, "shown", counted)
    _, problems = load_application(tmp_path / "f.yml", {"A": "secret"})
    assert len(problems) > 300
    assert looked_at < 2000
    assert not any("secret" in str(problem) for problem in problems)


def test_a_file_that_is_no_text() -> None:
    (problem,) = Document("f", b"a: b\nc: d\xff").problems
    assert (problem.line, problem.column, problem.sentence[:21]) == (2, 5, "the file is not UTF-8")


def test_values_are_those_of_yaml_1_2() -> None:
    text = "[yes, on, ~, true, 0o17, 007, 1_000, 1e3, 2026-01-01, 12:30, '5', x]\n"
    values = ["yes", "on", None, True, 15, 7, 1000, 1000.0, "2026-01-01", "12:30", "5", "x"]
    assert Document("f", b"\xef\xbb\xbf" + text.encode()).data == values
    assert Document("f", b"{1: a, true: b, ~: c}").data == {"1": "a", "true": "b", "~": "c"}


def test_places_of_keys_values_and_what_is_not_there() -> None:
    document = Document("f", b"a:\n  - name: x\n    b: {c: 1}\n")
    assert document.place(("a", 0, "b", "c")) == (3, 12)
    assert document.place(("a", 0, "b", "c"), of_key=True) == (3, 9)
    assert document.place(("a", 0, "zzz")) == (2, 5)
    assert document.label(("a", 0, "b")) == "a.x.b"


def test_a_problem_stays_on_its_line(tmp_path: Path) -> None:
    file = tmp_path / "f.yml"
    file.write_text('{"a\\nb\\e[31m": 1}')
    assert all(str(problem).isprintable() for problem in load_definitions([file])[1])


def test_a_problem_is_short_whatever_was_written(tmp_path: Path) -> None:
    """The beginning says what is wrong, the end what to write instead."""
    file = tmp_path / "f.yml"
    file.write_text(f"{'k' * 900}: {{{'m' * 900}: 1}}\nstages: [{{name: {'n' * 50_000}, colour: red}}]\n")
    _, problems = load_definitions([file])
    assert max(len(str(problem)) for problem in problems) < 1_500
    assert any("unknown key kkk" in problem.sentence and problem.sentence.endswith("retired") for problem in problems)


@pytest.mark.parametrize("path", ["missing.yml", "empty"])
def test_what_is_not_there_is_no_mistake_of_the_writer(path: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(Unreadable, match=path):
        load_definitions([tmp_path / path])
    with pytest.raises(Unreadable, match=path):
        load_application(tmp_path / path, {})


def _keys(schema: Any) -> Iterator[str]:
    """Every key that a schema names."""
    for key, inner in schema.items() if isinstance(schema, dict) else ():
        yield from inner if key == "properties" else ()
        yield from _keys(inner)


FREE_KEYS = {"lead.status", "deal.stage", "event.page", "session.timeout.ms", "partition.assignment.strategy"}
KEYS = st.sampled_from(sorted({*_keys(definition_json_schema()), *_keys(application_json_schema())} | FREE_KEYS))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(),
    st.sampled_from(
        ["mql", "0d", "30d", "lead", "deal", "deal.stage", "${A}", "(", "hubspot", "consumer", "2026-01-01", "event.x"]
    ),
)
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS | st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
)
WRITTEN = [
    unmarked(complete(marked.text) if not marked.whole else marked.text)[0]
    for name, complete in (("mistakes.txt", funnel), ("application_mistakes.txt", configuration))
    for (marked,) in (block.values for block in blocks(name))
    if "→[" not in marked.text or not marked.whole
]


def _json(tree: object) -> bytes:
    """Any tree as YAML, of which JSON is a part."""
    return json.dumps(tree, ensure_ascii=False).encode(errors="replace")


def _nothing_but_problems(file: Path, raw: bytes) -> None:
    file.write_bytes(raw)
    _, problems = load_definitions([file])
    application, configured = load_application(file, {"A": "x"})
    assert application is not None or configured
    for problem in (*problems, *configured):
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.sentence


@given(raw=st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode(errors="replace")))
def test_whatever_the_bytes_nothing_but_problems_comes_of_them(raw: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    _nothing_but_problems(tmp_path_factory.getbasetemp() / "bytes.yml", raw)


@settings(max_examples=50)
@given(tree=st.dictionaries(KEYS, TREES, max_size=8))
def test_whatever_the_tree_nothing_but_problems_comes_of_it(
    tree: dict[str, object], tmp_path_factory: pytest.TempPathFactory
) -> None:
    _nothing_but_problems(tmp_path_factory.getbasetemp() / "tree.yml", _json(tree))


@settings(max_examples=50)
@given(text=st.sampled_from(WRITTEN), value=TREES, random=st.randoms(use_true_random=False))
def test_whatever_is_put_into_a_file_nothing_but_problems_comes_of_it(
    text: str, value: object, random: Random, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Files that are nearly right reach further than noise: one value of theirs becomes any tree."""
    data = Document("f", text.encode()).data
    container, key = random.choice(list(_places(data)))
    container[key] = value
    _nothing_but_problems(tmp_path_factory.getbasetemp() / "mutated.yml", _json(data))


def _places(data: Any) -> Iterator[tuple[Any, Any]]:
    """Every container of a tree with each of its keys."""
    for key, inner in list(data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()):
        yield data, key
        yield from _places(inner)
