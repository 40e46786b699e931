"""YAML as written: plain values, and the line and column of every key and value.

YAML 1.2, one document, keys taken as the text they are written as. What a file must not do is refused with a problem
instead of a crash: repeat a key, grow by aliases, or name types of a programming language.
"""

import re
from pathlib import Path as File
from typing import Any

from ruamel.yaml.nodes import MappingNode, Node, ScalarNode

from processors.configuration.problems import Problem, Severity, Unreadable, shortened
from processors.configuration.yaml_nodes import (
    DEEPEST_NESTING,
    EMPTY,
    LARGEST_FILE,
    MOST_VALUES,
    TOO_DEEP,
    TOO_MUCH,
    Place,
    Refused,
    compose,
    place_of,
)
from schemas.mistakes import Mistake, Path

_MERGE = "merge keys (<<) are not part of YAML 1.2: use an alias for the whole value, or write the keys out"
_HALF = "the text holds half a character (an unpaired surrogate): write the character itself"

LONGEST_SENTENCE = 1_000
"""Characters; a key or a name that somebody wrote may have any length, and stands in sentences."""
_LONGEST_PART = 100
_MOST_DIGITS = 1_000
"""Of a whole number: Python reads longer ones in base 8 and 16 and then refuses to write them in any sentence."""

_TAG = "tag:yaml.org,2002:"
_TEXTS = frozenset(_TAG + name for name in ("str", "timestamp", "value"))  # a timestamp stays the text it is
_NOT_FINITE = re.compile(r"[-+]?\.(inf|nan)\Z", re.IGNORECASE)


class Document:
    """One file: what it says, and where.

    Attributes:
        file: As it was named.
        data: Mappings, lists, texts, numbers, true and false, and None within them; None itself only when nothing could be read.
        problems: What is wrong with the YAML itself.
    """

    def __init__(self, file: str, raw: bytes) -> None:
        """Read `raw`; nothing is raised, what is wrong is in `problems`."""
        self.file = file
        self.data: Any = None
        self._values: dict[Path, Place] = {}
        self._keys: dict[Path, Place] = {}
        self._mistakes: list[tuple[Place, Path, str]] = []
        try:
            root = compose(raw)
            self.data = self._plain(root, ())
            if self.data is None:
                raise Refused(EMPTY, place_of(root))
        except Refused as refused:
            self._mistakes = [(refused.place, (), refused.sentence)]
        self.problems = [
            Problem(file, place.line, place.column, self.label(path), shortened(sentence, LONGEST_SENTENCE))
            for place, path, sentence in self._mistakes
        ]

    def problem(self, mistake: Mistake, severity: Severity = "error") -> Problem:
        """A mistake with its place in this file."""
        line, column = self.place(mistake.path, of_key=mistake.of_key)
        sentence = shortened(mistake.sentence, LONGEST_SENTENCE)
        return Problem(self.file, line, column, self.label(mistake.path), sentence, severity)

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
                label += f".{shortened(part, _LONGEST_PART)}"
            else:
                name = value.get("name") if isinstance(value, dict) else None
                label += f".{shortened(name, _LONGEST_PART)}" if isinstance(name, str) else f"[{part}]"
        return label.lstrip(".")

    def _wrong(self, place: Place, path: Path, sentence: str) -> None:
        self._mistakes.append((place, path, sentence))

    def _plain(self, node: Node, path: Path) -> Any:
        self._values[path] = place_of(node)
        if len(self._values) + len(self._keys) > MOST_VALUES:
            raise Refused(TOO_MUCH, place_of(node))
        if len(path) > DEEPEST_NESTING:
            raise Refused(TOO_DEEP, place_of(node))
        if isinstance(node, ScalarNode):
            return self._scalar(node, path)
        if node.tag not in (f"{_TAG}map", f"{_TAG}seq"):
            self._wrong(place_of(node), path, f"the tag {node.tag} has no meaning here: leave it out")
        if isinstance(node, MappingNode):
            return self._mapping(node, path)
        return [self._plain(item, (*path, index)) for index, item in enumerate(node.value)]

    def _mapping(self, node: MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            place, inner = place_of(key), (*path, key.value)
            if not isinstance(key, ScalarNode):
                self._wrong(place, path, "a key must be a text, not a list or a mapping")
            elif key.value in found:
                lines = f"lines {self._keys[inner].line} and {place.line}"
                self._wrong(place, inner, f"key {key.value} is written twice ({lines}): keep one")
            elif key.value == "<<" and key.style is None:
                self._wrong(place, path, _MERGE)
            else:
                self._keys[inner] = place
                found[_encodable(key)] = self._plain(value, inner)
        return found

    def _scalar(self, node: ScalarNode, path: Path) -> Any:
        text, tag = _encodable(node), str(node.tag)
        try:
            return text if tag in _TEXTS else _READERS[tag.removeprefix(_TAG)](text)
        except KeyError:
            self._wrong(place_of(node), path, f"the tag {tag} has no meaning here: leave it out")
        except ValueError:
            kind = tag.removeprefix(_TAG)
            self._wrong(place_of(node), path, f"{text[:60]} cannot be read as {kind}: put it in quotes if it is a text")
        return text


def read_document(file: File) -> Document:
    """Read a file.

    Raises:
        Unreadable: It is missing, a folder, or not to be read by this user.
    """
    try:
        with file.open("rb") as opened:
            return Document(str(file), opened.read(LARGEST_FILE + 1))
    except OSError as reason:
        raise Unreadable(f"{file} cannot be read: {reason.strerror or reason}") from None


def _encodable(node: ScalarNode) -> str:
    text: str = node.value
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Refused(_HALF, place_of(node)) from None
    return text


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
    if len(text) > _MOST_DIGITS:
        raise ValueError(text)
    digits = text.replace("_", "").lower()
    base = {"0o": 8, "0x": 16, "0b": 2}.get(digits.lstrip("+-")[:2], 10)
    return int(digits, base)


def _float(text: str) -> float:
    number = float(text.replace("_", ""))
    if _NOT_FINITE.match(text) or number in (float("inf"), float("-inf")):
        raise ValueError(text)
    return number


_READERS = {"null": _null, "bool": _bool, "int": _int, "float": _float}
