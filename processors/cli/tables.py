"""Tables: what a command prints as CSV, and a counted funnel as lines and as what a terminal shows."""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from processors.metrics.census import Census

Format = Literal["table", "json", "csv"]
"""How a command prints its data."""

_PIPE_WIDTH = 400
"""Characters of a line where no terminal says how many it has."""

BAR = 16
"""Characters of the longest bar."""


class Row(NamedTuple):
    """One line of a report. `of_previous` is the share of those who reached the step before that also reached this one."""

    funnel: str
    grain: str
    kind: str
    name: str
    reached: int | None
    touched: int | None
    now: int | None
    of_previous: float | None
    counted: int | None
    repeats: int | None


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a line of column names and then the rows; None is an empty cell."""
    writer = csv.writer(sys.stdout)
    writer.writerow(columns)
    writer.writerows(["" if value is None else value for value in row] for row in rows)


def print_rows(format: Format, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Print rows of texts and numbers under their columns, in the format that was asked for."""
    if format == "json":
        print(json.dumps([dict(zip(columns, row, strict=True)) for row in rows], indent=2))
    elif format == "csv":
        print_csv(columns, rows)
    else:
        table = Table(box=SIMPLE_HEAD)
        for number, column in enumerate(columns):
            right = any(isinstance(row[number], int) for row in rows)
            table.add_column(column.replace("_", " "), justify="right" if right else "left", overflow="fold")
        for row in rows:
            table.add_row(*(Text(harmless(str(value))) for value in row))
        console().print(table)


def console() -> Console:
    """What a table is printed on: as wide as the terminal, or where there is none wide enough to break no line."""
    return Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def harmless(text: str) -> str:
    """A text from somebody's record, fit for a terminal: what would steer it is written as an escape."""
    return text if text.isprintable() else "".join(each if each.isprintable() else ascii(each)[1:-1] for each in text)


def rows_of(census: Census) -> list[Row]:
    """The lines of one funnel."""
    rows: list[Row] = []
    funnel, grain = census.outline.funnel, census.outline.subject
    before: int | None = None
    for stage in census.stages():
        share = stage.reached / before if before else None
        rows.append(Row(funnel, grain, "stage", stage.name, stage.reached, stage.touched, stage.now, share, None, None))
        before = stage.reached
    for outcome in census.outcomes():
        counts = outcome.reached, outcome.touched, outcome.now
        rows.append(Row(funnel, grain, "outcome", outcome.name, *counts, None, None, None))
    for conversion in census.conversions():
        counted = conversion.counted, conversion.repeats
        rows.append(Row(funnel, grain, "conversion", conversion.name, None, None, None, None, *counted))
    return rows


def funnel_table(census: Census) -> Table:
    """One funnel as a table with bars: its stages in order, then its outcomes, then its conversions below."""
    rows = rows_of(census)
    most = max((row.reached or 0 for row in rows), default=0)
    outline = census.outline
    people = f"{census.people()} {outline.subject}s" if census.people() != 1 else f"1 {outline.subject}"
    table = Table(
        title=f"{outline.funnel} v{outline.version}: {people}", title_justify="left", caption_justify="left", box=SIMPLE_HEAD
    )
    for column, right in (("", False), ("reached", True), ("touched", True), ("now", True), ("step rate", True), ("", False)):
        table.add_column(column, justify="right" if right else "left", no_wrap=True)
    for row in rows:
        if row.kind != "conversion":
            bar = "█" * round(BAR * (row.reached or 0) / most) if most else ""
            share = "" if row.of_previous is None else f"{row.of_previous:.1%}"
            name, style = (row.name, None) if row.kind == "stage" else (f"→ {row.name}", "green")
            table.add_row(name, str(row.reached), str(row.touched), str(row.now), share, bar, style=style)
    conversions = [
        f"conversion {row.name}: {row.counted} counted" + (f", repeats: {row.repeats}" if row.repeats else "")
        for row in rows
        if row.kind == "conversion"
    ]
    table.caption = "\n".join(conversions) or None
    return table
