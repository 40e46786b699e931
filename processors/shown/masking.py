"""Masking: what a command shows of people unless `--show-personal` says otherwise. The one place that decides what is personal.

Personal are identifiers and ids of records, which sources choose; every value of an event or a property; keys, values and
headers of raw source records; and what a sentence quotes of them. Not personal are names that definitions and configuration give
(funnels, stages, conversions, fields, events, sources), times, coordinates, reasons and counts.

Masked identifiers stay tellable apart: a short keyed digest stands for the value. The key is `identity.hash_key`, so that one
person looks the same in every output; without one it is drawn anew for each run, because ids can be guessed and hashed.
"""

import json
import re
import secrets
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from processors.simulation.lines import written
from schemas.application import Application

DEEPEST = 40
"""Levels of a raw record of which the shape is shown."""

_IDENTIFIERS = {"entity", "deal"}
_IDS = {"id", "fingerprint", "cause"}
_VALUES = {"read", "values", "segments", "value"}
_QUOTED = (
    re.compile(r"(?<=\bis ).+(?=, (?:which|not)\b)", re.DOTALL),
    re.compile(r"(?<=\bIts id ).+(?= was already used)", re.DOTALL),
    re.compile(r"(['\"]).*\1", re.DOTALL),
)
_ELEMENT = re.compile(r"(; element \d+: )")


class Mask:
    """Masks what is personal, or shows it."""

    def __init__(self, key: bytes, *, show: bool = False) -> None:
        """Make a mask.

        Args:
            key: Of the digests; at most 64 bytes.
            show: Whether to mask nothing.
        """
        self._key = key
        self.show = show

    def identifier(self, text: str) -> str:
        """`namespace:value` with a digest in the place of the value."""
        if self.show:
            return text
        namespace, separator, _ = text.partition(":")
        return f"{namespace}:{self._digest(text)}" if separator else self._digest(text)

    def name(self, text: str) -> str:
        """An id that some source chose, as a digest."""
        return text if self.show else self._digest(text)

    def lead_key(self, key: str) -> str:
        """The key of a lead snapshot, `grain/identifier/funnel`."""
        grain, _, rest = key.partition("/")
        identifier, _, funnel = rest.rpartition("/")
        return f"{grain}/{self.identifier(identifier)}/{funnel}"

    def body(self, plain: Any) -> Any:
        """A record of ours, as plain values: identifiers as digests, values as their shape."""
        if self.show:
            return plain
        if isinstance(plain, Mapping):
            return {name: self._entry(name, value) for name, value in plain.items()}
        return [self.body(each) for each in plain] if isinstance(plain, list) else plain

    def raw(self, content: bytes | None) -> Any:
        """A raw key, header or value: its shape, or where personal values are shown the content as far as JSON can carry it."""
        if content is None:
            return None
        if self.show:
            return readable(content)
        try:
            return shape(msgspec.json.decode(content))
        except (ValueError, RecursionError, msgspec.MsgspecError):
            return f"<{len(content)} bytes>"

    def sentence(self, text: str) -> str:
        """A dead letter's sentence without what it quotes of the record."""
        return text if self.show else "".join(self._unquoted(part) for part in _ELEMENT.split(text))

    def _entry(self, name: str, value: Any) -> Any:
        if name in _VALUES:
            return shape(value)
        if isinstance(value, str) and name in _IDENTIFIERS:
            return self.identifier(value)
        if isinstance(value, str) and name in _IDS:
            return self.name(value)
        if name == "subject" and isinstance(value, Mapping):
            return {**value, "id": self.identifier(str(value.get("id")))}
        return self.body(value)

    def _unquoted(self, part: str) -> str:
        for pattern in _QUOTED:
            part = pattern.sub("…", part)
        return part

    def _digest(self, text: str) -> str:
        return "~" + blake2b(text.encode(), key=self._key, digest_size=4).hexdigest()


def mask_of(application: Application, *, show: bool) -> Mask:
    """The mask of an application's commands."""
    key = application.identity.hash_key
    return Mask(secrets.token_bytes(32) if key is None else key.get_secret_value().encode(), show=show)


def shape(value: Any, deep: int = 0) -> Any:
    """What a value looks like, without saying what it is: names of fields and types of values."""
    if value is None:
        return None
    if isinstance(value, dict | list):
        if deep >= DEEPEST:
            return "<nested>"
        if isinstance(value, dict):
            return {name: shape(inner, deep + 1) for name, inner in value.items()}
        return [shape(inner, deep + 1) for inner in value]
    if isinstance(value, bool):
        return "<bool>"
    return f"<text {len(value)}>" if isinstance(value, str) else "<number>"


def readable(content: bytes) -> Any:
    """Bytes as JSON carries them: JSON where they are JSON that can be written again, else text, else `{"base64": ...}`."""
    plain = written(content)
    try:
        json.dumps([[[[plain]]]])  # it will stand a few levels deep in what is printed
    except (ValueError, RecursionError):
        return content.decode("utf-8", "backslashreplace")
    return plain
