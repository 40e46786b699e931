"""The projection that commands ask: from a folder that `replay` wrote, or from the metrics topic."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from processors.cli.loading import Loaded, load_exchange_rates
from processors.engine.stop import ENVIRONMENT, INPUT, Stop
from processors.metrics.exchange import Exchange
from processors.metrics.outlines import Outlines, outlines_of
from processors.projection.projection import Projection
from processors.projection.records import Metric, decode_metric
from schemas.application import MoneySettings

OUTLINES, RATES = "funnels.json", "rates.csv"
"""What a replay keeps of the definitions and of the rates of exchange, for a report."""

Body = TypeVar("Body")
T = TypeVar("T")


class Line(msgspec.Struct, Generic[Body], frozen=True):
    """A line that `replay` wrote, without what is not read; the key as it stands there."""

    key: msgspec.Raw
    value: Body


def of_folder(folder: Path) -> Projection:
    """The numbers of a replay.

    Raises:
        Stop: With code 3 when the folder is none that `replay` wrote; with code 1 when a file in it is not as it wrote it.
    """
    try:
        outlines = read_outlines(folder / OUTLINES)
        reporting = outlines.reporting
        money = None if reporting is None else MoneySettings(reporting=reporting, rates=str(folder / RATES))
        projection = Projection(outlines, _exchange(money))
        lines = read_lines(folder / "metrics.ndjson", msgspec.json.Decoder(Line[Metric | None]).decode)
        projection.put((bytes(line.key), line.value) for line in lines)
    except OSError as error:
        raise Stop(
            ENVIRONMENT, f"{folder} is no folder that replay wrote: {error.filename} cannot be read ({error.strerror})."
        ) from error
    return projection


def of_topics(loaded: Loaded) -> Projection:
    """The numbers of a running application.

    Raises:
        Stop: With code 3 when brokers or the topic cannot be read; with code 1 when it holds other records.
    """
    from processors.engine.reading import read_topic

    projection, application = empty(loaded), loaded.application
    topic = application.own_topics.metrics
    records = read_topic(application.kafka, application.application, topic)
    projection.put(metrics_of(topic, ((each.key(), each.value()) for each in records)))
    return projection


def empty(loaded: Loaded) -> Projection:
    """A projection of an application that has taken nothing yet."""
    return Projection(outlines_of(loaded.funnels, loaded.application), exchange_of(loaded))


def exchange_of(loaded: Loaded) -> Exchange | None:
    """The rates of exchange that are configured.

    Raises:
        Stop: With code 3 when their file cannot be read, with code 1 when it holds something else.
    """
    return _exchange(loaded.application.money)


def _exchange(money: MoneySettings | None) -> Exchange | None:
    return None if money is None else Exchange(money.reporting, load_exchange_rates(money))


def metrics_of(topic: str, records: Iterable[tuple[Any, Any]]) -> Iterator[tuple[bytes, Metric | None]]:
    """Records of the metrics topic, keys and values as they lie there.

    Raises:
        Stop: With code 1 when one is no metric.
    """
    for key, value in records:
        try:
            yield key or b"", None if value is None else decode_metric(value)
        except (ValueError, RecursionError) as error:
            raise Stop(
                INPUT, f"topic {topic} holds a record that is no metric: {error}. Is it ours? Its key is {key!r}."
            ) from error


def read_outlines(path: Path) -> Outlines:
    """What a replay kept of its definitions; see `of_folder` for what it raises."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Outlines)
    except (ValueError, RecursionError) as error:
        raise Stop(INPUT, f"{path}:1 is no outline of funnels that replay wrote: {error}; run replay again.") from error


def read_lines(path: Path, decode: Callable[[bytes], T]) -> Iterator[T]:
    """The lines of a file that replay wrote; see `of_folder` for what it raises."""
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield decode(line)
            except (ValueError, RecursionError) as error:
                raise Stop(INPUT, f"{path}:{number} is no record that replay wrote: {error}; run replay again.") from error
