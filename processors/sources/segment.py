"""Decoder of the format `segment`: calls of the Segment specification, as Segment and RudderStack put them on topics.

It guards the cost of what nobody asked for: most events have a name that no definition uses, and those are told by a glance
at `type` and `event`, before anything else of the record is built (design, section 3). Identifiers are named by their dotted
path in the call: `userId`, `traits.email`, `context.groupId` (formats, A1).
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import msgspec

from processors.sources.parsing import (
    NESTING,
    check_nesting,
    digest,
    identifier_text,
    instant_from_text,
    read_json,
    shown,
)
from processors.sources.statement import Decoded, SourceRecord, Statement, Undecodable
from schemas.fields import LONGEST_PATH

_CALLS = frozenset({"track", "page", "screen", "identify", "group", "alias"})
_VIEWS = {"page": "Page Viewed", "screen": "Screen Viewed"}
_UNMATCHED = Decoded((), unused="unmatched")
_SELF_LINK = Decoded((), unused="self_link")

_CONTENT = ("event", "name", "category", "userId", "anonymousId", "groupId", "previousId", "properties", "traits", "context")
"""The fields of the specification that say something. Everything else is transport, added or changed on the way: messageId,
sentAt, receivedAt, integrations, version, channel, writeKey, projectId, request_ip, rudderId, _metadata, and what servers will
add next."""


class _Head(msgspec.Struct, gc=False):
    """The glance: what tells whether a call is used at all. A type for `event` would refuse calls that merely carry one."""

    type: str
    event: Any = None


class _Envelope(msgspec.Struct, frozen=True, gc=False):
    """What the statements of one call share."""

    identifiers: dict[str, str]
    occurred_at: int | None
    id: str | None
    fingerprint: bytes


_read_head = msgspec.json.Decoder(_Head).decode
_read_body = msgspec.json.Decoder(dict[str, Any]).decode


class SegmentDecoder:
    """Keeps the contract of `processors.sources.statement.Decoder`."""

    __slots__ = ("_content", "_nesting", "_paths", "_session", "_used_events")

    def __init__(
        self, used_events: frozenset[str] | None, identifiers: Collection[str], session: str | None, nesting: int = NESTING
    ) -> None:
        """Prepare the lookups.

        Args:
            used_events: Names of the events that definitions use; others are dropped as `unmatched`. None means all are used.
            identifiers: Dotted paths of the identifiers; nothing else is looked up.
            session: Dotted path of the session's id; None means `context.sessionId`.
            nesting: Levels of arrays and objects that a call may have.
        """
        self._used_events = used_events
        self._paths = tuple((name, *_steps(name)) for name in identifiers)
        # An identifier may lie outside the specification; it tells two calls apart all the same.
        self._content = _CONTENT + tuple(sorted({field for _, field, _ in self._paths}.difference(_CONTENT)))
        self._session = _steps(session or "context.sessionId")
        self._nesting = nesting

    def decode(self, record: SourceRecord) -> Decoded:
        """Decode one call.

        Raises:
            Undecodable: `empty`, `not_utf8`, `not_json`, `too_deep`, `wrong_shape`, `wrong_time` or `no_identifier`.
        """
        value = record.value or b""
        head = read_json(_read_head, value)
        call = head.type if head.type in _CALLS else _call_of(head.type)
        name = head.event if call == "track" else _VIEWS.get(call)
        if self._used_events is not None and type(name) is str and name not in self._used_events:
            return _UNMATCHED
        body = read_json(_read_body, value)
        check_nesting(value, body, self._nesting)
        statements = self._statements(call, name, body)
        return Decoded(statements) if statements else _SELF_LINK

    def _statements(self, call: str, name: object, body: dict[str, Any]) -> list[Statement]:
        if call == "alias":
            return self._alias(body)
        envelope = self._envelope(call, body)
        if call == "identify":
            properties = _flat(body, "traits") | _flat(_object(body, "context"), "traits", "context.traits")
            return [_change(envelope, "lead", properties), *_login(envelope)]
        if call == "group":
            return [_change(envelope, "account", _flat(body, "traits"))]
        return [self._event(envelope, call, name, body)]

    def _envelope(self, call: str, body: dict[str, Any]) -> _Envelope:
        identifiers: dict[str, str] = {}
        for name, field, below in self._paths:
            if (text := identifier_text(_at(body, field, below))) is not None:
                identifiers[name] = text
        if not identifiers:
            names = ", ".join(name for name, _, _ in self._paths)
            sentence = f"The {call} call has no usable value at any of the source's identifiers ({names}), so it is about nobody."
            raise Undecodable("no_identifier", sentence)
        time = "timestamp" if body.get("timestamp") else "originalTimestamp"
        occurred_at = instant_from_text(body.get(time), time)
        message_id = identifier_text(body.get("messageId"))
        return _Envelope(identifiers, occurred_at, message_id, _fingerprint(call, body, self._content))

    def _event(self, envelope: _Envelope, call: str, name: object, body: dict[str, Any]) -> Statement:
        if type(name) is not str or not name:
            raise Undecodable("wrong_shape", f"The track call has no event name: `event` is {shown(name)}, not a text.")
        context = _object(body, "context")
        event: dict[str, Any] = {"properties": _object(body, "properties"), "context": context}
        if type(campaign := context.get("campaign")) is dict:
            event["campaign"] = campaign
        if (session := identifier_text(_at(body, *self._session))) is not None:
            event["session_id"] = session
        if call in _VIEWS and type(page := body.get("name")) is str:
            event["page"] = page
        return Statement(
            kind="event",
            identifiers=envelope.identifiers,
            occurred_at=envelope.occurred_at,
            id=envelope.id,
            fingerprint=envelope.fingerprint,
            name=name,
            event=event,
        )

    def _alias(self, body: dict[str, Any]) -> list[Statement]:
        envelope = self._envelope("alias", body)
        user = envelope.identifiers.get("userId")
        previous = identifier_text(body.get("previousId"))
        if user is None or previous is None:
            sentence = "The alias call needs both userId (listed among the source's identifiers) and previousId to link them."
            raise Undecodable("no_identifier", sentence)
        # Libraries send the visitor's own id as previousId where the caller names none.
        anonymous = envelope.identifiers.get("anonymousId") == previous
        target = {"anonymousId" if anonymous else "userId": previous}
        identifiers = {"userId": user}
        return [] if target == identifiers else [_link(envelope, identifiers, target, envelope.id)]


def _call_of(written: str) -> str:
    call = written.strip().lower()
    if call in _CALLS:
        return call
    sentence = f"`type` is {shown(written)}, which is no call of the Segment specification ({', '.join(sorted(_CALLS))})."
    raise Undecodable("wrong_shape", sentence)


def _change(envelope: _Envelope, about: str, properties: Mapping[str, Any]) -> Statement:
    return Statement(
        kind="change",
        identifiers=envelope.identifiers,
        occurred_at=envelope.occurred_at,
        id=envelope.id,
        fingerprint=envelope.fingerprint,
        properties=properties,
        about=about,
    )


def _login(envelope: _Envelope) -> Iterator[Statement]:
    """The link that an identify with both ids states: this visitor is that user (semantics, rule 17)."""
    user, anonymous = envelope.identifiers.get("userId"), envelope.identifiers.get("anonymousId")
    if user is None or anonymous is None:
        return
    # Its own id: the change and the link of one call would else look like one id with two contents (rule 20).
    link_id = None if envelope.id is None else f"{envelope.id}/link"
    yield _link(envelope, {"userId": user}, {"anonymousId": anonymous}, link_id)


def _link(envelope: _Envelope, identifiers: dict[str, str], target: dict[str, str], link_id: str | None) -> Statement:
    return Statement(
        kind="link",
        identifiers=identifiers,
        occurred_at=envelope.occurred_at,
        id=link_id,
        fingerprint=digest(["link", envelope.fingerprint.hex()]),
        target=target,
    )


def _fingerprint(call: str, body: dict[str, Any], fields: tuple[str, ...]) -> bytes:
    content: dict[str, Any] = {}
    for field in fields:
        if (value := body.get(field)) is not None:
            content[field] = value
    context = content.get("context")
    if type(context) is dict and "ip" in context:  # the server's view of the connection: a retry from another network changes it
        content["context"] = {key: value for key, value in context.items() if key != "ip"}
    content["type"] = call
    # `timestamp` is corrected by sentAt, so every delivery of one call has another; the client's own time stays.
    content["time"] = body.get("originalTimestamp") or body.get("timestamp")
    return digest(content)


def _steps(path: str) -> tuple[str, tuple[str, ...]]:
    """A dotted path as the field of a call and the keys below it."""
    field, *below = path.split(".")
    return field, tuple(below)


def _at(body: dict[str, Any], field: str, below: tuple[str, ...]) -> Any:
    value = body.get(field)
    for key in below:
        if type(value) is not dict:
            return None
        value = value.get(key)
    return value


def _object(body: dict[str, Any], field: str) -> dict[str, Any]:
    value = body.get(field)
    if type(value) is dict:
        return value
    if value is None:
        return {}
    raise Undecodable("wrong_shape", f"`{field}` is {shown(value)}, not an object.")


def _flat(body: dict[str, Any], field: str, prefix: str | None = None) -> dict[str, Any]:
    """The values below a field by dotted path, without lists: `{"traits.address.city": "Oslo"}`."""
    flat: dict[str, Any] = {}
    _flatten(_object(body, field), prefix or field, flat)
    return flat


def _flatten(values: dict[str, Any], prefix: str, flat: dict[str, Any]) -> None:
    if len(prefix) > LONGEST_PATH:  # nothing below it can be read: a source's own names of fields are shorter
        return
    # Sorted: a key with a dot in it can meet a nested one, and the order of keys must not decide which of them stands.
    for key, value in sorted(values.items()):
        if type(value) is dict:
            _flatten(value, f"{prefix}.{key}", flat)
        elif type(value) is not list:
            flat[f"{prefix}.{key}"] = value
