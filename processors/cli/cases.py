"""`funnelstream test`: given/expect files run over the definitions beside them, with a readable difference where one fails."""

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from processors.cli.loading import load_definitions_beside, refused
from processors.cli.tables import console, harmless
from processors.configuration.case_file import SUFFIX, ReadCases, case_files, read_cases
from processors.configuration.problems import Problem, Unreadable, errors
from processors.configuration.unbuilt import unbuilt_in
from processors.engine.stop import BUG, ENVIRONMENT, INPUT, Stop
from processors.simulation.cases import CaseRunner, Seen
from processors.simulation.compared import Comparison, Row, compare
from schemas.cases import Case, Moment, Step, format_moment, parse_moment


class Tried(NamedTuple):
    """One case, and what it came to."""

    file: str
    line: int
    start: int
    case: Case
    comparison: Comparison


def cases(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Given/expect files, or folders of them.")],
    as_of: Annotated[str | None, typer.Option(help="Until when, in the place of each case's own: d30, or ISO 8601.")] = None,
    format: Annotated[Literal["table", "json"], typer.Option(help="How to print.")] = "table",
) -> None:
    """Run given/expect cases (NAME.test.yml) over the definitions that lie beside them."""
    for path in paths:
        if not path.exists():  # before the definitions beside it are read, whose mistakes are others
            raise Stop(ENVIRONMENT, f"{path} cannot be read: there is no such file or folder")
        if path.is_file() and not path.name.endswith(SUFFIX):
            raise typer.BadParameter(f"{path} is no given/expect file: their names end with {SUFFIX}", param_hint="PATH...")
    until = _moment(as_of)
    tried = [_tried(read, runner, until) for read, runner in _read(paths)]
    each = [case for of_file in tried for case in of_file]
    if format == "json":
        print(json.dumps([_plain(case) for case in each], indent=2))
    else:
        _print(tried)
    if any(case.comparison.disagreement for case in each):
        raise Stop(BUG, "fold and topology disagree; this is a bug in funnelstream: please report it with the lines above.")
    if not all(case.comparison.passed for case in each):
        raise typer.Exit(INPUT)


def _moment(text: str | None) -> Moment | None:
    try:
        return None if text is None else parse_moment(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--as-of") from error


def _read(paths: Sequence[Path]) -> list[tuple[ReadCases, CaseRunner]]:
    """The files with what runs them; every mistake of every file is printed before the command ends."""
    found: list[tuple[ReadCases, CaseRunner]] = []
    mistakes: list[Problem] = []
    runners: dict[Path, CaseRunner] = {}
    try:
        for file in case_files(paths):
            if file.parent not in runners:
                runners[file.parent] = _runner(file.parent)
            runner = runners[file.parent]
            read, problems = read_cases(file, runner.funnels, runner.types)
            mistakes += errors(problems)
            for problem in problems if read is not None else ():
                print(f"warning: {problem}", file=sys.stderr)
            found += [(read, runner)] if read is not None else []
    except Unreadable as error:
        raise Stop(ENVIRONMENT, str(error)) from error
    if mistakes:
        raise refused(mistakes, "the given/expect files")
    return found


def _runner(folder: Path) -> CaseRunner:
    definitions = load_definitions_beside(folder)
    later = unbuilt_in(definitions)
    if unfoldable := [problem for problem in later if problem.key == "subject"]:
        raise refused(unfoldable, "the definitions")
    for problem in later:  # what is there of the funnel can be tried already
        print(f"warning: {problem}", file=sys.stderr)
    return CaseRunner(definitions.funnels)


def _tried(read: ReadCases, runner: CaseRunner, as_of: Moment | None) -> list[Tried]:
    until = None if as_of is None else as_of.on(read.start)
    return [
        Tried(read.file, line, read.start, case, compare(case, read.start, runner.run(read.funnel, read.start, case, until)))
        for case, line in zip(read.cases, read.lines, strict=True)
    ]


# --- for people --------------------------------------------------------------------------------------------------------


def _print(tried: Iterable[Sequence[Tried]]) -> None:
    out = console()
    total = failed = 0
    for of_file in tried:
        wrong = [case for case in of_file if not case.comparison.passed]
        verdict = "as expected" if not wrong else f"{len(wrong)} not as expected"
        print(harmless(f"{of_file[0].file}: {len(of_file)} case{'' if len(of_file) == 1 else 's'}, {verdict}"))
        for case in wrong:
            _print_failure(out, case)
        total, failed = total + len(of_file), failed + len(wrong)
    print(f"{failed} of {total} failed" if failed else f"all {total} as expected")


def _print_failure(out: Console, tried: Tried) -> None:
    print(f"\n{harmless(f'{tried.file}:{tried.line}: {tried.case.name}')}")
    for title, rows in (("path", tried.comparison.path), ("published", tried.comparison.published)):
        if not all(row.agrees for row in rows):
            out.print(_table(title, rows, tried.start))
    for count in tried.comparison.counts:
        if count.expected != count.came:
            print(f"  conversion {count.conversion}: {count.expected} {count.key} expected, {count.came} came")
    for sentence in tried.comparison.disagreement:
        print(f"  {sentence}")


def _table(title: str, rows: Sequence[Row], start: int) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    for column in ("", "expected", "came", "what differs"):
        table.add_column(column, overflow="fold")
    for row in rows:
        mark = " " if row.agrees else "-" if row.came is None else "+" if row.expected is None else "!"
        cells = (mark, _expected(row.expected, start), _came(row.came, start), _differences(row, start))
        table.add_row(*(Text(harmless(cell)) for cell in cells), style=None if row.agrees else "red")
    return table


def _expected(step: Step | None, start: int) -> str:
    if step is None:
        return "(nothing)"
    return ", ".join(f"{key} {_shown(key, value, start)}" for key, value in step.written())


def _came(seen: Seen | None, start: int) -> str:
    if seen is None:
        return "(nothing)"
    entry = f", entry {seen.entry}" if seen.entry is not None else ""
    passed = f", skipped {_shown('skipped', seen.skipped, start)}" if seen.skipped else ""
    flags = f", flags {_shown('flags', seen.flags, start)}" if seen.flags else ""
    where = f"{_shown('from', seen.from_, start)} > {_shown('to', seen.to, start)}"
    return f"{seen.op} {format_moment(seen.at, start)} {seen.kind} {where}{entry}{passed}{flags}".strip()


def _differences(row: Row, start: int) -> str:
    if row.expected is None or row.came is None:
        return "" if row.agrees else "not expected" if row.expected is None else "did not come"
    wanted = dict(row.expected.written())
    return "; ".join(
        f"{key}: {_shown(key, wanted[key], start)} expected, {_shown(key, row.came.of(key), start)} came" for key in row.differing
    )


def _shown(key: str, value: Any, start: int) -> str:
    if isinstance(value, Moment):
        return format_moment(value.on(start), start)
    if isinstance(value, tuple):
        return f"[{', '.join(value)}]"
    return format_moment(value, start) if key == "at" and value is not None else "none" if value is None else str(value)


# --- for programs ------------------------------------------------------------------------------------------------------


def _plain(tried: Tried) -> dict[str, Any]:
    """A case as JSON carries it."""
    comparison, start = tried.comparison, tried.start
    return {
        "file": tried.file,
        "line": tried.line,
        "case": tried.case.name,
        "passed": comparison.passed,
        "path": [_plain_row(row, start) for row in comparison.path],
        "published": [_plain_row(row, start) for row in comparison.published],
        "conversions": [count._asdict() for count in comparison.counts],
        "disagreement": list(comparison.disagreement),
    }


def _plain_row(row: Row, start: int) -> dict[str, Any]:
    expected = None if row.expected is None else {key: _plain_value(value, start) for key, value in row.expected.written()}
    came = None if row.came is None else {"from" if key == "from_" else key: value for key, value in row.came._asdict().items()}
    if came is not None and row.came is not None:
        came["at"] = format_moment(row.came.at, start)
    return {"expected": expected, "came": came, "differing": list(row.differing)}


def _plain_value(value: Any, start: int) -> Any:
    return format_moment(value.on(start), start) if isinstance(value, Moment) else value
