"""`funnelstream report`: a funnel as a table, from a replay or from the published topics."""

import csv
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer
from rich.console import Console

from processors.cli.tables import Row, funnel_table, rows_of
from processors.engine.stop import ENVIRONMENT, Stop
from processors.metrics.census import Census, FunnelOutline

Format = Literal["table", "json", "csv"]


def report(
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help="What `replay` wrote.")] = None,
    config: Annotated[Path | None, typer.Option(help="Read the published topics of this application instead.")] = None,
    format: Annotated[Format, typer.Option(help="How to print.")] = "table",
) -> None:
    """Print each funnel: who reached, touched and stands in each stage, and what was converted."""
    if (folder is None) == (config is None):
        raise typer.BadParameter("name either a folder that replay wrote or --config FILE")
    censuses = _of_folder(folder) if folder is not None else _of_topics(config)
    rows = [row for census in censuses for row in rows_of(census)]
    if format == "json":
        print(json.dumps([row._asdict() for row in rows], indent=2))
    elif format == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerow(Row._fields)
        writer.writerows(["" if value is None else value for value in row] for row in rows)
    else:
        for census in censuses:
            Console().print(funnel_table(census))


def _of_folder(folder: Path) -> list[Census]:
    from processors.cli.replay import OUTLINES

    try:
        outlines = msgspec.json.decode((folder / OUTLINES).read_bytes(), type=list[FunnelOutline])
        censuses = [Census(outline) for outline in outlines]
        feed(censuses, "transitions", _lines(folder / "transitions.ndjson"))
        feed(censuses, "conversions", _lines(folder / "conversions.ndjson"))
        feed(censuses, "leads", _lines(folder / "leads.ndjson"))
    except OSError as error:
        raise Stop(
            ENVIRONMENT, f"{folder} is no folder that replay wrote: {error.filename} cannot be read ({error.strerror})."
        ) from error
    return censuses


def feed(censuses: Sequence[Census], topic: str, records: Iterator[tuple[str, Any]]) -> None:
    """Feed published records (key and body) of one topic to every census."""
    for key, body in records:
        for census in censuses:
            if topic == "leads":
                census.lead(key, body)
            elif topic == "transitions":
                census.transition(body)
            else:
                census.conversion(body)


def _lines(path: Path) -> Iterator[tuple[str, Any]]:
    with path.open("rb") as lines:
        for line in lines:
            record = msgspec.json.decode(line)
            yield record["key"], record["value"]


def _of_topics(config: Path | None) -> list[Census]:
    from processors.cli.loading import load
    from processors.cli.replay import outline
    from processors.engine.reading import read_topic

    assert config is not None
    loaded = load(config)
    censuses = [Census(outline(funnel)) for funnel in loaded.funnels]
    names = loaded.application.own_topics
    for topic, name in (("transitions", names.transitions), ("conversions", names.conversions), ("leads", names.leads)):
        records = (
            ((record.key() or b"").decode(), msgspec.json.decode(value) if (value := record.value()) is not None else None)
            for record in read_topic(loaded.application.kafka, name)
        )
        feed(censuses, topic, records)
    return censuses
