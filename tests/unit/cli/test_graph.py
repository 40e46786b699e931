"""`funnelstream graph`: every place of a funnel with what enters it, in both languages, and which funnel is meant."""

from pathlib import Path

import pytest

from processors.engine.stop import ENVIRONMENT, INPUT
from tests.unit.cli.called import call, stopped
from tests.unit.cli.described import write


def test_mermaid_shows_every_place_and_what_enters_it(tmp_path: Path) -> None:
    """A stage may be called `end`, which Mermaid keeps for itself, so nodes go by numbers."""
    lines = [line.strip() for line in call("graph", write(tmp_path), "--funnel", "sales").stdout.splitlines()]
    assert lines[:4] == ["---", "title: sales v2, per lead", "---", "flowchart TD"]
    assert 's0["<b>end</b><br/>when: conversion demo_request<br/>(optional: passing it is no skip)"]' in lines
    assert lines[4:9] == [
        'subgraph stages [" "]',
        *(line for line in lines if line[:2] in ("s0", "s1", "s2") and "[" in line),
        "end",
    ]
    assert 'o0(["<b>won</b><br/>(won)<br/>while: deal.is_won is true and deal.closed_at has passed"])' in lines
    ways = [line for line in lines if "->" in line]
    assert ways == [
        "s0 --> s1",
        "s1 --> s2",
        "stages -.-> d0",
        'd0 -.->|"back to the stage left"| stages',
        "stages --> o0",
        "stages --> o1",
        's0 -.->|"ends 30d after its last signal"| gone',
    ]


def test_dot_says_the_same(tmp_path: Path) -> None:
    text = call("graph", write(tmp_path) / "sales-2.yml", "--format", "dot").stdout
    assert text.startswith('digraph funnel {\n  label="sales v2, per lead"')
    assert 's0 [shape=box, label="end\\nwhen: conversion demo_request\\n(optional: passing it is no skip)"];' in text
    assert "s2 -> o1 [ltail=cluster_stages];" in text
    assert 's0 -> gone [label="ends 30d after its last signal", style=dotted];' in text


def test_what_has_a_meaning_in_the_language_is_written_so_that_it_has_none(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "web.yml").write_text(
        "funnel: web\nversion: 1\nowner: o\nreason: r\neffective_from: 2026-01-01\nsubject: lead\n"
        """stages: [{name: a, when: {event: '<b>"#1`\\'}}]\n"""
    )
    assert "event #lt;b#gt;#quot;#35;1#96;\\" in call("graph", tmp_path / "web.yml").stdout
    assert 'event <b>\\"#1`\\\\' in call("graph", tmp_path / "web.yml", "--format", "dot").stdout


def test_a_file_is_the_version_that_it_is_and_a_folder_the_newest(tmp_path: Path) -> None:
    write(tmp_path)
    assert "title: sales v1" in call("graph", tmp_path / "sales-1.yml").stdout
    assert "title: sales v2" in call("graph", tmp_path, "--funnel", "sales").stdout


@pytest.mark.parametrize(
    ("path", "options", "said"),
    [
        (".", [], "Invalid value: several funnels: --funnel NAME, one of sales, web"),
        (".", ["--funnel", "shop"], "has no funnel 'shop': there are sales, web"),
        ("shared.yml", [], "is a library of conversions: name a funnel"),
    ],
)
def test_which_funnel_is_meant_must_be_said(tmp_path: Path, path: str, options: list[str], said: str) -> None:
    done = call("graph", write(tmp_path) / path, *options)
    assert (done.exit_code, said in " ".join(done.stderr.replace("│", " ").split())) == (2, True), done.stderr


def test_a_file_with_mistakes_is_refused_and_its_neighbours_are_not_held_against_it(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "broken.yml").write_text("funnel: broken\n")
    assert stopped("graph", tmp_path / "broken.yml")[0] == INPUT
    assert call("graph", tmp_path / "web.yml").exit_code == 0
    assert stopped("graph", tmp_path / "nowhere.yml")[0] == ENVIRONMENT
