"""`funnelstream report --reconcile`: every published sum held against a recount of what was published of each subject."""

import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import msgspec
import typer

from processors.cli import projections
from processors.cli.loading import Loaded
from processors.cli.tables import Format, print_rows
from processors.engine.stop import ENVIRONMENT, INPUT, Stop
from processors.projection.ledger import TOPICS, Entry, Ledger, Topic, entry_of
from processors.projection.projection import Projection
from processors.projection.reconciliation import Compared, Unlike
from processors.shown.quantities import plain

COLUMNS = (
    *("kind", "funnel", "grain", "place", "name", "day", "segment", "segment_value"),
    *("number", "published", "recounted"),
)


def reconcile_folder(folder: Path) -> Compared:
    """Recount a replay.

    Raises:
        Stop: As `projections.of_folder` does.
    """
    projection, ledger = projections.of_folder(folder), Ledger()
    try:
        for topic in TOPICS:
            ledger.put(_entries(folder / f"{topic}.ndjson", topic))
    except OSError as error:
        raise Stop(
            ENVIRONMENT, f"{folder} is no folder that replay wrote: {error.filename} cannot be read ({error.strerror})."
        ) from error
    return _compare(projection, ledger, projection.outlines.as_of or 0)


def _entries(file: Path, topic: Topic) -> Iterator[Entry]:
    decoder = msgspec.json.Decoder(projections.Line[msgspec.Raw])

    def decode(data: bytes) -> Entry:
        line = decoder.decode(data)
        return entry_of(topic, str(msgspec.json.decode(line.key)), None if bytes(line.value) == b"null" else bytes(line.value))

    return projections.read_lines(file, decode)


def reconcile_topics(loaded: Loaded) -> Compared:
    """Recount a running application, at a moment at which nothing is being committed.

    Raises:
        Stop: With code 3 when there is no such moment, or brokers or topics cannot be read; with code 1 when a topic holds other
            records.
    """
    from processors.engine.one_point import read_to_one_point

    projection, ledger = projections.empty(loaded), Ledger()
    application, names = loaded.application, loaded.application.own_topics
    roles: dict[str, Topic] = {getattr(names, topic): topic for topic in TOPICS}
    for messages in read_to_one_point(application.kafka, application.application, [names.metrics, *roles]):
        metrics = ((message.key(), message.value()) for message in messages if message.topic() == names.metrics)
        projection.put(projections.metrics_of(names.metrics, metrics))
        for name, topic in roles.items():
            found = [each for each in messages if each.topic() == name]
            try:
                ledger.put(entry_of(topic, bytes(each.key() or b"").decode(), _bytes(each.value())) for each in found)
            except (ValueError, RecursionError) as error:
                raise Stop(INPUT, f"topic {name} holds a record that is none of ours: {error}.") from error
    return _compare(projection, ledger, time.time_ns() // 1000)


def _bytes(value: bytes | str | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value


def _compare(projection: Projection, ledger: Ledger, as_of: int) -> Compared:
    try:
        return projection.reconcile(ledger, as_of)
    finally:
        ledger.close()


def print_comparison(compared: Compared, format: Format) -> None:
    """Print every difference, and what was compared.

    Raises:
        Stop: With code 1 when anything differs.
    """
    if compared.unlike or format != "table":
        print_rows(format, COLUMNS, [_row(unlike) for unlike in compared.unlike])
    what = (
        f"{compared.numbers} numbers, by funnel, grain, place, conversion or rate, segment and day, with a recount of "
        f"{compared.records} transitions, conversions and snapshots of {compared.positions} positions"
    )
    left_out = (
        f" {compared.left_out} positions of funnels that no definition has any more were left out." if compared.left_out else ""
    )
    if compared.unlike:
        raise Stop(INPUT, f"{len(compared.unlike)} of {what} differ; they are listed above.{left_out}")
    typer.echo(f"compared {what}: all equal.{left_out}", err=format != "table")


def _row(unlike: Unlike) -> tuple[str | None, ...]:
    return (*unlike.number, _plain(unlike.published), _plain(unlike.recounted))


def _plain(amount: int | Decimal) -> str:
    return str(amount) if isinstance(amount, int) else plain(amount)
