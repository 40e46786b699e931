"""Everything that is kept of one lead: its facts and the time of its partition, and what was published of it.

From the folder of a replay, or from the topics of a running application. The changelog is read as a whole: a lead's rows lie
wherever its identifier was hashed to.
"""

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from processors.cli.loading import Loaded
from processors.engine.stop import INPUT, Stop
from processors.state.rows import Damaged
from processors.state.store import rows_at_rest
from processors.topology import rows as row
from schemas.facts import Fact, entity_key

FACT, ENTITY = b"f", slice(1, 17)
"""The first byte of the keys of fact rows, and where they name the entity."""


class LeadRecords(NamedTuple):
    """What is kept of one lead."""

    facts: list[Fact]
    as_of: int
    """Until when timers have fired, in microseconds; 0 where nothing says."""
    transitions: list[dict[str, Any]]
    """Bodies of the transitions that were published, in order."""
    owner: str = ""
    """Of a deal, the lead that its facts were addressed to last; "" where they are its own."""


def of_replay(folder: Path, entity: str) -> LeadRecords:
    """What a replay kept.

    Raises:
        Stop: It is no folder that replay wrote.
    """
    key = entity_key(entity)
    try:
        rows = dict(rows_at_rest(folder / "state", 0, row.facts_prefix(key)))
        others = {} if rows else _naming(entity, rows_at_rest(folder / "state", 0, FACT))
        time = dict(rows_at_rest(folder / "state", 0, row.WATERMARKS_KEY))
        with (folder / "transitions.ndjson").open("rb") as lines:
            bodies = [body for body in map(_body, lines) if body["subject"]["id"] == entity]
    except (Damaged, OSError, ValueError, LookupError) as error:
        raise Stop(INPUT, f"{folder} cannot be read as what replay wrote: {error}; run replay again.") from error
    return LeadRecords(_facts(rows.values()), _as_of(time.get(row.WATERMARKS_KEY)), bodies, _owner(entity, others.values()))


def _body(line: bytes) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.json.decode(line)["value"]
    return body


def of_topics(loaded: Loaded, entity: str) -> LeadRecords:
    """What the topics of a running application keep; committed records only, read outside its group."""
    from processors.engine.reading import read_topic

    key, application = entity_key(entity), loaded.application
    names, read = application.own_topics, partial(read_topic, application.kafka, application.application)
    rows: dict[bytes, bytes] = {}
    others: dict[bytes, bytes] = {}
    times: dict[int, bytes] = {}
    home = -1
    for record in read(names.changelog):
        name, value, partition = record.key() or b"", record.value(), record.partition() or 0
        if name == row.WATERMARKS_KEY and value is not None:
            times[partition] = value
        elif name[:1] == FACT and name[ENTITY] == key:
            home = partition
            rows.pop(name, None)
            if value is not None:
                rows[name] = value
        elif name[:1] == FACT:
            others.pop(name, None)
            others |= _naming(entity, [(name, value or b"")])
    published = (record.value() or b"" for record in read(names.transitions) if record.key() == entity.encode())
    bodies = [msgspec.json.decode(value) for value in published]
    return LeadRecords(_facts(rows.values()), _as_of(times.get(home)), bodies, _owner(entity, others.values()))


def _naming(entity: str, rows: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The rows in which the identifier stands somewhere: few, and only they need be decoded."""
    text = entity.encode()
    return {key: value for key, value in rows if text in value}


def _owner(deal: str, others: Iterable[bytes]) -> str:
    """Whom the newest fact about a deal was addressed to, of facts of others."""
    about = [fact for fact in _facts(others) if fact.deal == deal and fact.entity != deal]
    return max(about, key=lambda fact: (fact.broker_time, fact.entity)).entity if about else ""


def _facts(values: Iterable[bytes]) -> list[Fact]:
    return [row.decode_fact(value).fact for value in values]


def _as_of(value: bytes | None) -> int:
    return row.decode_watermarks(value).as_of if value is not None else 0
