"""Records of our topics as `tap` shows them: what they say as plain values, whom and what they are about, and a line for people.

Published records are JSON, facts and rows of the changelog MessagePack in shapes of ours, dead letters raw records of others.
What cannot be read (it may come from another version, or from somebody else) is shown by its size and never ends the command.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from processors.cli.letters import view
from processors.shown.masking import Mask
from processors.shown.wording import place_name
from processors.state.rows import RESERVED
from processors.topology import letters, rows
from processors.topology.letters import DeadLetter, Stored, described_time
from schemas.facts import Continue, Fact, Message, Watermark, entity_key

_decode_message = msgspec.msgpack.Decoder(Message).decode
_INSTANTS = {"occurred_at", "broker_time", "effective_at", "entered_at", "moved_at", "first_at", "last_at", "instant", "due"}
_NOWHERE = "no place"
_ENTITY = slice(1, 17)
"""Where the key of a row holds the entity (`schemas.facts.entity_key`)."""


class Shown(NamedTuple):
    """A record as it is shown, masked, and what filters look at.

    Attributes:
        key: Of the record.
        value: What it says, as JSON can carry it.
        line: The same for people, in a line.
        entity: Key of the entity it is about; empty for none.
        funnel: That it names.
        places: Stages, outcomes and detours that it names.
        conversion: That it is.
    """

    key: Any
    value: Any
    line: str
    entity: bytes = b""
    funnel: str = ""
    places: frozenset[str] = frozenset()
    conversion: str = ""


def shown(role: str, record: Stored, mask: Mask) -> Shown:
    """A record of the topic of this role, decoded and masked."""
    try:
        return _READERS[role](record, mask)
    except (msgspec.MsgspecError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
        size = len(record.value or b"")
        return Shown(mask.raw(record.key), mask.raw(record.value), f"not a record of this version ({size} bytes)")


def _transition(record: Stored, mask: Mask) -> Shown:
    body = _json(record)
    source, target = (place_name(body[end], _NOWHERE) for end in ("from", "to"))
    places = frozenset([source, target, *body["skipped"]]) - {_NOWHERE}
    line = f"{body['kind']} {source} → {target}, {_operation(body)}"
    return _published(record, mask, body, line)._replace(places=places)


def _conversion(record: Stored, mask: Mask) -> Shown:
    body = _json(record)
    moved = ", advanced" if body["advanced"] else ""
    line = f"{body['name']} {body['count']}{moved}, {_operation(body)}"
    return _published(record, mask, body, line)._replace(conversion=body["name"])


def _published(record: Stored, mask: Mask, body: Any, line: str) -> Shown:
    key = mask.identifier(_text(record.key))
    return Shown(key, mask.body(body), f"{key}  {line}", entity_key(body["subject"]["id"]), body["funnel"])


def _lead(record: Stored, mask: Mask) -> Shown:
    text = _text(record.key)
    key, (_, _, rest) = mask.lead_key(text), text.partition("/")
    identifier, _, funnel = rest.rpartition("/")
    if record.value is None:
        return Shown(key, None, f"{key}  gone", entity_key(identifier), funnel)
    body = _json(record)
    here = body["position"]
    place = place_name(here, _NOWHERE)
    line = f"{key}  stands at {place}" + (f" since {here['entered_at']}" if here else "")
    places = frozenset({place}) - {_NOWHERE}
    return Shown(key, mask.body(body), line, entity_key(identifier), funnel, places)


def _fact(record: Stored, mask: Mask) -> Shown:
    fact = _decode_message(record.value or b"")
    if not isinstance(fact, Fact):
        return _of_time(fact)
    value = mask.body(_plain(fact))
    key = mask.identifier(_text(record.key))
    return Shown(key, value, f"{key}  {_of_fact(fact, value)}", entity_key(fact.entity))


def _of_time(message: Watermark | Continue) -> Shown:
    """A message to a partition: nobody's, and with nothing personal in it."""
    if isinstance(message, Continue):
        return Shown(None, {}, "goes on firing timers")
    topic, partition = message.source
    value = {"source": f"{topic}[{partition}]", "at": described_time(message.at), "of": len(message.sources)}
    return Shown(None, value, f"{value['source']} has been read up to {value['at']}")


def _dead_letter(record: Stored, mask: Mask) -> Shown:
    found = letters.read(record)
    key, about = mask.raw(record.key), entity_key(_text(record.key))
    if isinstance(found, DeadLetter):
        value = view(found, mask)
        return Shown(key, value, f"{value['dead_letter']}  {found.reason} of {found.source}: {value['sentence']}", about)
    if found is not None:
        return Shown(key, {"receipt_of": str(found.of)}, f"receipt: {found.of} was sent back", about)
    return Shown(key, mask.raw(record.value), "neither a dead letter nor a receipt")


def _row(record: Stored, mask: Mask) -> Shown:
    key = record.key or b""
    if key.startswith(RESERVED):
        value = _json(record) if record.value is not None else None
        return Shown(key.decode(), value, f"{key.decode()}  {msgspec.json.encode(value).decode()}")
    if key == rows.WATERMARKS_KEY:
        return _watermarks(record)
    kind, name = key[:1].decode(), mask.name(key[1:].hex())
    said = _ROWS[kind](record.value) if record.value is not None else None
    value = mask.body(said)
    line = f"{kind} {name}  " + ("deleted" if said is None else _of_row(kind, value))
    return Shown(f"{kind} {name}", value, line, rows.read_timer_key(key).entity if kind == "t" else key[_ENTITY])


def _watermarks(record: Stored) -> Shown:
    said = rows.decode_watermarks(record.value or b"")
    as_of = described_time(said.as_of) if said.as_of else None
    line = f"w  timers fire up to {as_of or 'no instant yet'}"
    return Shown("w", {"as_of": as_of, "sources": len(said.of)}, line)


def _metric(record: Stored, mask: Mask) -> Shown:
    value = mask.body(_json(record)) if record.value is not None else None
    return Shown(mask.raw(record.key), value, msgspec.json.encode(value).decode())


_READERS: dict[str, Callable[[Stored, Mask], Shown]] = {
    "facts": _fact,
    "changelog": _row,
    "transitions": _transition,
    "conversions": _conversion,
    "leads": _lead,
    "metrics": _metric,
    "dead_letters": _dead_letter,
}


def _entity_row(value: bytes) -> Any:
    row = rows.decode_entity(value)
    return {"entity": row.id, "sequence": row.sequence}


def _fact_row(value: bytes) -> Any:
    row = rows.decode_fact(value)
    return {"fact": _plain(row.fact), "publications": _plain(row.publications), "rejected": len(row.rejected)}


def _head_row(value: bytes) -> Any:
    row = rows.decode_head(value)
    states = {name: _plain(rows.decode_state(state)) for name, state in (("before", row.before), ("after", row.after))}
    return {"instant": described_time(row.last.instant), "facts": len(row.last.members), **states}


def _page_row(value: bytes) -> Any:
    row = rows.decode_page(value)
    first, last = row.steps[0].instant, row.steps[-1].instant
    said = {"first": described_time(first), "last": described_time(last), "facts": sum(len(step.members) for step in row.steps)}
    return {**said, "opening": _plain(rows.decode_state(row.opening))}


def _timer_row(value: bytes) -> Any:
    return {"entity": _text(value)}


_ROWS: dict[str, Callable[[bytes], Any]] = {
    "e": _entity_row,
    "f": _fact_row,
    "h": _head_row,
    "p": _page_row,
    "t": _timer_row,
}


def _of_row(kind: str, value: Any) -> str:
    if kind == "e":
        return f"{value['entity']} has published {value['sequence']} transitions"
    if kind == "f":
        fact = value["fact"]
        return f"{fact['entity']}  {fact['kind']} {fact['name']} at {fact['occurred_at']}, {len(value['publications'])} published"
    if kind == "p":
        return f"{value['facts']} facts from {value['first']} to {value['last']}"
    if kind == "t":
        return f"{value['entity']} has a timer"
    place = value["after"]["walk"]["position"]
    return f"up to {value['instant']}: at {place['name'] if place else 'no place'}"


def _of_fact(fact: Fact, value: Mapping[str, Any]) -> str:
    said = ", ".join(f"{name}={inner}" for name, inner in value["values"].items())
    return f"{fact.kind} {fact.name or fact.source} at {value['occurred_at']}" + (f": {said}" if said else "")


def _operation(body: Mapping[str, Any]) -> str:
    number = f", sequence {body['sequence']}" if "sequence" in body else ""
    return f"{body['funnel']} v{body['version']}, at {body['effective_at']} ({body['op']}, revision {body['revision']}{number})"


def _json(record: Stored) -> Any:
    return msgspec.json.decode(record.value or b"")


def _text(key: bytes | None) -> str:
    return (key or b"").decode("utf-8", "replace")


def _plain(value: Any, field: str = "") -> Any:
    """A struct of ours as plain values: fields by name, bytes in hexadecimal digits, instants written out."""
    if isinstance(value, msgspec.Struct):
        return {name: _plain(getattr(value, name), name) for name in value.__struct_fields__}
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes):
        return value.hex()
    return described_time(value) if field in _INSTANTS and isinstance(value, int) else value
