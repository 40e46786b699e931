"""`funnelstream tap`: records of our topics as they come, decoded, for people who look on.

It reads outside every group and sees committed records only, so workers do not notice it. It ends on Ctrl-C, on SIGTERM, after
`--limit` records, or when nobody reads its output any more, each time with exit code 0.
"""

import csv
import json
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from enum import StrEnum
from itertools import islice
from pathlib import Path
from threading import Event
from typing import Annotated, NamedTuple

import typer

from processors.cli.decoding import Shown, shown
from processors.cli.loading import Loaded, load
from processors.cli.run import engine_settings, log_to_stderr
from processors.cli.tables import Format, harmless
from processors.engine.letterbox import stored
from processors.engine.standalone import Standalone
from processors.shown.masking import mask_of
from processors.topology.letters import Stored, described_time
from schemas.facts import entity_key


class Role(StrEnum):
    """A topic of the application, as `topics` in the configuration names it."""

    TRANSITIONS = "transitions"
    CONVERSIONS = "conversions"
    LEADS = "leads"
    FACTS = "facts"
    DEAD_LETTERS = "dead_letters"
    METRICS = "metrics"
    CHANGELOG = "changelog"


COLUMNS = ("topic", "partition", "offset", "time", "key", "value")
MOST = 10_000
"""Records that `--last` may ask for of each topic: they are held until their order is known."""


class Filters(NamedTuple):
    """What is let through; None is anything."""

    entity: bytes | None = None
    funnel: str | None = None
    stage: str | None = None
    conversion: str | None = None

    def let(self, record: Shown) -> bool:
        """Whether a record says what every filter asks for."""
        return (
            (self.entity is None or record.entity == self.entity)
            and (self.funnel is None or record.funnel == self.funnel)
            and (self.stage is None or self.stage in record.places)
            and (self.conversion is None or record.conversion == self.conversion)
        )


class _Told(Exception):
    """A signal has told it to end."""


def tap(
    config: Annotated[Path, typer.Option(help="The application's configuration.")],
    roles: Annotated[
        list[Role] | None, typer.Argument(metavar="TOPIC", help="Which topics. Default: transitions and conversions.")
    ] = None,
    lead: Annotated[str | None, typer.Option(help="Only records about this identifier, namespace:value.")] = None,
    funnel: Annotated[str | None, typer.Option(help="Only records that name this funnel.")] = None,
    stage: Annotated[str | None, typer.Option(help="Only records that name this stage, outcome or detour.")] = None,
    conversion: Annotated[str | None, typer.Option(help="Only this conversion.")] = None,
    from_beginning: Annotated[bool, typer.Option("--from-beginning", help="Begin with the oldest records.")] = False,
    last: Annotated[int | None, typer.Option(min=1, max=MOST, help="Begin with the last N records of each topic.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="End after N records.")] = None,
    format: Annotated[
        Format, typer.Option(help="How to print: a line for people, or one JSON object or CSV line each.")
    ] = "table",
    show_personal: Annotated[bool, typer.Option("--show-personal", help="Do not mask identifiers and values.")] = False,
) -> None:
    """Show records of the application's topics as they come; ends on Ctrl-C."""
    if from_beginning and last is not None:
        raise typer.BadParameter("say either --from-beginning or --last N")
    loaded = load(config)
    filters = _filters(loaded, lead, funnel, stage, conversion)
    mask = mask_of(loaded.application, show=show_personal)
    log_to_stderr("warning")
    settings = engine_settings(loaded, "tap")
    names = settings.topics._asdict()
    topics = {names[role]: str(role) for role in roles or (Role.TRANSITIONS, Role.CONVERSIONS)}
    with _ending_quietly() as beat, closing(Standalone(settings, beat)) as log:
        records = _records(log, topics, from_beginning=from_beginning, last=last)
        seen = ((topics[topic], record, shown(topics[topic], record, mask)) for topic, record in records)
        _print((each for each in seen if filters.let(each[2])), format, limit)


def _filters(loaded: Loaded, lead: str | None, funnel: str | None, stage: str | None, conversion: str | None) -> Filters:
    """Filters of names that exist: a misspelt one would let nothing through, and say nothing."""
    funnels = loaded.funnels
    _known("--funnel", funnel, [each.funnel for each in funnels])
    _known("--stage", stage, [place.name for each in funnels for place in (*each.stages, *each.detours, *each.outcomes)])
    _known("--conversion", conversion, [named.name for each in funnels for named in each.all_conversions])
    entity = None
    if lead is not None:
        identifier = loaded.program.identifiers.named(lead)
        if identifier is None:
            spaces = ", ".join(f"{namespace.name}:..." for namespace in loaded.application.identity.namespaces)
            raise typer.BadParameter(f"{lead!r} is no identifier of this application: write {spaces}", param_hint="--lead")
        entity = entity_key(identifier)
    return Filters(entity, funnel, stage, conversion)


def _known(option: str, name: str | None, names: list[str]) -> None:
    if name is not None and name not in names:
        known = ", ".join(dict.fromkeys(names)) or "none"
        raise typer.BadParameter(f"the definitions have no {name!r}: there are {known}", param_hint=option)


def _records(log: Standalone, topics: Iterable[str], *, from_beginning: bool, last: int | None) -> Iterator[tuple[str, Stored]]:
    """Records with their topics, for ever."""
    bounds = log.bounds(log.places(topics))
    print(f"watching {', '.join(topics)}; Ctrl-C ends", file=sys.stderr, flush=True)
    starts = {place: bound.earliest if from_beginning else bound.end for place, bound in bounds.items()}
    if last is not None:
        messages, starts = log.last(bounds, last)
        yield from ((message.topic() or "", stored(message)) for message in messages)
    for messages in log.follow(starts):
        yield from ((message.topic() or "", stored(message)) for message in messages)


def _print(seen: Iterable[tuple[str, Stored, Shown]], format: Format, limit: int | None) -> None:
    writer = csv.writer(sys.stdout)
    if format == "csv":
        writer.writerow(COLUMNS)
    for role, record, each in islice(seen, limit):
        time = described_time(record.timestamp)
        if format == "table":
            print(harmless(f"{time:<24}  {role:<12} {each.line}"))
        elif format == "json":
            values = (role, record.partition, record.offset, time, each.key, each.value)
            print(json.dumps(dict(zip(COLUMNS, values, strict=True))))
        else:
            key, value = (json.dumps(part) for part in (each.key, each.value))
            writer.writerow((role, record.partition, record.offset, time, key, value))
        sys.stdout.flush()


@contextmanager
def _ending_quietly() -> Iterator[Callable[[], None]]:
    """The ways in which watching ends are no failures: a signal, and a reader such as `head` that has seen enough.

    Yields what raises once a signal has come. A handler that raised by itself might do so within a callback of librdkafka, which
    then hangs. A second signal ends the process at once.
    """
    signals = signal.SIGINT, signal.SIGTERM  # a shell lets what it starts in the background ignore the first
    told = Event()

    def note(*_: object) -> None:
        told.set()
        for number in signals:
            signal.signal(number, signal.SIG_DFL)

    def beat() -> None:
        if told.is_set():
            raise _Told

    before = [signal.signal(number, note) for number in signals]
    try:
        yield beat
    except _Told:
        pass
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what Python flushes when it ends
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
