"""What concerns several definition files at once: versions of one funnel, and conversions that two files define."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from processors.configuration.definition_file import DefinitionFile
from processors.configuration.problems import Problem
from processors.configuration.yaml_source import Document
from schemas.definitions import Funnel
from schemas.instants import format_instant
from schemas.mistakes import Mistake, Path, suggestion


class _Version(NamedTuple):
    funnel: Funnel
    document: Document


def check_together(files: Sequence[DefinitionFile]) -> Iterator[Problem]:
    """What files contradict each other in; said at the later one."""
    by_funnel: dict[str, list[_Version]] = {}
    for file in files:
        if isinstance(file.model, Funnel):
            by_funnel.setdefault(file.model.funnel, []).append(_Version(file.model, file.document))
    for versions in by_funnel.values():
        versions.sort(key=lambda version: version.funnel.version)  # stable: of equal ones the first file stays first
        yield from _repeated(versions)
        distinct = list({version.funnel.version: version for version in reversed(versions)}.values())[::-1]
        yield from _starts([version for version in distinct if version.funnel.effective_from is not None])
        for index in range(1, len(distinct)):
            yield from _vanished(distinct[:index], distinct[index])
            yield from _other_grain(distinct[index - 1], distinct[index])
    yield from _shared_twice(files)


def _repeated(versions: Sequence[_Version]) -> Iterator[Problem]:
    following = versions[-1].funnel.version + 1
    for (earlier, first), (later, second) in pairwise(versions):
        if earlier.version == later.version:
            there = f"{first.file}:{first.place(('version',)).line}"
            sentence = f"version {later.version} of {later.funnel} is defined in {there} too: write version: {following}"
            yield second.problem(Mistake(("version",), sentence))


def _starts(official: Sequence[_Version]) -> Iterator[Problem]:
    for (earlier, _), (later, document) in pairwise(official):
        before, start = earlier.effective_from or 0, later.effective_from or 0
        if start <= before:
            how = "with" if start == before else "before"
            mend = f"write an instant after {format_instant(before)}"
            yield document.problem(
                Mistake(("effective_from",), f"version {later.version} starts {how} version {earlier.version}: {mend}")
            )


def _vanished(before: Sequence[_Version], version: _Version) -> Iterator[Problem]:
    funnel, document = version
    stages = {stage.name for stage in funnel.stages}
    for stage in before[-1].funnel.stages:
        if stage.name not in stages and stage.name not in funnel.retired:
            mend = f"write retired: {{{stage.name}: STAGE}}, or {{{stage.name}: remove}}"
            yield document.problem(Mistake(("retired",), f"{stage.name} vanished without a mapping: {mend}"))
    known = {stage.name for earlier in before for stage in earlier.funnel.stages}
    for name in funnel.retired:
        if name not in known:
            hint = suggestion(name, known) or ": leave it out"
            yield document.problem(Mistake(("retired", name), f"{name} was no stage of an earlier version{hint}", of_key=True))


def _other_grain(earlier: _Version, later: _Version) -> Iterator[Problem]:
    """One history goes through all versions of a funnel, so all of them count the same."""
    (before, there), (funnel, document) = earlier, later
    for key, was, now in (("subject", [before.subject], [funnel.subject]), ("also", before.also, funnel.also)):
        if sorted(was) != sorted(now):
            where = f"{there.file}:{there.place((key,)).line}"
            mend = f"write {key}: {_listed(key, was)} as there, or give the funnel another name"
            says = f"version {funnel.version} counts other grains than version {before.version} ({where})"
            yield document.problem(Mistake((key,), f"{says}: {mend}"))


def _listed(key: str, grains: Sequence[str]) -> str:
    return grains[0] if key == "subject" else f"[{', '.join(grains)}]"


_SHARED_LIBRARY = "take out the one that no version in use counts, or give that one another name"
_SHARED_VERSION = (
    "if this version is in use, leave it alone, give the library's another name and use that in the next version; else take "
    "this one out"
)
"""What to write instead where a conversion is defined twice: never an edit of what was judged already."""


def _shared_twice(files: Sequence[DefinitionFile]) -> Iterator[Problem]:
    """One demo_request has one definition: a library's conversion is nowhere else."""
    shared: dict[str, tuple[Document, Path]] = {}
    for file in sorted(files, key=lambda file: not file.outline.is_library):
        for rule in file.outline.of("conversions"):
            place: Path = (*rule.path, "name")
            first, there = shared.get(rule.name, (file.document, place))
            if first is not file.document:
                where = f"{first.file}:{first.place(there).line}"
                mend = _SHARED_LIBRARY if file.outline.is_library else _SHARED_VERSION
                yield file.document.problem(Mistake(place, f"conversion {rule.name} is defined in {where} already: {mend}"))
            if file.outline.is_library and rule.name:
                shared.setdefault(rule.name, (file.document, place))
