"""`funnelstream reset`: the deliberate way out when state and offsets do not belong together any more, or to begin again."""

import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from processors.cli.loading import Loaded, load
from processors.cli.tables import Format, print_csv
from schemas.instants import MILLISECOND, parse_instant

if TYPE_CHECKING:
    from processors.engine.reset import Reset
    from processors.engine.reset_plan import Plan, Step

NOT_CONFIRMED = 130
"""As when interrupted: whoever was asked said no."""


reset = typer.Typer(
    help="The way out when state and offsets do not belong together any more, or to begin again; while no worker runs.",
    no_args_is_help=True,
)

Config = Annotated[Path, typer.Option(help="The application's configuration.")]
Sources = Annotated[list[str] | None, typer.Option("--source", help="This source only; may be repeated.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Print the plan and change nothing.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Printed = Annotated[Format, typer.Option(help="How to print the plan.")]


@reset.command()
def to_changelog(config: Config, dry_run: DryRun = False, yes: Yes = False, format: Printed = "table") -> None:
    """Set the group's offsets of facts to what the changelog says was read: nothing is lost or doubled."""
    _check_answer(dry_run=dry_run, yes=yes)
    loaded = load(config)
    doing = _connected(loaded)
    _carry_out(doing, doing.to_changelog(loaded.program.definitions.digest), format, dry_run=dry_run, yes=yes)


@reset.command()
def to_earliest(
    config: Config, source: Sources = None, dry_run: DryRun = False, yes: Yes = False, format: Printed = "table"
) -> None:
    """Read the sources again from their beginning; what is known already counts for nothing."""
    _check_answer(dry_run=dry_run, yes=yes)
    loaded = load(config)
    topics = _topics_of(loaded, source or [])
    doing = _connected(loaded)
    _carry_out(doing, doing.to_sources(topics, None), format, dry_run=dry_run, yes=yes)


@reset.command()
def to_datetime(
    config: Config,
    time: Annotated[str, typer.Argument(metavar="TIME", help="In ISO 8601, by Kafka's time of the records.")],
    source: Sources = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    format: Printed = "table",
) -> None:
    """Read the sources again from their first record of a time on; what is known already counts for nothing."""
    _check_answer(dry_run=dry_run, yes=yes)
    since = _milliseconds(time)
    loaded = load(config)
    topics = _topics_of(loaded, source or [])
    doing = _connected(loaded)
    _carry_out(doing, doing.to_sources(topics, since), format, dry_run=dry_run, yes=yes)


@reset.command()
def empty(
    config: Config,
    outputs: Annotated[bool, typer.Option("--outputs", help="Make the published topics anew too.")] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    format: Printed = "table",
) -> None:
    """Begin from nothing: make facts and changelog anew, forget the group's offsets and the stores of this machine."""
    _check_answer(dry_run=dry_run, yes=yes)
    doing = _connected(load(config))
    _carry_out(doing, doing.to_nothing(outputs=outputs), format, dry_run=dry_run, yes=yes)


def _check_answer(*, dry_run: bool, yes: bool) -> None:
    if not (dry_run or yes or sys.stdin.isatty()):
        raise typer.BadParameter("nobody can be asked here: look at the plan with --dry-run, then confirm it with --yes")


def _connected(loaded: Loaded) -> "Reset":
    from processors.cli.run import engine_settings, log_to_stderr
    from processors.engine.reset import Reset

    log_to_stderr("error")
    logging.getLogger("librdkafka").setLevel(logging.CRITICAL + 1)  # what matters of it ends the command with a sentence
    topics = loaded.application.topics
    return Reset(engine_settings(loaded, "reset"), topics.partitions, topics.replication)


def _carry_out(doing: "Reset", plan: "Plan", format: Format, *, dry_run: bool, yes: bool) -> None:
    """Print the plan; unless that is all, ask and perform it."""
    _print(plan, format)
    if dry_run or not plan.steps:
        return
    if not yes and not typer.confirm("Do this?", err=True):
        typer.echo("nothing was changed", err=True)
        raise typer.Exit(NOT_CONFIRMED)
    for step in doing.perform(plan):
        typer.echo(f"done: {_line(step)}", err=True)


def _topics_of(loaded: Loaded, names: list[str]) -> list[str]:
    sources = loaded.application.sources
    if unknown := [name for name in names if name not in sources]:
        raise typer.BadParameter(f"no source {', '.join(unknown)}: there are {', '.join(sources)}")
    return [topic for name in names or sources for topic in sources[name].topics]


def _milliseconds(text: str) -> int:
    try:
        return parse_instant(text) // MILLISECOND
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is no time: write it in ISO 8601, such as 2026-01-01T00:00:00Z") from None


def _print(plan: "Plan", format: Format) -> None:
    if format == "json":
        typer.echo(json.dumps({"steps": [step._asdict() for step in plan.steps], "notes": list(plan.notes)}, indent=2))
        return
    if format == "csv":
        print_csv(("action", "subject", "partition", "before", "after"), plan.steps)
    for step in plan.steps if format == "table" else ():
        typer.echo(_line(step))
    for note in plan.notes if plan.steps else ("nothing is to be done",):
        typer.echo(note, err=format != "table")


def _line(step: "Step") -> str:
    if step.action == "set offset":
        before = "none" if step.before is None else step.before
        return f"set offset    {step.subject} partition {step.partition}: {before} -> {step.after}"
    count = step.after if step.action == "create topic" else step.before
    return f"{step.action:<13} {step.subject}" + (f", {count} partitions" if count is not None else "")
