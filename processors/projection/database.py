"""The database of the projection: the last value of every metric record, sums over them, and the values of segments in order.

Records are partial sums, so every answer adds up what it asks for; SQLite does so where numbers are integers, and a sum of
amounts is added up exactly by an aggregate of our own. Lengths of many subjects outgrow 64 bits of microseconds: whole seconds
and the rest are kept apart.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import msgspec

from processors.metrics.cells import EXACT
from processors.metrics.days import ALWAYS, EARLIER, Span, number_of
from processors.projection.answers import Slice
from processors.projection.records import Metric
from schemas.instants import SECOND

_TEXTS = ("kind", "funnel", "grain", "name", "segment", "segment_value", "place", "reason", "of")
_DAYS = ("day", "recorded")
_LENGTHS = ("entered_us", "total_us")
_SPARSE = ("amounts", "amounts_retracted", "amounts_started", "amounts_converted", "buckets")
_COUNTS = tuple(field for field in Metric.__struct_fields__ if field not in (*_TEXTS, *_DAYS, *_LENGTHS, *_SPARSE, "partition"))
_COLUMNS = (
    "key",
    "partition",
    *_TEXTS,
    *_DAYS,
    *_COUNTS,
    *(f"{each[:-2]}{part}" for each in _LENGTHS for part in ("s", "rest")),
    *_SPARSE,
)

_SCHEMA = f"""
CREATE TABLE metric ({", ".join(f'"{column}"' for column in _COLUMNS)}, UNIQUE (key));
CREATE INDEX slice ON metric (funnel, grain, segment, kind, segment_value, name, day);
"""
_VALUES = """
CREATE TABLE value (
    funnel, grain, segment, segment_value, records INTEGER, entries INTEGER, PRIMARY KEY (funnel, grain, segment, segment_value)
) WITHOUT ROWID;
INSERT INTO value
SELECT funnel, grain, segment, segment_value, COUNT(*), SUM(reached_first - reached_first_retracted)
FROM metric WHERE segment IS NOT NULL GROUP BY funnel, grain, segment, segment_value;
CREATE INDEX ranked ON value (funnel, grain, segment, entries DESC, segment_value);
CREATE TRIGGER came AFTER INSERT ON metric WHEN new.segment IS NOT NULL BEGIN
    INSERT INTO value
    VALUES (new.funnel, new.grain, new.segment, new.segment_value, 1, new.reached_first - new.reached_first_retracted)
    ON CONFLICT DO UPDATE SET records = records + 1, entries = entries + excluded.entries;
END;
CREATE TRIGGER went AFTER DELETE ON metric WHEN old.segment IS NOT NULL BEGIN
    UPDATE value SET records = records - 1, entries = entries - (old.reached_first - old.reached_first_retracted)
    WHERE funnel = old.funnel AND grain = old.grain AND segment = old.segment AND segment_value = old.segment_value;
    DELETE FROM value
    WHERE funnel = old.funnel AND grain = old.grain AND segment = old.segment AND segment_value = old.segment_value
    AND records = 0;
END;
"""
_PUT = f"INSERT OR REPLACE INTO metric VALUES ({', '.join('?' * len(_COLUMNS))})"


class Asked(NamedTuple):
    """The records that are asked for.

    Attributes:
        kind: Of record.
        of: Whose.
        days: Those that they are about.
        recorded: Those on which they were recorded.
        where: A further condition.
        parameters: Its values.
    """

    kind: str
    of: Slice
    days: Span = ALWAYS
    recorded: Span = ALWAYS
    where: str = ""
    parameters: tuple[Any, ...] = ()


class Database:
    """The last value of every metric record."""

    def __init__(self, path: str = ":memory:") -> None:
        """Open a new database; it is a cache of the topic, so nothing is synchronised to disk.

        Args:
            path: Of a file that does not exist yet; by default in memory.
        """
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA recursive_triggers = ON;" + _SCHEMA
        )
        self._connection.create_aggregate("exact_sum", 1, _ExactSum)
        self._values_kept = False

    def close(self) -> None:
        """Give back the file or the memory."""
        self._connection.close()

    def put(self, records: Iterable[tuple[bytes, Metric | None]]) -> None:
        """Take records in the order of their topic: the last value of a key stands, None takes it away."""
        self._connection.execute("BEGIN")
        for key, metric in records:
            if metric is None:
                self._connection.execute("DELETE FROM metric WHERE key = ?", (key,))
            else:
                self._connection.execute(_PUT, _row(key, metric))
        self._connection.execute("COMMIT")

    def rows(self, query: str, parameters: Sequence[Any]) -> list[Any]:
        """The rows of a query."""
        return self._connection.execute(query, parameters).fetchall()

    def values(self, which: str, parameters: Sequence[Any], columns: str = "segment_value") -> list[Any]:
        """The values of segments: of each how many `records` it has, and how many first `entries` into all places together.

        They are added up by the first question and kept up to date from then on, so a page costs the same however many there are;
        until then, while a topic is read from its beginning, nothing is spent on them.
        """
        if not self._values_kept:
            self._connection.executescript(_VALUES)
            self._values_kept = True
        return self.rows(f"SELECT {columns} FROM value WHERE {which}", parameters)

    def sums(self, asked: Asked, columns: str, by: str) -> list[Any]:
        """Sums over the records that were asked for: the columns `by`, then `columns`, a row for each group."""
        condition, parameters = _condition(asked)
        return self.rows(f"SELECT {by}, {columns} FROM metric WHERE {condition} GROUP BY {by}", parameters)

    def spread(self, asked: Asked, field: str, by: str, add: str = "SUM") -> list[Any]:
        """Sums of a field that holds many: the columns `by`, then its key (a bucket, a currency) and what it adds up to."""
        condition, parameters = _condition(asked)
        return self.rows(
            f"SELECT {by}, each.key, {add}(each.value) FROM metric, json_each(metric.{field}) AS each"
            f" WHERE {condition} AND {field} IS NOT NULL GROUP BY {by}, each.key",
            parameters,
        )


def _condition(asked: Asked) -> tuple[str, list[Any]]:
    of = asked.of
    conditions = ["funnel = ?", "grain = ?", "segment IS ?", "kind = ?"]
    parameters: list[Any] = [of.funnel, of.grain, of.segment, asked.kind]
    if of.segment is None or of.value is not None:
        conditions.append("segment_value IS ?")
        parameters.append(of.value)
    elif of.without:
        conditions.append(f"segment_value NOT IN ({', '.join('?' * len(of.without))})")
        parameters += of.without
    for column, days in (("day", asked.days), ("recorded", asked.recorded)):
        condition, bounds = within(column, days)
        conditions.append(condition)
        parameters += bounds
    if asked.where:
        conditions.append(asked.where)
        parameters += asked.parameters
    return " AND ".join(filter(None, conditions)), parameters


def within(column: str, days: Span) -> tuple[str, list[int]]:
    """The condition that a day lies in a span, and its values; empty where the span has no bounds."""
    bounds = [(f"{column} >= ?", days.first), (f"{column} <= ?", days.last)]
    given = [(condition, number_of(day)) for condition, day in bounds if day is not None]
    return " AND ".join(condition for condition, _ in given), [day for _, day in given]


def _row(key: bytes, metric: Metric) -> list[Any]:
    values: list[Any] = [key, metric.partition]
    values += [getattr(metric, field) for field in _TEXTS]
    values.append(number_of(metric.day if metric.day is not None else EARLIER))
    values.append(number_of(metric.recorded if metric.recorded is not None else EARLIER) if metric.reason is not None else None)
    values += [getattr(metric, field) for field in _COUNTS]
    for field in _LENGTHS:
        values += divmod(getattr(metric, field), SECOND)
    values += [msgspec.json.encode(sparse).decode() if (sparse := getattr(metric, field)) else None for field in _SPARSE]
    return values


class _ExactSum:
    """The sum of decimals given as texts, as a text."""

    def __init__(self) -> None:
        self._sum = Decimal(0)

    def step(self, amount: Any) -> None:
        self._sum = EXACT.add(self._sum, Decimal(amount))

    def finalize(self) -> Any:
        return format(self._sum, "f")
