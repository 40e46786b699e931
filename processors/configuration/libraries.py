"""Shared libraries: none waits for itself through another, and no exclusive group reaches over two files."""

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path as File

from processors.configuration.definition_file import DefinitionFile
from processors.configuration.matching import able_to_match
from processors.configuration.problems import Problem
from schemas.definitions import Funnel
from schemas.mistakes import Mistake


def check_libraries(files: Sequence[DefinitionFile]) -> Iterator[Problem]:
    """What libraries, and funnels with libraries, contradict each other in."""
    libraries = [file for file in files if file.outline.is_library]
    yield from _cycles(libraries)
    yield from _groups_of_two_files(files, libraries)


def shared_names(files: Sequence[DefinitionFile]) -> set[str]:
    """The conversions that libraries define."""
    return {name for file in files if file.outline.is_library for name in file.outline.names("conversions")}


def shared_able(files: Sequence[DefinitionFile], shared: Collection[str]) -> set[str]:
    """Those of them that can match: judged over all libraries together, because one may wait for another's."""
    libraries = [file.outline for file in files if file.outline.is_library]
    undefined = {name for outline in libraries for _, name in outline.conversions_used() if name not in shared}
    return able_to_match([rule for outline in libraries for rule in outline.of("conversions")], undefined, {})


def _cycles(libraries: Sequence[DefinitionFile]) -> Iterator[Problem]:
    """Every use of one library's conversion by another that, followed on, leads back."""
    home = {name: file for file in libraries for name in file.outline.names("conversions")}
    uses = {
        file: [(path, home[name], name) for path, name in file.outline.conversions_used() if home.get(name, file) is not file]
        for file in libraries
    }
    reached = _reached({file: {other for _, other, _ in used} for file, used in uses.items()})
    for file, used in uses.items():
        for path, other, name in used:
            if file in reached[other]:
                sentence = (
                    f"libraries {_stem(file)} and {_stem(other)} use each other: {name} is defined in {other.document.file}, and "
                    "that leads back to this file; move what both need into one of them, or into a third"
                )
                yield file.document.problem(Mistake(path, sentence))


def _reached(uses: dict[DefinitionFile, set[DefinitionFile]]) -> dict[DefinitionFile, set[DefinitionFile]]:
    """What each library uses, itself or through others."""
    reached = {}
    for file, used in uses.items():
        found, new = {*used}, used
        while new := {further for other in new for further in uses[other]} - found:
            found |= new
        reached[file] = found
    return reached


def _stem(file: DefinitionFile) -> str:
    return File(file.document.file).stem


def _groups_of_two_files(files: Sequence[DefinitionFile], libraries: Sequence[DefinitionFile]) -> Iterator[Problem]:
    """The order in a file says who wins in its groups; between two files nothing would."""
    for file in files:
        if not isinstance(file.model, Funnel):
            continue
        lending = {library.name for library in file.model.libraries}
        groups = {group: library for library in libraries if _stem(library) in lending for group in _groups(library)}
        for rule in file.outline.of("conversions"):
            if isinstance(group := rule.keys.get("exclusive"), str) and group in groups:
                there = groups[group].document.file
                mend = "give this group another name, or move these conversions into one file"
                sentence = f"exclusive group {group} is one of {there} too, and nothing says which conversion goes first: {mend}"
                yield file.document.problem(Mistake((*rule.path, "exclusive"), sentence))


def _groups(file: DefinitionFile) -> set[str]:
    written = (rule.keys.get("exclusive") for rule in file.outline.of("conversions"))
    return {group for group in written if isinstance(group, str)}
