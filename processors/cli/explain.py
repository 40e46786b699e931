"""`funnelstream explain`: why a record matched or did not, and why a lead stands where it stands."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer

from processors.cli.explained_record import DROPS, Explained, Explainer, Said
from processors.cli.judged import Judged
from processors.cli.loading import load
from processors.cli.tables import harmless
from processors.engine.stop import ENVIRONMENT, Stop
from schemas.facts import Fact
from schemas.instants import SECOND, format_instant
from schemas.mistakes import all_of, one_of


def explain(
    event: Annotated[Path | None, typer.Option(metavar="FILE", help="Explain the record in this file: one raw value.")] = None,
    config: Annotated[Path | None, typer.Option(help="The application's configuration.")] = None,
    source: Annotated[str | None, typer.Option(help="The source of the record, where more than one could read it.")] = None,
    format: Annotated[Literal["table", "json"], typer.Option(help="How to print.")] = "table",
) -> None:
    """Explain a record: what becomes of it, and what every definition makes of it."""
    if event is None or config is None:
        raise typer.BadParameter("write --event FILE --config FILE")
    explained = _explained(event, config, source)
    if format == "json":
        print(json.dumps(_plain(explained), indent=2))
    else:
        for line in _lines(explained):
            print(harmless(line))


def _explained(file: Path, config: Path, source: str | None) -> Explained:
    loaded = load(config)
    explainer = Explainer(loaded, round(time.time() * SECOND))
    try:
        value = file.read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise Stop(ENVIRONMENT, f"{file} cannot be read: {error.strerror}.") from error
    sources = list(loaded.application.sources)
    if source is not None and source not in sources:
        raise typer.BadParameter(f"{source!r} is no source: write {one_of(sources)}", param_hint="--source")
    return explainer.explain(source or _source(explainer.refusals(value), file), value)


def _source(refusals: Mapping[str, str], file: Path) -> str:
    """The one source that can read the record; the only source there is, whatever it makes of it."""
    reading = [name for name, why in refusals.items() if not why]
    if len(reading) == 1 or len(refusals) == 1:
        return (reading or list(refusals))[0]
    found = f"{all_of(reading)} can read it" if reading else " ".join(f"For {name}: {why}" for name, why in refusals.items())
    raise typer.BadParameter(f"{file}: {found} Say which source it is of: {one_of(refusals)}", param_hint="--source")


def _lines(explained: Explained) -> list[str]:
    lines = [f"Source {explained.source} reads it as {explained.format}."]
    lines += map(_fact, explained.facts)
    lines += [f"Dropped ({reason}): {DROPS.get(reason, 'nothing uses it')}." for reason in explained.dropped]
    lines += [f"Dead letter ({letter.reason}): {letter.sentence}" for letter in explained.letters]
    for said in explained.said:
        lines += ["", *_statement(said)]
    return lines


def _fact(fact: Fact) -> str:
    what = f"event {fact.name}" if fact.kind == "event" else fact.kind
    values = f", {_values(fact)}" if fact.values else ""
    about = f" on deal {fact.deal}" if fact.deal else ""
    return f"Fact of {fact.entity}{about}, {format_instant(fact.occurred_at)}: {what}{values} (id {fact.id})."


def _values(fact: Fact) -> str:
    return ", ".join(f"{field}={json.dumps(value)}" for field, value in fact.values.items())


def _statement(said: Said) -> list[str]:
    lines = [f"What definitions make of the {said.what}:"]
    width = max((len(_rule(judged)) for judged in said.judged), default=0)
    for judged in said.judged:
        because = f": {'; '.join(judged.because)}" if judged.because else ""
        lines.append(f"  {_rule(judged):<{width}}  {judged.verdict}{because}")
    if said.others:
        count = f"{said.others} other" if said.judged else str(said.others)
        lines.append(f"  {count} {'funnel has' if said.others == 1 else 'funnels have'} no rule that names it{said.hint}")
    return lines


def _rule(judged: Judged) -> str:
    return f"{judged.funnel} v{judged.version} {judged.rule}"


def _plain(explained: Explained) -> dict[str, Any]:
    """The explanation as JSON carries it; facts by the names of their parts, times in ISO 8601."""
    plain: dict[str, Any] = msgspec.to_builtins(explained)
    plain["facts"] = [
        {
            "kind": fact.kind,
            "entity": fact.entity,
            "deal": fact.deal,
            "occurred_at": format_instant(fact.occurred_at),
            "id": fact.id,
            "name": fact.name,
            "values": fact.values,
        }
        for fact in explained.facts
    ]
    return plain
