"""Given/expect files: read, and held against the definitions they are for.

A misspelt name is a mistake with its place here, and not a case that fails for a reason nobody sees.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path as File
from typing import NamedTuple

from processors.configuration.problems import Problem, Unreadable, in_order
from processors.configuration.sentences import validated
from processors.configuration.yaml_source import read_document
from processors.topology.compiler import signals_of
from schemas.cases import Case, CaseFile, Given, Step, carried, given_value
from schemas.definitions import Funnel
from schemas.field_names import event_complaint, is_event_field
from schemas.fields import FieldType
from schemas.instants import FIRST, LAST
from schemas.mistakes import Mistake, Path, one_of, suggestion

SUFFIX = ".test.yml"


class ReadCases(NamedTuple):
    """The cases of one file.

    Attributes:
        file: As it was named.
        funnel: Whose cases they are.
        start: The instant of d0, in microseconds.
        cases: In the order of the file.
        lines: Of each the line where it begins.
    """

    file: str
    funnel: str
    start: int
    cases: Sequence[Case]
    lines: Sequence[int]


def case_files(paths: Iterable[File]) -> list[File]:
    """The given/expect files that paths mean: themselves, or all of a folder.

    Raises:
        Unreadable: A folder has none or cannot be read.
    """
    found: dict[File, File] = {}
    for path in paths:
        for file in _in_folder(path) if path.is_dir() else [path]:
            found.setdefault(file.absolute(), file)
    return list(found.values())


def _in_folder(folder: File) -> list[File]:
    try:
        files = sorted(file for file in folder.iterdir() if file.name.endswith(SUFFIX))
    except OSError as reason:
        raise Unreadable(f"{folder} cannot be read: {reason.strerror or reason}") from None
    if not files:
        raise Unreadable(f"{folder} holds no given/expect files: put one there as NAME{SUFFIX}")
    return files


def read_cases(file: File, funnels: Sequence[Funnel], types: Mapping[str, FieldType]) -> tuple[ReadCases | None, list[Problem]]:
    """Read one file.

    Args:
        file: Its path.
        funnels: Every version of every funnel of its folder.
        types: The state fields that the funnels read, with their types.

    Returns:
        The cases (None when there are mistakes), and every mistake by place; warnings where there are none but those.

    Raises:
        Unreadable: It is missing or cannot be read.
    """
    document = read_document(file)
    if not isinstance(document.data, dict):
        sentence = "a given/expect file is a mapping of keys to values: write funnel: NAME, tests: [..]"
        return None, document.problems or [document.problem(Mistake((), sentence))]
    written, mistakes = validated(CaseFile, document.data)
    start, versions = None, list[Funnel]()
    if written is not None:
        versions = [funnel for funnel in funnels if funnel.funnel == written.funnel]
        start = written.start if written.start is not None else versions[0].effective_from if versions else None
        mistakes = list(_mistakes(written, versions, {funnel.funnel for funnel in funnels}, types, start))
    problems = [*document.problems, *map(document.problem, mistakes)]
    if problems or written is None or start is None:
        return None, in_order(problems)
    lines = [document.place(("tests", index)).line for index in range(len(written.tests))]
    warnings = [document.problem(unnamed)._replace(severity="warning") for unnamed in _unnamed_events(written, versions)]
    return ReadCases(str(file), written.funnel, start, written.tests, lines), in_order(warnings)


def _unnamed_events(written: CaseFile, versions: Sequence[Funnel]) -> Iterator[Mistake]:
    """Events that no rule names. A case may mean one, but where nothing is to happen a slip would make it pass."""
    known = {name for funnel in versions for signal in signals_of(funnel) for name in signal.events}
    for index, case in enumerate(written.tests):
        for number, given in enumerate(case.given):
            if given.event is not None and given.event not in known:
                sentence = f"no rule of {written.funnel} names the event {given.event}{suggestion(given.event, known)}"
                yield Mistake(("tests", index, "given", number, "event"), sentence)


def _mistakes(
    written: CaseFile, versions: Sequence[Funnel], funnels: set[str], types: Mapping[str, FieldType], start: int | None
) -> Iterator[Mistake]:
    if not versions:
        known = f": there are {', '.join(sorted(funnels))}" if funnels else ""
        hint = suggestion(written.funnel, funnels) or known
        yield Mistake(("funnel",), f"no definition beside this file is of the funnel {written.funnel}{hint}")
        return
    if start is None:
        yield Mistake((), "the funnel has no effective_from, so nothing says when d0 is: write start: 2026-01-01")
        return
    places = {place.name for funnel in versions for place in funnel.places}
    conversions = {conversion.name for funnel in versions for conversion in funnel.all_conversions}
    names: dict[str, int] = {}
    for index, case in enumerate(written.tests):
        here: Path = ("tests", index)
        if names.setdefault(case.name, index) != index:
            yield Mistake((*here, "name"), f"two cases are called {case.name!r}: give each a name of its own")
        for number, given in enumerate(case.given):
            yield from _given((*here, "given", number), given, types)
        yield from _times(here, case, start)
        yield from _subject(here, case, versions[-1])
        yield from _expected((*here, "expect"), case, places, conversions)


def _given(path: Path, given: Given, types: Mapping[str, FieldType]) -> Iterator[Mistake]:
    for field, value in given.set.items():
        here = (*path, "set", field)
        if field not in types:
            known = suggestion(field, types) or (f": it reads {', '.join(types)}" if types else "")
            yield Mistake(here, f"the funnel does not read {field}{known}", of_key=True)
            continue
        if field.startswith("deal.") and given.deal is None:
            yield Mistake(here, f"{field} is a deal's, and the record names none: write deal: A beside set", of_key=True)
        try:
            given_value(value, types[field], 0)
        except ValueError as reason:
            yield Mistake(here, f"{field} is of type {types[field]}: {reason}")
    for name, value in given.props.items():
        here = (*path, "props", name)
        if not is_event_field(name):
            yield Mistake(here, event_complaint(name) or f"{name} is no event field", of_key=True)
        try:
            carried(value)
        except ValueError as reason:
            yield Mistake(here, str(reason))


def _subject(path: Path, case: Case, funnel: Funnel) -> Iterator[Mistake]:
    publishes = funnel.subject == "deal" or "deal" in funnel.also
    deals = list(dict.fromkeys(given.deal for given in case.given if given.deal is not None))
    if case.subject is None and funnel.subject == "deal":
        yield Mistake(path, f"the funnel counts deals: say which one, subject: {{deal: {deals[0] if deals else 'A'}}}")
    elif case.subject is not None and not publishes:
        sentence = "the funnel publishes nothing of single deals: leave it out, or write also: [deal] into the funnel"
        yield Mistake((*path, "subject"), sentence)
    elif case.subject is not None and case.subject.deal not in deals:
        known = f": there are {', '.join(deals)}" if deals else ""
        yield Mistake((*path, "subject", "deal"), f"no record of the case is about the deal {case.subject.deal}{known}")


def _times(path: Path, case: Case, start: int) -> Iterator[Mistake]:
    for number, given in enumerate(case.given):
        here = (*path, "given", number)
        if not all(FIRST <= moment.on(start) <= LAST for moment in (given.at, given.reached())):
            yield Mistake(here, "it lies outside the years 1 to 9999: write a time nearer to the start")
        if given.arrives is not None and given.arrives.on(start) < given.at.on(start):
            yield Mistake((*here, "arrives"), "it arrives before it happened: write a time that is not before `at`")
        if case.as_of is not None and given.reached().on(start) > case.as_of.on(start):
            key = "at" if given.arrives is None else "arrives"
            yield Mistake((*here, key), "it arrives after as_of, so it would not be there: write a later as_of")


def _expected(path: Path, case: Case, places: set[str], conversions: set[str]) -> Iterator[Mistake]:
    for section in ("path", "published"):
        for number, step in enumerate(getattr(case.expect, section) or ()):
            yield from _step((*path, section, number), step, places)
    for name in case.expect.conversions or {}:
        if name not in conversions:
            known = suggestion(name, conversions) or (f": there are {one_of(sorted(conversions))}" if conversions else "")
            yield Mistake((*path, "conversions", name), f"the funnel has no conversion {name}{known}", of_key=True)


def _step(path: Path, step: Step, places: set[str]) -> Iterator[Mistake]:
    named: list[tuple[Path, str | None]] = [(("from",), step.from_), (("to",), step.to)]
    named += [(("skipped", index), name) for index, name in enumerate(step.skipped or ())]
    for key, name in named:
        if name is not None and name not in places:
            known = suggestion(name, places) or f": there are {one_of(sorted(places))}"
            yield Mistake((*path, *key), f"the funnel has no stage, detour or outcome {name}{known}")
