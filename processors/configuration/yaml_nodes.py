"""From bytes to a tree of YAML nodes, or one refusal with its place: whatever the bytes are, nothing else is raised.

What could hurt is bounded before the parser recurses: size, nesting, and what is no text.
"""

from typing import NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import CollectionEndEvent, CollectionStartEvent, NodeEvent
from ruamel.yaml.nodes import Node

LARGEST_FILE = 256 * 1024
"""Bytes. A hundred times the longest definition seen; parsing more takes long enough to hurt."""
DEEPEST_NESTING = 40
MOST_VALUES = 50_000
"""Also after aliases are written out: bounds what a "billion laughs" can become."""
EMPTY = "the file is empty: write a funnel, a library or a configuration"
TOO_MUCH = f"the file says more than {MOST_VALUES} things once its aliases are written out: split it"
TOO_DEEP = f"it is nested more than {DEEPEST_NESTING} deep: write it flatter"


class Place(NamedTuple):
    """Line and column, from 1."""

    line: int
    column: int


class Refused(Exception):
    """The whole file cannot be used.

    Attributes:
        sentence: Why, and what to do.
        place: Where that shows.
    """

    def __init__(self, sentence: str, place: Place) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.place = place


def place_of(node: Node) -> Place:
    """Where a node begins."""
    return Place(node.start_mark.line + 1, node.start_mark.column + 1)


def compose(raw: bytes) -> Node:
    """The root of the only document in `raw`; raises Refused."""
    if len(raw) > LARGEST_FILE:
        raise Refused(f"the file is larger than {LARGEST_FILE // 1024} KiB: split it", Place(1, 1))
    text = _decoded(raw)
    try:
        _check_bounds(text)
        node: Node | None = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as reason:
        mark = reason.problem_mark or reason.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else Place(1, 1)
        raise _no_yaml(reason.problem or reason.context, place) from None
    except YAMLError as reason:
        raise _no_yaml(reason, _place_of_character(text, getattr(reason, "position", 0))) from None
    except (ValueError, AttributeError, TypeError, LookupError) as reason:
        # The parser raises these for some malformed escapes, tags and directives.
        raise _no_yaml(reason, Place(1, 1)) from None
    if node is None:
        raise Refused(EMPTY, Place(1, 1))
    return node


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as reason:
        before = raw[: reason.start].decode(errors="replace")
        raise Refused("the file is not UTF-8: save it in that encoding", _place_of_character(before, len(before))) from None


def _check_bounds(text: str) -> None:
    """The parser recurses where it composes, and keeps everything; events come one by one, so both are bounded before it does."""
    depth = nodes = 0
    for event in YAML(typ="safe", pure=True).parse(text):
        depth += isinstance(event, CollectionStartEvent) - isinstance(event, CollectionEndEvent)
        nodes += isinstance(event, NodeEvent)
        if depth > DEEPEST_NESTING or nodes > MOST_VALUES:
            sentence = TOO_DEEP if depth > DEEPEST_NESTING else TOO_MUCH
            raise Refused(sentence, Place(event.start_mark.line + 1, event.start_mark.column + 1))


_MENDS = {
    "mapping values are not allowed": "; a text that holds ': ' needs quotes around it",
    "character '\\t'": "; indent with spaces, not with tabs",
}
"""What to write instead, for the two mistakes that people make most; by words of the parser's own sentence."""


def _no_yaml(reason: object, place: Place) -> Refused:
    said = str(reason).partition("\n")[0] or type(reason).__name__
    mend = next((mend for words, mend in _MENDS.items() if words in said), "")
    return Refused(f"this is no YAML: {said}{mend}", place)


def _place_of_character(text: str, position: int) -> Place:
    before = text[:position]
    return Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
