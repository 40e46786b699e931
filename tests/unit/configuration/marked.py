"""Files with a mark: `→` stands where a mistake is expected to be reported, and is taken out before the file is read."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from processors.configuration.application import load_application
from processors.configuration.definitions import load_definitions
from processors.configuration.problems import Problem, errors
from schemas.application import Application

MARK = "→"
HEADER = """\
funnel: web
version: 1
owner: ops
reason: A test.
effective_from: 2026-01-01
subject: lead
"""
STAGES = "stages: [{name: mql, when: {event: A}}]\n"
SECTIONS = {
    "application": "application: app",
    "definitions": "definitions: d",
    "kafka": "kafka: {bootstrap.servers: b}",
    "identity": "identity: {namespaces: [{name: user, kind: lead}]}",
    "sources": "sources: {web: {topics: t, format: segment, identifiers: {userId: user}}}",
}


class Marked(NamedTuple):
    """A marked text with one mistake, the key it is expected under, words of the sentence, and whether it is a whole file."""

    key: str
    says: str
    text: str
    whole: bool = True


def unmarked(text: str) -> tuple[str, str]:
    """The text without its mark, and the marked place as `line:column`."""
    before, mark, after = text.partition(MARK)
    assert mark, "nothing is marked"
    return before + after, f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


def blocks(name: str) -> list[Any]:
    """The blocks of a file of mistakes, each a parameter of a test."""
    found = []
    for block in Path(__file__).with_name(name).read_text().split("=== ")[1:]:
        title, key, says, text = block.split("\n", 3)
        parsed = Marked(
            key.removeprefix("key:").strip(), says.removeprefix("says: "), text.rstrip() + "\n", title.endswith("(whole file)")
        )
        found.append(pytest.param(parsed, id=title.removesuffix(" (whole file)")))
    return found


def funnel(body: str) -> str:
    """A funnel of this body below a header without mistakes; with a stage, unless the body defines stages."""
    return HEADER + ("" if "stages:" in body else STAGES) + body


def configuration(sections: str) -> str:
    """A configuration without mistakes, but for the sections given."""
    given = [name for name in SECTIONS if sections.lstrip(MARK).startswith(f"{name}:") or f"\n{name}:" in sections]
    return sections + "".join(f"{section}\n" for name, section in SECTIONS.items() if name not in given)


def mistakes_in(folder: Path, application: Application | None = None, **files: str) -> list[Problem]:
    """The errors in definition files of these names and texts."""
    for name, text in files.items():
        (folder / f"{name}.yml").write_text(text)
    return errors(load_definitions([folder], application)[1])


def configured(folder: Path, text: str, environment: Mapping[str, str] | None = None) -> tuple[Application | None, list[Problem]]:
    """A configuration of this text in a file of the folder, as it loads."""
    file = folder / "application.yml"
    file.write_text(text)
    application, problems = load_application(file, environment or {})
    assert (application is None) == bool(problems)
    return application, problems
