"""`funnelstream report`: a funnel as a table, from a replay or from the published topics."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Generic, TypedDict, TypeVar

import msgspec
import typer
from rich.console import Console

from processors.cli.tables import Format, Row, funnel_table, print_csv, rows_of
from processors.engine.stop import ENVIRONMENT, INPUT, Stop
from processors.metrics.census import Census, FunnelOutline

Body = TypeVar("Body")


class _Place(TypedDict, total=False):
    stage: str | None
    outcome: str | None
    detour: str | None


class _Subject(TypedDict):
    kind: str
    id: str


class _Transition(TypedDict):
    funnel: str
    transition_id: str
    revision: int
    op: str
    kind: str
    subject: _Subject
    deal: str | None
    to: _Place | None
    skipped: list[str]


class _Conversion(TypedDict):
    funnel: str
    conversion_id: str
    revision: int
    op: str
    subject: _Subject
    name: str
    count: str
    advanced: bool


class _Lead(TypedDict):
    position: _Place | None


class _Record(TypedDict, Generic[Body]):
    key: str
    value: Body


RECORDS: dict[str, msgspec.json.Decoder[Any]] = {
    "transitions": msgspec.json.Decoder(_Record[_Transition]),
    "conversions": msgspec.json.Decoder(_Record[_Conversion]),
    "leads": msgspec.json.Decoder(_Record[_Lead | None]),
}
"""Of each topic what a census reads of a line that `replay` wrote; the rest of the line is passed over."""


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
        print_csv(Row._fields, rows)
    else:
        for census in censuses:
            Console().print(funnel_table(census))


def _of_folder(folder: Path) -> list[Census]:
    from processors.cli.replay import OUTLINES

    try:
        censuses = [Census(outline) for outline in _outlines(folder / OUTLINES)]
        for topic in RECORDS:
            feed(censuses, topic, _lines(folder / f"{topic}.ndjson", topic))
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


def _outlines(path: Path) -> list[FunnelOutline]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[FunnelOutline])
    except (ValueError, RecursionError) as error:
        raise Stop(INPUT, f"{path}:1 is no outline of funnels that replay wrote: {error}; run replay again.") from error


def _lines(path: Path, topic: str) -> Iterator[tuple[str, Any]]:
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                record = RECORDS[topic].decode(line)
            except (ValueError, RecursionError) as error:
                raise Stop(INPUT, f"{path}:{number} is no record that replay wrote: {error}; run replay again.") from error
            yield record["key"], record["value"]


def _of_topics(config: Path | None) -> list[Census]:
    from processors.cli.loading import load
    from processors.cli.replay import outlines
    from processors.engine.reading import read_topic

    assert config is not None
    loaded = load(config)
    censuses = [Census(outline) for outline in outlines(loaded.funnels)]
    names = loaded.application.own_topics
    for topic, name in (("transitions", names.transitions), ("conversions", names.conversions), ("leads", names.leads)):
        records = (
            ((record.key() or b"").decode(), msgspec.json.decode(value) if (value := record.value()) is not None else None)
            for record in read_topic(loaded.application.kafka, name)
        )
        feed(censuses, topic, records)
    return censuses
