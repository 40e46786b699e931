"""`funnelstream dlq`: dead letters as a workflow. `list` says what there is, `show` what is wrong, `replay` sends them back.

Mend the cause first (a limit, a list of values, a mapping), then replay: a record that fails again becomes a new dead letter that
says so. What was sent back is known from receipts in the topic itself (decision 8), so nothing is sent twice by accident.
"""

import json
import re
import sys
import time
from collections.abc import Collection, Iterator
from contextlib import closing
from heapq import nsmallest
from pathlib import Path
from typing import Annotated

import typer

from processors.cli.letters import Group, Outcome, Outcomes, Selection, grouped, view
from processors.cli.loading import load
from processors.cli.run import engine_settings, log_to_stderr
from processors.cli.tables import Format, harmless, print_csv, print_rows
from processors.engine.destinations import Destinations
from processors.engine.letterbox import Letterbox
from processors.engine.redelivery import REPLAY_INSTANCE, Plan, Redelivery
from processors.engine.standalone import Standalone
from processors.engine.stop import INPUT, Stop
from processors.shown.masking import mask_of
from processors.topology.deadletters import REASONS
from processors.topology.letters import Posted
from schemas.instants import SECOND, parse_instant
from schemas.quantities import parse_duration

dlq = typer.Typer(help="Dead letters: what could not be used, why, and back again.", no_args_is_help=True)

Config = Annotated[Path, typer.Option(help="The application's configuration.")]
Places = Annotated[
    list[str] | None,
    typer.Argument(metavar="LETTER", help="PARTITION/OFFSET of a dead letter, or TOPIC/PARTITION/OFFSET of its record."),
]
Reasons = Annotated[list[str] | None, typer.Option("--reason", help="Only this reason; may be repeated.")]
Sources = Annotated[list[str] | None, typer.Option("--source", help="Only of this source; may be repeated.")]
Since = Annotated[str | None, typer.Option(help="Only what was set aside since: ISO 8601, or how long ago, such as 2h.")]
Until = Annotated[str | None, typer.Option(help="Only what was set aside before: ISO 8601, or how long ago.")]
Printed = Annotated[Format, typer.Option(help="How to print.")]

_PLACE = re.compile(r"([A-Za-z0-9._-]+/)?[0-9]{1,10}/[0-9]{1,19}")


@dlq.callback()
def _group() -> None:
    """Dead letters: what could not be used, why, and back again."""


@dlq.command("list")
def list_letters(
    config: Config,
    reason: Reasons = None,
    source: Sources = None,
    since: Since = None,
    until: Until = None,
    format: Printed = "table",
) -> None:
    """Dead letters by reason and source: how many, from when to when, and how many were not sent back yet."""
    selection = _selection(None, reason, source, since, until)
    log_to_stderr("warning")
    loaded = load(config)
    selected = _Selected(selection, loaded.application.sources)
    settings = engine_settings(loaded, REPLAY_INSTANCE)
    with closing(Standalone(settings)) as log:
        letterbox = Letterbox(log, settings.topics.dead_letters)
        groups = grouped(selected.of(letterbox))
    print_rows(format, Group._fields, groups)
    if letterbox.foreign:
        print(f"records that are neither dead letters nor receipts: {letterbox.foreign}", file=sys.stderr)
    selected.check_found()


@dlq.command()
def show(
    config: Config,
    letters: Places = None,
    reason: Reasons = None,
    source: Sources = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many.")] = 10,
    format: Printed = "table",
    show_personal: Annotated[bool, typer.Option("--show-personal", help="Show key, headers and value as they are.")] = False,
) -> None:
    """Dead letters whole, by partition and offset; of what the record holds its shape, unless --show-personal."""
    selection = _selection(letters, reason, source, since, until)
    log_to_stderr("warning")
    loaded = load(config)
    selected = _Selected(selection, loaded.application.sources)
    settings = engine_settings(loaded, REPLAY_INSTANCE)
    mask = mask_of(loaded.application, show=show_personal)
    with closing(Standalone(settings)) as log:
        fitting = selected.of(Letterbox(log, settings.topics.dead_letters))
        first = nsmallest(limit, fitting, key=lambda posted: posted.letter.place)
    _print_views([view(posted.letter, mask, posted.sent) for posted in first], format)
    further = selected.found - len(first)
    if further:
        print(f"{further} more: see them with --limit {limit + further}", file=sys.stderr)
    selected.check_found()


@dlq.command()
def replay(
    config: Config,
    letters: Places = None,
    reason: Reasons = None,
    source: Sources = None,
    since: Since = None,
    until: Until = None,
    everything: Annotated[bool, typer.Option("--all", help="All dead letters, where nothing else says which.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing: say what would go where.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Also send what was sent back before.")] = False,
    format: Printed = "table",
) -> None:
    """Send dead letters back to the topics they came from, each once."""
    selection = _selection(letters, reason, source, since, until)
    if selection == Selection() and not (everything or dry_run):
        raise typer.BadParameter("say which: LETTER, --reason, --source, --since, --until, or --all")
    log_to_stderr("warning")
    loaded = load(config)
    selected = _Selected(selection, loaded.application.sources)
    settings = engine_settings(loaded, REPLAY_INSTANCE)
    redelivery = Redelivery(settings)
    outcomes = Outcomes("would be sent" if dry_run else "sent")
    with closing(redelivery), closing(Standalone(settings)) as log, closing(Standalone(settings)) as originals:
        if not dry_run:
            redelivery.start()  # before anything is read: what an earlier replay has sent is settled from here on
        destinations = Destinations(log, settings)
        plan = Plan(destinations, originals, again=again)
        posted = selected.of(Letterbox(log, settings.topics.dead_letters))
        planned = (plan.of(each) for each in posted)
        try:
            for settled in planned if dry_run else redelivery.send(planned):
                outcomes.add(settled)
        finally:  # also of a replay that was ended in the middle: what is said was committed
            print_rows(format, Outcome._fields, outcomes.rows())
    selected.check_found()


class _Selected:
    """The dead letters that are meant; knows how many there were, and which of the letters and sources named are not there."""

    def __init__(self, selection: Selection, sources: Collection[str]) -> None:
        self._selection = selection
        self._sources = sorted(sources)
        self._missing = set(selection.places)
        self._unknown = set(selection.sources).difference(sources)  # letters of a source outlive it
        self.found = 0

    def of(self, letterbox: Letterbox) -> Iterator[Posted]:
        for posted in letterbox.letters():
            self._unknown.discard(posted.letter.source)
            if self._selection.takes(posted.letter):
                self._missing -= posted.letter.names
                self.found += 1
                yield posted

    def check_found(self) -> None:
        """Raise `Stop` where a name was misspelt: that nothing was found for it would else look like an answer."""
        if self._unknown:
            raise Stop(
                INPUT,
                f"no source {', '.join(sorted(self._unknown))} is known, and no dead letter is of it: there are "
                f"{', '.join(self._sources)}.",
            )
        if self._missing:
            raise Stop(INPUT, f"no dead letter {', '.join(sorted(self._missing))} fits what was asked for, or is there any more.")


def _selection(
    letters: list[str] | None, reason: list[str] | None, source: list[str] | None, since: str | None, until: str | None
) -> Selection:
    wrong = [place for place in letters or () if not _PLACE.fullmatch(place)]
    if wrong:
        raise typer.BadParameter(f"{wrong[0]!r} names no dead letter: write PARTITION/OFFSET, such as 3/42, as `dlq list` does")
    if unknown := [name for name in reason or () if name not in REASONS]:
        raise typer.BadParameter(f"{unknown[0]!r} is no reason: there are {', '.join(REASONS)}", param_hint="--reason")
    return Selection(
        frozenset(reason or ()),
        frozenset(source or ()),
        _instant("--since", since),
        _instant("--until", until),
        frozenset(letters or ()),
    )


def _instant(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return round(time.time() * SECOND) - parse_duration(text)
    except ValueError:
        pass
    try:
        return parse_instant(text)
    except ValueError as error:
        raise typer.BadParameter(
            f"{text!r} is no time: write ISO 8601, such as 2026-01-31T12:00:00Z, or how long ago, such as 2h", param_hint=option
        ) from error


def _print_views(views: list[dict[str, object]], format: Format) -> None:
    if format == "json":
        print(json.dumps(views, indent=2))
    elif format == "csv":
        columns = list(views[0]) if views else []
        print_csv(
            columns, [[value if isinstance(value, str | int) else json.dumps(value) for value in each.values()] for each in views]
        )
    else:
        for each in views:
            for name, value in each.items():
                text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
                lines = text.splitlines() or [""]
                print(f"{name:<13} {harmless(lines[0])}", *(f"{'':<13} {harmless(line)}" for line in lines[1:]), sep="\n")
            print()
