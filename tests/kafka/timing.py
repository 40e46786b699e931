"""The summing topology with a timer: whoever hears nothing of a key for some seconds of event time is told so, once.

A fact `expire N` of a key arms its timer for N seconds after Kafka's time of the source record, in the place of an earlier one. A
watermark moves `as_of`, the smallest of all source partitions; what is due by then is published as an expiry, `AT_ONCE` of them
for one record, and a `Continue` to the own partition brings the next.
"""

import json

import msgspec

from processors.sources.statement import SourceRecord
from processors.topology.effects import Effects, FactsRecord, Publish, Rows
from schemas.facts import Continue, Watermark
from tests.kafka.summing import Summing

AT_ONCE = 5
_SECOND = 1_000_000
_JSON = b"{"
_decode = msgspec.msgpack.Decoder(Watermark | Continue).decode


class Timing(Summing):
    """Deterministic as well: it knows no other time than what facts and watermarks carry."""

    timed = True

    def ingest(self, record: SourceRecord) -> Effects:
        effects = super().ingest(record)
        for number, publish in enumerate(effects.published):
            if publish.topic == "facts":
                body = json.loads(publish.value or b"") | {"at": record.timestamp}
                fact = Publish("facts", publish.key, json.dumps(body).encode(), [], record.timestamp)
                effects.published[number] = fact
        return effects

    def advance(self, record: FactsRecord, rows: Rows) -> Effects:
        if record.value.startswith(_JSON):
            fact = json.loads(record.value)
            if not fact["value"].startswith("expire "):
                return super().advance(record, rows)
            effects = Effects()
            _arm(effects, rows, fact["key"], fact["at"] + int(float(fact["value"].removeprefix("expire ")) * _SECOND))
            return effects
        effects = Effects()
        message = _decode(record.value)
        if isinstance(message, Watermark):
            told = _told(rows) | {"/".join(map(str, message.source)): message.at}
            told = {"/".join(map(str, source)): -1 for source in message.sources} | told
            effects.rows[b"told"] = json.dumps(told).encode()
        else:
            told = _told(rows)
        _fire(effects, rows, record, min(told.values()))
        return effects


def _told(rows: Rows) -> dict[str, int]:
    """The watermark of each source partition; -1 while it has told none."""
    found: dict[str, int] = json.loads(rows.get(b"told") or b"{}")
    return found


def _arm(effects: Effects, rows: Rows, name: str, due: int) -> None:
    key = f"armed:{name}".encode()
    before = rows.get(key)
    if before is not None:
        effects.rows[f"due:{before.decode()}:{name}".encode()] = None
    effects.rows[key] = f"{due:020}".encode()
    effects.rows[f"due:{due:020}:{name}".encode()] = b""


def _fire(effects: Effects, rows: Rows, record: FactsRecord, as_of: int) -> None:
    due = [key.decode().split(":", 2)[1:] for key, _ in rows.scan(b"due:")]
    due = [(instant, name) for instant, name in due if int(instant) <= as_of]  # type: ignore[misc]
    for instant, name in due[:AT_ONCE]:
        effects.rows[f"due:{instant}:{name}".encode()] = None
        effects.rows[f"armed:{name}".encode()] = None
        expiry = {"key": name, "expired": int(instant), "as_of": as_of, "at": record.appended_at}
        effects.published.append(Publish("conversions", name.encode(), json.dumps(expiry).encode(), []))
    if len(due) > AT_ONCE:
        effects.published.append(Publish("facts", None, msgspec.msgpack.encode(Continue()), [], partition=record.partition))
