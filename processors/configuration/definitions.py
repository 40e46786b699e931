"""Definitions from files and folders: every mistake of every file in one go, and the funnels where there are none."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path as File
from typing import NamedTuple

from processors.configuration.conversion_rates import check_rates
from processors.configuration.definition_file import DefinitionFile
from processors.configuration.entering import check_entering
from processors.configuration.known_fields import KnownFields
from processors.configuration.libraries import check_libraries, shared_able, shared_names
from processors.configuration.matching import able_to_match, check_matching
from processors.configuration.names import check_names
from processors.configuration.outline import POSITIONS, Outline
from processors.configuration.problems import Problem, Unreadable, in_order
from processors.configuration.reading_fields import check_fields
from processors.configuration.versions import check_together
from processors.configuration.yaml_source import read_document
from schemas.application import Application
from schemas.definitions import Funnel, Library, digest_of
from schemas.mistakes import Mistake, Path


class DefinitionSet(NamedTuple):
    """All definitions that an application uses.

    Attributes:
        funnels: Every version of every funnel, by name and version; those of files with mistakes of form are left out.
        libraries: Shared conversions, by name.
        files: The files, with places.
    """

    funnels: tuple[Funnel, ...]
    libraries: tuple[Library, ...]
    files: tuple[DefinitionFile, ...]

    @property
    def digest(self) -> str:
        """One digest over all of them: workers that differ in it must not run together."""
        return digest_of(sorted(funnel.digest for funnel in self.funnels))


def load_definitions(paths: Iterable[File | str], application: Application | None = None) -> tuple[DefinitionSet, list[Problem]]:
    """Read definitions.

    Args:
        paths: Files, or folders of which every `*.yml` but `*.test.yml` is read.
        application: Where it is known, only fields that its sources give may be read.

    Returns:
        The definitions, and every problem in order of file and place. Only without an error among them are the definitions whole.

    Raises:
        Unreadable: A path is missing or cannot be read, or a folder holds no definitions.
    """
    files = tuple(DefinitionFile(read_document(file)) for file in _files(paths))
    libraries = [file.model for file in files if isinstance(file.model, Library)]
    for file in files:
        if isinstance(file.model, Funnel):
            file.model = file.model.using(libraries)
    funnels = [file.model for file in files if isinstance(file.model, Funnel)]
    found = DefinitionSet(
        tuple(sorted(funnels, key=lambda funnel: (funnel.funnel, funnel.version))),
        tuple(sorted(libraries, key=lambda library: library.name)),
        files,
    )
    return found, in_order(_problems(files, KnownFields(application)))


def _files(paths: Iterable[File | str]) -> list[File]:
    found: dict[File, File] = {}  # by absolute path: a file that is named twice is read once
    for path in map(File, paths):
        for file in _in_folder(path) if _is_folder(path) else [path]:
            found.setdefault(file.absolute(), file)
    return list(found.values())


def _is_folder(path: File) -> bool:
    try:
        return path.is_dir()
    except OSError:  # such as a name that is too long; reading it says why
        return False


def _in_folder(folder: File) -> list[File]:
    try:
        files = sorted(file for file in folder.iterdir() if file.name.endswith(".yml") and not file.name.endswith(".test.yml"))
    except OSError as reason:
        raise Unreadable(f"{folder} cannot be read: {reason.strerror or reason}") from None
    if not files:
        raise Unreadable(f"{folder} holds no definitions: put a funnel there as NAME.yml")
    return files


def _problems(files: Sequence[DefinitionFile], fields: KnownFields) -> Iterator[Problem]:
    shared = shared_names(files)
    able = shared_able(files, shared)
    for file in files:
        document = file.document
        yield from document.problems
        if document.data is not None:
            yield from map(document.problem, _mistakes(file, shared, able, fields))
            doubtful = (*_undescribed(file.outline), *_without_deals(file.outline, fields))
            yield from (document.problem(mistake, "warning") for mistake in doubtful)
    yield from check_together(files)
    yield from check_libraries(files)


def _mistakes(file: DefinitionFile, shared: set[str], able: set[str], fields: KnownFields) -> Iterator[Mistake]:
    yield from file.mistakes
    outline = file.outline
    if not outline.keys:
        return

    def line_of(path: Path) -> int:
        return file.document.place(path).line

    yield from check_names(outline, shared, line_of)
    yield from check_rates(outline, line_of)
    if not outline.is_library:
        undefined = {name for _, name in outline.conversions_used()} - shared - {*outline.names("conversions")}
        able = able_to_match(outline.of("conversions"), able | undefined, outline.orderings())
    yield from check_matching(outline, able)
    yield from check_entering(outline, able)
    yield from check_fields(outline, fields)


def _undescribed(outline: Outline) -> Iterator[Mistake]:
    for rule in outline.of(*POSITIONS):
        if "description" not in rule.keys and rule.name:
            yield Mistake(rule.path, f"{rule.word} {rule.name} has no description: write one sentence that says what it means")


def _without_deals(outline: Outline, fields: KnownFields) -> Iterator[Mistake]:
    """A funnel of leads judges the deals that come with their leads, and no other."""
    reads_deals = any(rule.reads("deal") for rule in outline.of(*POSITIONS))
    if outline.keys.get("subject") == "lead" and reads_deals and not fields.of_leads_deals:
        mend = "name the lead in the records of deals (`attach` in a mapping, an identifier elsewhere), or write subject: deal"
        yield Mistake(("subject",), f"no source gives a deal with its lead, so what reads deal.* never holds for one: {mend}")
