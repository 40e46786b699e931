"""Tables: how a command prints its data."""

import csv
import json
import sys
from collections.abc import Iterable, Sequence
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

Format = Literal["table", "json", "csv"]
"""How a command prints its data."""

_PIPE_WIDTH = 400
"""Characters of a line where no terminal says how many it has."""


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
