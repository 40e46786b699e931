"""`funnelstream replay`: files of raw records through the same topology, without Kafka."""

import shutil
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from io import BufferedWriter
from pathlib import Path
from typing import Annotated, NamedTuple

import msgspec
import typer

from processors.cli.loading import Loaded, load
from processors.cli.projections import OUTLINES, RATES, exchange_of
from processors.engine.stop import BUG, ENVIRONMENT, INPUT, Stop
from processors.metrics.outlines import outlines_of
from processors.simulation.lines import FILES, Line, Malformed, enveloped_lines, output_line, raw_lines
from processors.simulation.replay import Failed, Input, Replay
from processors.state.store import DiskStore, Label
from processors.topology.effects import Count, Topic
from schemas.instants import format_instant, parse_instant

APPLICATION, DEFINITIONS = "application.json", "definitions"
"""The configuration, without what is secret, and the definitions that a replay ran with: `explain` judges by them."""

WRITTEN: Mapping[Topic, str] = {
    "transitions": "transitions",
    "conversions": "conversions",
    "leads": "lead snapshots",  # one for each change of a lead
    "metrics": "sums",
    "dead_letters": "dead letters",
}
"""What a replay calls the lines of a file that it wrote, by topic."""

UNUSED = {
    "dropped": "statements dropped",
    "dead_letters": "records set aside as dead letters",
    "too_late": "facts too late for the funnel",
    "unconvertible": "values that do not fit their field's type",
}
"""What a replay tells of records that it did not use, by the name of their count."""


class _Counted(NamedTuple):
    published: dict[Topic, int]
    unused: Counter[Count]
    of_times: list[str]


def replay(
    config: Annotated[Path, typer.Option(help="The application's configuration.")],
    out: Annotated[Path, typer.Option(help="Folder to write to; made if it is not there.")],
    given: Annotated[
        list[str],
        typer.Option("--input", metavar="SOURCE=FILE", help="A file of one raw record value per line; may be repeated."),
    ],
    as_of: Annotated[
        str | None,
        typer.Option(
            help="Time passes until then, so what expires, dates and sla by then fire; later records are not read. ISO 8601."
        ),
    ] = None,
    envelope: Annotated[bool, typer.Option(help='Lines are {"key", "value", "headers", "timestamp"}.')] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace what an earlier replay wrote to the folder.")] = False,
) -> None:
    """Run files of records through the funnels and write what would have been published."""
    loaded = load(config)
    until = _instant(as_of)
    try:
        with ExitStack() as files:
            inputs = [_input(files, loaded, text, envelope) for text in given]
            counted = _write(files, loaded, inputs, until, _folder(out, overwrite))
    except OSError as error:
        raise Stop(ENVIRONMENT, f"{error.filename or out} cannot be read or written: {error.strerror}.") from error
    typer.echo(", ".join(f"{count} {WRITTEN[topic]}" for topic, count in counted.published.items()) + f" written to {out}")
    for (metric, *labels), count in sorted(counted.unused.items()):
        typer.echo(f"not used: {count} {UNUSED[metric]} ({', '.join(labels)})")
    for sentence in counted.of_times:
        typer.echo(sentence)
    typer.echo(f"Next: funnelstream report {out}")


def _write(files: ExitStack, loaded: Loaded, inputs: list[Input], until: int | None, folder: Path) -> _Counted:
    outputs = {topic: files.enter_context((folder / name).open("wb")) for topic, name in FILES.items()}
    outlines = outlines_of(loaded.funnels, loaded.application)
    (folder / OUTLINES).write_bytes(msgspec.json.encode(outlines))
    store = DiskStore(folder / "state", Label(loaded.application.application, 1))
    files.callback(store.close)
    _keep(loaded, folder)
    run = Replay(loaded.program, store)
    counted = _run(run, inputs, until, outputs)
    (folder / OUTLINES).write_bytes(msgspec.json.encode(msgspec.structs.replace(outlines, as_of=run.now)))
    return counted


def _run(run: Replay, inputs: list[Input], until: int | None, outputs: Mapping[Topic, BufferedWriter]) -> _Counted:
    counted = _Counted(dict.fromkeys(FILES, 0), Counter(), [])
    try:
        for effects in run.run(inputs, until):
            for publish in effects.published:
                outputs[publish.topic].write(output_line(publish))
                counted.published[publish.topic] += 1
            counted.unused.update(count for count in effects.counts if count[0] in UNUSED)
    except Malformed as error:
        raise Stop(INPUT, str(error)) from error
    except Failed as error:
        traceback.print_exception(error.__cause__)
        raise Stop(BUG, f"{error}; this is a bug in funnelstream: please report it with the lines above.") from error
    counted.of_times.extend(_of_times(run))
    return counted


def _of_times(run: Replay) -> Iterator[str]:
    """What would else be silent: records that no version applies to, and times that nobody wrote."""
    if run.too_early:
        records = "1 record" if run.too_early == 1 else f"{run.too_early} records"
        begins = format_instant(run.begins)
        yield f"not used: {records} happened before {begins}, the first effective_from: only values set are kept"
    count, first, last = run.untimed
    if count:
        named = "1 record that names no time was" if count == 1 else f"{count} records that name no time were"
        when = f"at {format_instant(first)}" if first == last else f"between {format_instant(first)} and {format_instant(last)}"
        yield f"{named} taken {when}, as other records or limits.past say: lines with --envelope give each its Kafka time"


def _instant(text: str | None) -> int | None:
    if text is None:
        return None
    try:
        return parse_instant(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no ISO 8601 time, such as 2026-01-31T12:00:00Z", param_hint="--as-of") from error


def _input(files: ExitStack, loaded: Loaded, text: str, envelope: bool) -> Input:
    name, separator, path = text.partition("=")
    source = loaded.application.sources.get(name)
    if not separator or source is None:
        known = ", ".join(loaded.application.sources)
        raise typer.BadParameter(f"{text!r} names no source: write SOURCE=FILE with SOURCE one of {known}", param_hint="--input")
    try:
        lines: Iterator[bytes] = files.enter_context(Path(path).open("rb"))  # noqa: SIM115 - closed with the others
    except OSError as error:
        raise Stop(ENVIRONMENT, f"input {path} cannot be read: {error.strerror}") from error
    read: Iterator[Line] = enveloped_lines(lines, path) if envelope else raw_lines(lines)
    return Input(name, source.topics[0], path, read)


def _folder(out: Path, overwrite: bool) -> Path:
    if out.exists() and not out.is_dir():
        raise Stop(INPUT, f"{out} is a file: name a folder to write to with --out.")
    if (out / OUTLINES).exists() and overwrite:
        for kept in ("state", DEFINITIONS):
            shutil.rmtree(out / kept, ignore_errors=True)
    elif out.exists() and any(out.iterdir()):
        raise Stop(INPUT, f"{out} is not empty: name another --out, or add --overwrite if it is an earlier replay's.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Stop(ENVIRONMENT, f"{out} cannot be made: {error.strerror}") from error
    return out


def _keep(loaded: Loaded, folder: Path) -> None:
    """Keep what the replay ran with beside what it wrote: no secret, so addresses go by their hashes there."""
    if loaded.application.money is not None:
        exchange_of(loaded)  # refused here and not by the report
        shutil.copyfile(loaded.application.money.rates, folder / RATES)
    definitions = folder / DEFINITIONS
    definitions.mkdir(exist_ok=True)
    for file in loaded.files:
        shutil.copyfile(file, definitions / file.name)
    kept = {"application", "identity", "sources", "authority", "limits"}
    written = loaded.application.model_dump(mode="json", by_alias=True, include=kept, exclude_unset=True)
    written["identity"].pop("hash_key", None)
    for namespace in written["identity"]["namespaces"]:
        namespace.pop("normalise", None)
    written["definitions"] = DEFINITIONS
    (folder / APPLICATION).write_bytes(msgspec.json.encode(written))
