"""A topology small enough to know every answer of: it sums numbers per key, and publishes every step.

A source record `key -> number` becomes one fact; a fact raises the key's sum, publishes the step (`key -> count, sum`) to
transitions, a snapshot to leads, and keeps `sum:key` and `step:key:count` as rows. A source value `drop` is dropped, `dead`
becomes a dead letter of its whole value, `bug` is an exception in ingest, `late-bug` one in advance, `forget` deletes the key's
rows, `sleep N` takes so many seconds in advance of a topology that naps.
"""

import json
import time
from typing import Any

from processors.metrics.cells import Cell, Part
from processors.sources.statement import SourceRecord
from processors.topology.definition_digests import Definitions
from processors.topology.effects import Effects, FactsRecord, Publish, Rows
from processors.topology.publishing import Publisher
from processors.topology.rows import FORMAT
from processors.topology.sums import Sums

DEFINITIONS = Definitions("sha256:summing", FORMAT, {"summing/1": "sha256:1"}, {"summing/1": 0})


STEPS = Cell("conversions", "summing", "lead", "step", 0)
"""How many steps there were: a sum of its own behind every partition."""


class Summing:
    """Deterministic: the same records give the same effects."""

    timed = False

    def __init__(self, definitions: Definitions = DEFINITIONS, *, naps: bool = False) -> None:
        self.definitions = definitions
        self._naps = naps
        self.post = Sums(Publisher("summing")).post

    def ingest(self, record: SourceRecord) -> Effects:
        effects = Effects()
        value = record.value or b""
        if value == b"bug":
            raise ValueError("the summing topology was told to fail")
        if value == b"drop" or record.value is None:
            effects.count("dropped", record.source, "unmatched")
        elif value.startswith(b"dead"):
            effects.count("dead_letters", record.source, "not_json")
            headers = [*record.headers, ("dead-letter-reason", b"not_json")]
            effects.published.append(Publish("dead_letters", record.key, value, headers))
        else:
            effects.count("facts", record.source, "event")
            fact = json.dumps({"key": (record.key or b"").decode(), "value": value.decode()}).encode()
            effects.published.append(Publish("facts", record.key, fact, [("source-offset", str(record.offset).encode())]))
        return effects

    def advance(self, record: FactsRecord, rows: Rows) -> Effects:
        effects = Effects()
        fact: dict[str, Any] = json.loads(record.value)
        name, value = fact["key"], fact["value"]
        if value == "late-bug":
            raise ArithmeticError("the summing topology was told to fail later")
        if value.startswith("sleep "):
            time.sleep(float(value.removeprefix("sleep ")) if self._naps else 0)
            return effects
        key = f"sum:{name}".encode()
        if value == "forget":
            effects.rows[key] = None
            effects.rows.update({step: None for step, _ in rows.scan(f"step:{name}:".encode())})
            effects.snapshots[name.encode()] = Publish("leads", name.encode(), None, [])
            return effects
        count, total = json.loads(rows.get(key) or b"[0, 0]")
        count, total = count + 1, total + int(value)
        assert len(list(rows.scan(f"step:{name}:".encode()))) == (count - 1) % 8, (
            "a step of this transaction is missing in a scan"
        )
        effects.reached = record.appended_at
        effects.postings.append((Part(STEPS, (), (("counted", 1),)), 1))
        effects.rows[key] = json.dumps([count, total]).encode()
        step = json.dumps({"key": name, "count": count, "sum": total, "at": record.appended_at}).encode()
        if count % 8:
            effects.rows[f"step:{name}:{count % 8}".encode()] = str(value).encode()
        else:  # now and then rows go, so that tombstones are part of every test
            effects.rows.update({old: None for old, _ in rows.scan(f"step:{name}:".encode())})
        effects.published.append(Publish("transitions", name.encode(), step, [("op", b"announce")]))
        effects.snapshots[name.encode()] = Publish("leads", name.encode(), step, [])
        effects.count("transitions", "summing", "announce", "advance")
        return effects
