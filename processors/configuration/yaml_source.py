"""YAML as written: plain values, and the line and column of every key and value.

YAML 1.2, one document, keys taken as the text they are written as. What a file must not do is refused with a problem
instead of a crash: repeat a key, nest without end, grow by aliases, be large, or name types of a programming language.
"""

import re
from collections.abc import Iterator
from pathlib import Path as File
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from processors.configuration.problems import Problem, Severity, Unreadable
from schemas.mistakes import Mistake, Path

LARGEST_FILE = 256 * 1024
"""Bytes. A hundred times the longest definition seen; parsing more takes long enough to hurt."""
DEEPEST_NESTING = 40
MOST_VALUES = 50_000
"""After aliases are written out: bounds what a "billion laughs" can become."""

_TAG = "tag:yaml.org,2002:"
_TEXTS = frozenset(_TAG + name for name in ("str", "timestamp", "value"))  # a timestamp stays the text it is
_TOO_DEEP = f"it is nested more than {DEEPEST_NESTING} deep: write it flatter"
_NOT_FINITE = re.compile(r"[-+]?\.(inf|nan)\Z", re.IGNORECASE)


class Place(NamedTuple):
    """Line and column, from 1."""

    line: int
    column: int


class Document:
    """One file: what it says, and where.

    Attributes:
        file: As it was named.
        data: Mappings, lists, texts, numbers, true and false, None; None too when nothing could be read.
        problems: What is wrong with the YAML itself.
    """

    def __init__(self, file: str, text: str) -> None:
        """Read `text`; nothing is raised, what is wrong is in `problems`."""
        self.file = file
        self.data: Any = None
        self.problems: list[Problem] = []
        self._values: dict[Path, Place] = {}
        self._keys: dict[Path, Place] = {}
        try:
            root = _compose(text)
            if root is None:
                raise _Refused("the file is empty: write a funnel, a library or a configuration", Place(1, 1))
            self.data = self._plain(root, ())
        except _Refused as refused:
            self.data = None
            self._wrong(refused.place, (), refused.sentence)

    def problem(self, mistake: Mistake, severity: Severity = "error") -> Problem:
        """A mistake with its place in this file."""
        line, column = self.place(mistake.path, of_key=mistake.of_key)
        return Problem(self.file, line, column, self.label(mistake.path), mistake.sentence, severity)

    def place(self, path: Path, *, of_key: bool = False) -> Place:
        """Where a value is written, or its key; the nearest place around it for something that is not there."""
        if of_key and path in self._keys:
            return self._keys[path]
        while path and path not in self._values:
            path = path[:-1]
        return self._values.get(path, Place(1, 1))

    def label(self, path: Path) -> str:
        """A path for people: list items that have a name go by it (`stages.sql.while`)."""
        label, value = "", self.data
        for part in path:
            value = _step(value, part)
            if isinstance(part, str):
                label += f".{part}"
            else:
                name = value.get("name") if isinstance(value, dict) else None
                label += f".{name}" if isinstance(name, str) else f"[{part}]"
        return label.lstrip(".")

    def _wrong(self, place: Place, path: Path, sentence: str) -> None:
        self.problems.append(Problem(self.file, place.line, place.column, self.label(path), sentence))

    def _plain(self, node: Node, path: Path) -> Any:
        self._values[path] = _place(node)
        if len(self._values) + len(self._keys) > MOST_VALUES:
            raise _Refused(
                f"the file says more than {MOST_VALUES} things once its aliases are written out: split it", _place(node)
            )
        if len(path) > DEEPEST_NESTING:
            raise _Refused(_TOO_DEEP, _place(node))
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        if node.tag not in (f"{_TAG}map", f"{_TAG}seq"):
            self._wrong(_place(node), path, f"the tag {node.tag} has no meaning here: leave it out")
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        return [self._plain(item, (*path, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            place, inner = _place(key), (*path, key.value)
            if not isinstance(key, ScalarNode):
                self._wrong(place, path, "a key must be a text, not a list or a mapping")
            elif key.value in found:
                lines = f"lines {self._keys[inner].line} and {place.line}"
                self._wrong(place, inner, f"key {key.value} is written twice ({lines}): keep one")
            elif key.value == "<<" and key.style is None:
                self._wrong(
                    place,
                    path,
                    "merge keys (<<) are not part of YAML 1.2: use an alias for the whole value, or write the keys out",
                )
            else:
                self._keys[inner] = place
                found[_encodable(key)] = self._plain(value, inner)
        return found

    def _scalar(self, node: ScalarNode, path: Path) -> Any:
        text, tag = _encodable(node), str(node.tag)
        try:
            return text if tag in _TEXTS else _READERS[tag.removeprefix(_TAG)](text)
        except KeyError:
            self._wrong(_place(node), path, f"the tag {tag} has no meaning here: leave it out")
        except ValueError:
            kind = tag.removeprefix(_TAG)
            self._wrong(_place(node), path, f"{text[:60]} cannot be read as {kind}: put it in quotes if it is a text")
        return text


class _Refused(Exception):
    def __init__(self, sentence: str, place: Place) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.place = place


def read_document(file: File) -> Document:
    """Read a file.

    Raises:
        Unreadable: It is missing, a folder, or not to be read by this user.
    """
    try:
        with file.open("rb") as opened:
            raw = opened.read(LARGEST_FILE + 1)
    except OSError as reason:
        raise Unreadable(f"{file} cannot be read: {reason.strerror or reason}") from None
    try:
        return Document(str(file), raw.decode("utf-8-sig"))
    except UnicodeDecodeError as reason:
        if len(raw) > LARGEST_FILE:
            return Document(str(file), "#" * len(raw))
        document = Document(str(file), "{}")
        line = raw.count(b"\n", 0, reason.start) + 1
        column = reason.start - raw.rfind(b"\n", 0, reason.start)
        document.problems.append(Problem(str(file), line, column, "", "the file is not UTF-8: save it in that encoding"))
        document.data = None
        return document


def _compose(text: str) -> Node | None:
    if len(text.encode(errors="replace")) > LARGEST_FILE:
        raise _Refused(f"the file is larger than {LARGEST_FILE // 1024} KiB: split it", Place(1, 1))
    try:
        _check_depth(text)
        node: Node | None = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as reason:
        mark = reason.problem_mark or reason.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        raise _Refused(f"this is no YAML: {_first_line(reason.problem or reason.context)}", place) from None
    except YAMLError as reason:
        raise _Refused(f"this is no YAML: {_first_line(reason)}", _place_of_character(text, reason)) from None
    except (ValueError, RecursionError, AttributeError, TypeError, KeyError, IndexError) as reason:
        # The parser raises these for some malformed escapes, tags and directives.
        raise _Refused(f"this is no YAML: {_first_line(reason)}", Place(1, 1)) from None
    return node


def _check_depth(text: str) -> None:
    """The parser recurses where it composes; events come one by one, so depth is bounded before it does."""
    depth = 0
    for event in _events(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        if depth > DEEPEST_NESTING:
            place = Place(event.start_mark.line + 1, event.start_mark.column + 1)
            raise _Refused(_TOO_DEEP, place)


def _events(text: str) -> Iterator[Any]:
    yield from YAML(typ="safe", pure=True).parse(text)


def _place(node: Node) -> Place:
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def _place_of_character(text: str, reason: YAMLError) -> Place:
    position = getattr(reason, "position", 0)
    before = text[:position] if isinstance(position, int) else ""
    return Place(before.count("\n") + 1, len(before) - before.rfind("\n"))


def _encodable(node: ScalarNode) -> str:
    text: str = node.value
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Refused(
            "the text holds half a character (an unpaired surrogate): write the character itself", _place(node)
        ) from None
    return text


def _first_line(reason: object) -> str:
    return str(reason).partition("\n")[0] or type(reason).__name__


def _step(value: Any, part: str | int) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    return value[part] if isinstance(value, list) and isinstance(part, int) and part < len(value) else None


def _null(text: str) -> None:
    return None


def _bool(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError(text)
    return text.lower() == "true"


def _int(text: str) -> int:
    digits = text.replace("_", "").lower()
    base = {"0o": 8, "0x": 16, "0b": 2}.get(digits.lstrip("+-")[:2], 10)
    return int(digits, base)


def _float(text: str) -> float:
    number = float(text.replace("_", ""))
    if _NOT_FINITE.match(text) or number in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number


_READERS = {"null": _null, "bool": _bool, "int": _int, "float": _float}
