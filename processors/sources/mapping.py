"""Decoder of the format `mapping`: records of any shape, told apart and read as the source's `mapping` says.

It guards that only what the mapping names is taken, each from its own path: a missing key says nothing about a field, null says
that it is missing. Identifiers are named by their namespaces, since one path may be a customer's in one kind of record and a
deal's in another. The first shape whose `where` fits says what a record is; where none fits it is dropped as `unmapped_object`.

Nobody knows which fields of such a record are transport. Where it has an id, two copies agree if they agree in what the mapping
takes of them; where it has none, only in everything, so that no two orders over the same amount become one (rule 20).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from processors.sources.elements import decode_elements
from processors.sources.parsing import (
    NESTING,
    check_nesting,
    digest,
    identifier_text,
    instant_from_units,
    read_json,
    shown,
)
from processors.sources.statement import Decoded, SourceRecord, Statement, Undecodable
from schemas.facts import FactKind, Provenance
from schemas.mapping import EVERY, RecordMapping, RecordShape

_Keys = tuple[str, ...]
_Named = Sequence[tuple[str, _Keys]]
"""Names, each with where its value lies."""

_UNMATCHED = Decoded((), unused="unmatched")
_UNMAPPED = Decoded((), unused="unmapped_object")
_ABSENT: Any = object()
_NANOSECONDS = {"s": 1_000_000_000, "ms": 1_000_000, "us": 1_000, "ns": 1}

_read = msgspec.json.Decoder().decode


class _Shape(msgspec.Struct, frozen=True):
    """A kind of record, its paths split."""

    where: Sequence[tuple[_Keys, frozenset[tuple[type, Any]]]]
    kind: FactKind
    name: str
    about: str
    identifiers: _Named
    """Namespaces; those of a deal's lead are among them."""
    values: _Named
    """Canonical fields of a change, properties of an event."""
    provenance: Provenance

    def fits(self, body: Mapping[str, Any]) -> bool:
        return all(_comparable(_at(body, keys)) in wanted for keys, wanted in self.where)


class MappingDecoder:
    """Keeps the contract of `processors.sources.statement.Decoder`."""

    __slots__ = ("_explode", "_id", "_nesting", "_session", "_shapes", "_time", "_unit", "_used_events")

    def __init__(
        self, mapping: RecordMapping, used_events: frozenset[str] | None, session: str | None, nesting: int = NESTING
    ) -> None:
        """Split the paths.

        Args:
            mapping: What records are.
            used_events: Names of the events that definitions use; others are dropped as `unmatched`. None means all are used.
            session: Dotted path of the session's id; None means that events have none.
            nesting: Levels of arrays and objects that a record may have.
        """
        self._shapes = [_compiled(shape) for shape in mapping.records]
        self._explode = None if mapping.explode is None else _keys(mapping.explode)
        self._id = None if mapping.id is None else _keys(mapping.id)
        self._time = None if mapping.time is None else (mapping.time.path, _keys(mapping.time.path))
        self._unit = _NANOSECONDS[mapping.time.unit if mapping.time is not None else "ms"]
        self._session = None if session is None else _keys(session)
        self._used_events = used_events
        self._nesting = nesting

    def decode(self, record: SourceRecord) -> Decoded:
        """Decode one record, or each of the elements that it is exploded into.

        Raises:
            Undecodable: `empty`, `not_utf8`, `not_json`, `too_deep`, `wrong_shape`, `wrong_time` or `no_identifier`; of several
                elements only where none can be used, and then for the first.
        """
        value = record.value or b""
        body = read_json(_read, value)
        check_nesting(value, body, self._nesting)
        if self._explode is None:
            return self._element(body)
        return decode_elements(_exploded(body, self._explode), self._element)

    def _element(self, body: Any) -> Decoded:
        if type(body) is not dict:
            raise Undecodable("wrong_shape", f"The record is {shown(body)}, not an object.")
        if not body:
            raise Undecodable("wrong_shape", "The object is empty, so it says nothing.")
        shape = next((shape for shape in self._shapes if shape.fits(body)), None)
        if shape is None:
            return _UNMAPPED
        if shape.kind == "event" and self._used_events is not None and shape.name not in self._used_events:
            return _UNMATCHED
        return Decoded([self._statement(shape, body)])

    def _statement(self, shape: _Shape, body: Mapping[str, Any]) -> Statement:
        values = {name: value for name, keys in shape.values if (value := _at(body, keys)) is not _ABSENT}
        event = self._event(body, values) if shape.kind == "event" else {}
        identifiers, occurred_at = _identifiers(body, shape.identifiers), self._occurred_at(body)
        identity = None if self._id is None else identifier_text(_at(body, self._id))
        taken = [shape.kind, shape.name, shape.about, identifiers, occurred_at, event or values]
        return Statement(
            kind=shape.kind,
            identifiers=identifiers,
            occurred_at=occurred_at,
            id=identity,
            fingerprint=digest(body if identity is None else taken),
            name=shape.name,
            event=event,
            properties={} if event else {name: value for name, value in values.items() if type(value) not in (dict, list)},
            about=shape.about,
            provenance=shape.provenance,
        )

    def _event(self, body: Mapping[str, Any], properties: Mapping[str, Any]) -> dict[str, Any]:
        event: dict[str, Any] = {"properties": properties}
        session = None if self._session is None else identifier_text(_at(body, self._session))
        return event if session is None else event | {"session_id": session}

    def _occurred_at(self, body: Mapping[str, Any]) -> int | None:
        if self._time is None:
            return None
        path, keys = self._time
        value = _at(body, keys)
        return instant_from_units(None if value is _ABSENT else value, path, self._unit)


def _compiled(shape: RecordShape) -> _Shape:
    kinds: dict[FactKind, str | None] = {
        "change": shape.change,
        "delete": shape.delete,
        "restore": shape.restore,
        "gap": shape.gap,
    }
    kind, about = next(((kind, grain) for kind, grain in kinds.items() if grain is not None), ("event", "lead"))
    paths = shape.properties if kind == "event" else {field: given.from_ for field, given in shape.set_.items()}
    return _Shape(
        where=[(_keys(path), frozenset(map(_comparable, values))) for path, values in shape.where.items()],
        kind=kind,
        name=shape.event or "",
        about=about,
        identifiers=[(name, _keys(path)) for path, name in (*shape.identifiers.items(), *shape.attach.items())],
        values=[(name, _keys(path)) for name, path in paths.items()],
        provenance="snapshot" if shape.snapshot else "backfill" if shape.backfill else "live",
    )


def _comparable(value: Any) -> tuple[type, Any]:
    """A value so that equal ones of JSON are equal: 1 is 1.0 but not true, and objects and lists are equal to nothing."""
    if type(value) in (int, float):
        return float, value
    return (type(value), value) if type(value) in (str, bool) else (object, None)


def _keys(path: str) -> _Keys:
    return tuple(path.split("."))


def _at(body: Any, keys: _Keys) -> Any:
    """What lies at a path; `_ABSENT` where there is no such key, which is less than null."""
    for key in keys:
        if type(body) is not dict:
            return _ABSENT
        body = body.get(key, _ABSENT)
    return body


def _exploded(body: Any, keys: _Keys) -> list[Any]:
    """Every element behind a path with `[*]`.

    Raises:
        Undecodable: `wrong_shape`: there is no list where the path says.
    """
    found = [body]
    for key in keys:
        name = key.removesuffix(EVERY)
        inner = [_at(each, (name,)) for each in found] if name else found
        if name == key:
            found = inner
            continue
        for each in inner:
            if type(each) is not list:
                sentence = (
                    f"explode is {'.'.join(keys)}, and {key} is {'missing' if each is _ABSENT else shown(each)}, not a list."
                )
                raise Undecodable("wrong_shape", sentence)
        found = [element for each in inner for element in each]
    return found


def _identifiers(body: Mapping[str, Any], named: _Named) -> dict[str, str]:
    identifiers: dict[str, str] = {}
    for name, keys in named:
        text = identifier_text(_at(body, keys))
        if text is not None:
            identifiers.setdefault(name, text)
    if identifiers:
        return identifiers
    paths = ", ".join(".".join(keys) for _, keys in named)
    raise Undecodable(
        "no_identifier", f"The record has no usable value at any of its identifiers ({paths}), so it is about nobody."
    )
