"""`funnelstream explain`: why a record matched or did not, and why a lead stands where it stands."""

import json
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer

from processors.cli.explained_record import DROPS, OF_MAPPINGS, Explained, Explainer, Said
from processors.cli.judged import Judged
from processors.cli.loading import load
from processors.cli.replay import APPLICATION
from processors.cli.tables import harmless
from processors.engine.stop import ENVIRONMENT, INPUT, Stop
from schemas.facts import Fact
from schemas.instants import SECOND, format_instant
from schemas.mistakes import all_of, one_of


def explain(
    event: Annotated[Path | None, typer.Option(metavar="FILE", help="Explain the record in this file: one raw value.")] = None,
    lead: Annotated[str | None, typer.Option(help="Explain this lead: its identifier, namespace:value.")] = None,
    config: Annotated[Path | None, typer.Option(help="The application's configuration.")] = None,
    folder: Annotated[
        Path | None, typer.Option("--dir", help="For --lead: what `replay` wrote, in the place of --config.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="For --event: the record's source, where several could read it.")] = None,
    format: Annotated[Literal["table", "json"], typer.Option(help="How to print: in words, or for programs.")] = "table",
    show_personal: Annotated[
        bool, typer.Option("--show-personal", help="For --lead with --config: do not mask identifiers and values.")
    ] = False,
) -> None:
    """Explain a record (what every definition makes of it), or a lead (why it stands where it stands)."""
    if (event is None) == (lead is None):
        raise typer.BadParameter("write --event FILE or --lead ID")
    if event is not None and config is not None and folder is None:
        explained = _explained(event, config, source)
        _print(_lines(explained), _plain(explained), format)
    elif lead is not None and (config is None) != (folder is None):
        _lead(lead, config, folder, format, show_personal=show_personal)
    elif config is not None and folder is not None:
        meant = "--event is explained by --config, so leave out --dir" if lead is None else "leave out --dir or --config"
        raise typer.BadParameter(f"not both: {meant}")
    else:
        raise typer.BadParameter("write --config FILE" if event is not None else "write --dir DIR or --config FILE")


def _print(lines: Iterable[str], plain: Any, format: str) -> None:
    if format == "json":
        print(json.dumps(plain, indent=2))
    else:
        for line in lines:
            print(harmless(line))


def _lead(name: str, config: Path | None, folder: Path | None, format: str, *, show_personal: bool) -> None:
    from processors.cli.explained_lead import LeadExplainer
    from processors.cli.lead_records import of_replay, of_topics
    from processors.cli.telling import tell
    from processors.shown.masking import mask_of

    loaded = load(config if config is not None else _kept(folder))
    entity = loaded.program.identifiers.named(name)
    if entity is None:
        spaces = ", ".join(f"{namespace.name}:..." for namespace in loaded.application.identity.namespaces)
        raise typer.BadParameter(f"{name!r} is no identifier of this application: write {spaces}", param_hint="--lead")
    mask = mask_of(loaded.application, show=show_personal or folder is not None)
    records = of_topics(loaded, entity) if folder is None else of_replay(folder, entity)
    funnels = LeadExplainer(loaded.program, loaded.funnels, loaded.application.field_types, records, mask).explain()
    if folder is not None and "@" in entity and not records.facts:
        sentence = f"{folder} does not hold the key of the hashes that stand for addresses: write the hash, as it is published"
        raise typer.BadParameter(sentence, param_hint="--lead")
    who, owner = mask.identifier(entity), mask.identifier(records.owner) if records.owner else ""
    plain = {"lead": who, "belongs_to": owner or None, "funnels": [_renamed(msgspec.to_builtins(each)) for each in funnels]}
    _print(tell(who, funnels, owner, masked=not mask.show), plain, format)


def _kept(folder: Path | None) -> Path:
    """The configuration that a replay kept."""
    assert folder is not None
    kept = folder / APPLICATION
    if not kept.is_file():
        raise Stop(INPUT, f"{folder} holds no {APPLICATION}, so it is no folder that this replay wrote: run replay again.")
    return kept


def _renamed(plain: Any) -> Any:
    """What is called `from_` in Python is `from` for everybody else."""
    if isinstance(plain, dict):
        return {name.rstrip("_"): _renamed(value) for name, value in plain.items()}
    return list(map(_renamed, plain)) if isinstance(plain, list | tuple) else plain


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
    count = _records(value)
    if count > 1:
        sentence = f"{file} has {count} records, one a line, and --event takes one: write that one into a file of its own"
        raise typer.BadParameter(sentence, param_hint="--event")
    return explainer.explain(source or _source(explainer.refusals(value), file), value)


def _records(value: bytes) -> int:
    """How many records a file holds: one, however many lines it takes, unless its first line is one already."""
    first, *others = [line for line in value.splitlines() if line.strip()] or [b""]
    try:
        msgspec.json.decode(first)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return 1
    return 1 + len(others)


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
    drops = DROPS | OF_MAPPINGS if explained.format == "mapping" else DROPS
    lines += [f"Dropped ({reason}): {drops.get(reason, 'nothing uses it')}." for reason in explained.dropped]
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
