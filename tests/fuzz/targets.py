"""What is fuzzed: one target for each source format and each kind of file that people write.

A target takes any bytes and raises where a promise about them is broken. Records go down the whole path, one a line; files are
loaded as commands load them, and where nothing is wrong with one, what it says must compile and take records.
"""

import os
import tempfile
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

from msgspec.structs import replace

from processors.cli.loading import Loaded
from processors.configuration.application import WrittenApplication, load_application
from processors.configuration.definitions import DefinitionSet, load_definitions
from processors.configuration.json_schemas import application_json_schema, definition_json_schema
from processors.configuration.problems import Problem, errors
from processors.configuration.unbuilt import unbuilt
from processors.sources import FORMATS
from processors.sources.statement import SourceRecord
from processors.topology.program import Program
from tests.property.hostile import NESTED, NOT_JSON, NUMBERS, TIMES
from tests.property.hostile import WORDS as TEXTS
from tests.whole_path import CONFIGURATION, WORLD, drive, source_record

HERE = Path(__file__).parent
LARGEST_INPUT = 4096
"""Bytes of an input: more makes fuzzing slow, and size has tests of its own (tests/property/test_large_records.py)."""
MOST_RECORDS = 8
LONGEST_PROBLEM = 4000
ENVIRONMENT = {"A": "x", "BROKERS": "localhost:9092", "EMPTY": ""}


class Target(NamedTuple):
    """Something that takes bytes from outside.

    Attributes:
        name: Also of its folders of inputs.
        run: Takes any bytes; raises where a promise is broken.
        words: What inputs are made of, for mutations.
        folder: Where its inputs lie.
    """

    name: str
    run: Callable[[bytes], None]
    words: tuple[str, ...]
    folder: Path = HERE

    @property
    def corpus(self) -> Path:
        """Inputs that reach something of their own."""
        return self.folder / "corpus" / self.name

    @property
    def regressions(self) -> Path:
        """Inputs that once broke a promise; fuzzers leave new ones here."""
        return self.folder / "regressions" / self.name

    def inputs(self) -> list[Path]:
        """All inputs that are kept."""
        return sorted(file for folder in (self.corpus, self.regressions) if folder.is_dir() for file in folder.iterdir())


def _records(source_format: str) -> Callable[[bytes], None]:
    """The same lines for every source of a format, each in a run of its own."""
    sources = [name for name, source in WORLD.application.sources.items() if source.format == source_format]

    def run(data: bytes) -> None:
        for source in sources:
            drive(_lines(source, data))

    return run


def _lines(source: str, data: bytes) -> Iterable[SourceRecord]:
    lines = data.split(b"\n", MOST_RECORDS)[:MOST_RECORDS]
    return [source_record(source, line, offset) for offset, line in enumerate(lines)]


def configuration(data: bytes) -> None:
    """Bytes as the configuration of an application, with sound definitions."""
    file = _file("funnelstream.yml", data)
    application, problems = load_application(file, ENVIRONMENT)
    assert application is not None or problems
    _check(problems)
    if application is None:
        return
    definitions, found = load_definitions([CONFIGURATION.parent / "funnels/people.yml"], application)
    _check(found)
    if not errors(found):
        _compile(application, definitions)


def definitions(data: bytes) -> None:
    """Bytes as a definition, for a sound application."""
    found, problems = load_definitions([_file("funnel.yml", data)], WORLD.application)
    _check(problems)
    if not errors(problems):
        _compile(WORLD.application, found)


def _check(problems: Iterable[Problem]) -> None:
    for problem in problems:
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.sentence
        assert len(str(problem)) <= LONGEST_PROBLEM, str(problem)[:LONGEST_PROBLEM]


def _compile(application: WrittenApplication, found: DefinitionSet) -> None:
    """What `lint` lets pass, `run` can do: compile it and take records; or it is refused by name."""
    if unbuilt(found, application):
        return
    world = Loaded(application, found.funnels, (), Program(found.funnels, application))
    for name, source in application.sources.items():
        drive([replace(record, source=name) for record in _sound(source.format)], world)


@cache
def _sound(source_format: str) -> list[SourceRecord]:
    """A sound record of each file."""
    files = sorted((HERE / "corpus" / source_format).glob("*.ndjson"))
    return [source_record("", file.read_bytes().partition(b"\n")[0], offset) for offset, file in enumerate(files)]


@cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix=f"fuzz-{os.getpid()}-")


def _file(name: str, data: bytes) -> Path:
    file = Path(_folder().name, name)
    file.write_bytes(data)
    return file


def _keys(schema: object) -> set[str]:
    """Every key and choice that a schema names."""
    if isinstance(schema, list):
        return {key for inner in schema for key in _keys(inner)}
    if not isinstance(schema, dict):
        return set()
    named = {*schema.get("properties", ()), *(choice for choice in schema.get("enum", ()) if isinstance(choice, str))}
    return named | _keys(list(schema.values()))


_JSON = (*TIMES, *NUMBERS, *TEXTS, *NOT_JSON, *NESTED[:-2], "{", "}", "[", "]", ",", ":", "\n", "null", '""', "true")
_YAML = (
    *(*TIMES[:12], *NUMBERS[:16], *TEXTS[:10], "${A}", "${B:-x}", "${EMPTY}", "${file:x}", "${", "&a ", "*a", "<<: ", "? ", "- "),
    *(": ", "|\n", ">-\n", "#", "---\n", "...\n", "!!str ", "!!binary ", "!x ", "%YAML 1.1\n", "{", "}", "[", "]", ",", "'", '"'),
    *("\n", "  ", "\t", "\x00", "\x85", "\ufeff", "~", "0x" + "f" * 4000, ".inf", "1_000", "30d", "1MiB", "(", "^a+b?$"),
)

TARGETS = {
    target.name: target
    for target in (
        *(Target(source_format, _records(source_format), _JSON) for source_format in FORMATS),
        Target("configuration", configuration, (*_YAML, *sorted(_keys(application_json_schema())))),
        Target("definitions", definitions, (*_YAML, *sorted(_keys(definition_json_schema())))),
    )
}
