"""`funnelstream report`: numbers as tables, JSON or CSV, from a replay or from the published topics."""

import json
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from processors.cli import projections
from processors.cli.loading import Loaded, load
from processors.cli.number_rows import Part
from processors.cli.reconcile import print_comparison, reconcile_folder, reconcile_topics
from processors.cli.tables import Format, console, print_csv
from processors.cli.views import Asked, AsReported, Cohorts, Corrections, Funnels, Parts, Rates, View
from processors.metrics.days import Span
from processors.metrics.outlines import FunnelOutline
from processors.projection.projection import Projection
from schemas.instants import parse_instant


def report(
    folder: Annotated[Path | None, typer.Argument(metavar="DIR", help="What `replay` wrote.")] = None,
    config: Annotated[Path | None, typer.Option(help="Read the published topics of this application instead.")] = None,
    funnel: Annotated[str | None, typer.Option(help="Only this funnel.")] = None,
    by: Annotated[str | None, typer.Option(metavar="SEGMENT", help="Split by a segment of the definition.")] = None,
    first: Annotated[str | None, typer.Option("--from", metavar="DAY", help="Only from this UTC day on.")] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DAY", help="Only until this UTC day, which is among them.")] = None,
    rates: Annotated[bool, typer.Option("--rates", help="The rates: cohort and period, step to step and overall.")] = False,
    cohorts: Annotated[bool, typer.Option("--cohorts", help="The declared rates, cohort by cohort.")] = False,
    rate: Annotated[str | None, typer.Option(metavar="NAME", help="With --cohorts or --rates: only this declared rate.")] = None,
    as_reported: Annotated[
        bool, typer.Option("--as-reported", help="What was said of these days at the time, beside what is known now, and why.")
    ] = False,
    corrections: Annotated[bool, typer.Option("--corrections", help="What was corrected on these days, by reason.")] = False,
    reconcile: Annotated[
        bool, typer.Option("--reconcile", help="Recount from leads, transitions and conversions; code 1 on any difference.")
    ] = False,
    as_of: Annotated[
        str | None, typer.Option(help="The time that ages and maturity are of; now, or the end of the replay. ISO 8601.")
    ] = None,
    format: Annotated[Format, typer.Option(help="How to print.")] = "table",
) -> None:
    """Print each funnel: who reached, touched and stands in each place, what was converted, and at what rates."""
    if (folder is None) == (config is None):
        raise typer.BadParameter("name either a folder that replay wrote or --config FILE")
    wanted = [rates, cohorts, as_reported, corrections, reconcile]
    if sum(wanted) > 1:
        raise typer.BadParameter("ask for one of --rates, --cohorts, --as-reported, --corrections and --reconcile at a time")
    if as_reported and first is None and last is None:
        raise typer.BadParameter(
            "say which days with --from or --to: of all days together both are the same", param_hint="--as-reported"
        )
    if reconcile:
        print_comparison(reconcile_folder(folder) if folder is not None else reconcile_topics(_loaded(config)), format)
        return
    projection = _projection(folder, config)
    asked = Asked(projection, _days(first, last), _time(as_of, projection), rate)
    views: list[View] = [Rates(), Cohorts(), AsReported(), Corrections()]
    view = next((view for view, asked_for in zip(views, wanted, strict=False) if asked_for), Funnels())
    funnels = [found for outline in _outlines(projection, funnel, rate) if (found := _parts(projection, outline, by))]
    if by is not None and not funnels:
        segments = sorted({each.name for outline in projection.outlines.funnels for each in outline.segments})
        raise typer.BadParameter(f"no funnel has the segment {by!r}; there is {', '.join(segments) or 'none'}", param_hint="--by")
    _print(view, asked, funnels, format)


def _print(view: View, asked: Asked, funnels: Sequence[Parts], format: Format) -> None:
    if format == "table":
        for parts in funnels:
            for table in view.tables(asked, parts):
                console().print(table)
        return
    found = [row for parts in funnels for part, of in parts for row in view.rows(asked, part, of)]
    if format == "json":
        print(json.dumps(found, indent=2))
    elif found:
        print_csv(list(found[0]), ([_cell(value) for value in row.values()] for row in found))


def _cell(value: Any) -> Any:
    """What a cell of CSV holds: of amounts by currency their JSON."""
    return json.dumps(value) if isinstance(value, dict) else value


def _projection(folder: Path | None, config: Path | None) -> Projection:
    if folder is not None:
        return projections.of_folder(folder)
    return projections.of_topics(_loaded(config))


def _loaded(config: Path | None) -> Loaded:
    assert config is not None
    return load(config)


def _outlines(projection: Projection, funnel: str | None, rate: str | None) -> list[FunnelOutline]:
    """The funnels that are asked for; those that have the rate, if it is one that is asked for."""
    every = projection.outlines.funnels
    if funnel is not None and funnel not in (names := sorted({outline.funnel for outline in every})):
        raise typer.BadParameter(f"{funnel!r} is no funnel here; there is {', '.join(names) or 'none'}", param_hint="--funnel")
    found = [outline for outline in every if funnel in (None, outline.funnel)]
    if rate is not None and not any(outline.rate(rate) for outline in found):
        names = sorted({each.name for outline in found for each in outline.rates})
        raise typer.BadParameter(f"{rate!r} is no declared rate; there is {'; '.join(names) or 'none'}", param_hint="--rate")
    return [outline for outline in found if rate is None or outline.rate(rate) is not None]


def _parts(projection: Projection, outline: FunnelOutline, by: str | None) -> Parts:
    if by is None:
        return [(Part(outline), projection.all(outline))]
    segment = outline.segment(by)
    if segment is None:
        return []
    values = projection.values(outline, segment)
    return [(Part(outline, by, value.label, value.folded), value.slice) for value in values]


def _days(first: str | None, last: str | None) -> Span:
    days = Span(_day(first, "--from"), _day(last, "--to"))
    if days.first is not None and days.last is not None and days.first > days.last:
        raise typer.BadParameter(f"{last} is before {first}", param_hint="--to")
    return days


def _day(text: str | None, option: str) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no day, such as 2026-01-31", param_hint=option) from error


def _time(text: str | None, projection: Projection) -> int:
    """What is taken for now: as asked, or until when a replay went, or the clock."""
    if text is None:
        return projection.outlines.as_of if projection.outlines.as_of is not None else time.time_ns() // 1000
    try:
        return parse_instant(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no ISO 8601 time, such as 2026-01-31T12:00:00Z", param_hint="--as-of") from error
