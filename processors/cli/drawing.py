"""Drawing: a funnel as boxes and arrows, and those as Mermaid or as DOT.

Stages stand in their order within one frame; outcomes and detours are reached from any of them, so their arrows begin at
the frame.
Nodes go by numbers, because a stage may have a name that either language keeps for itself.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from processors.shown.wording import Rule, expiry_words, rule_words, traits_words
from schemas.definitions import Funnel, Outcome, Stage

LONGEST_LINE = 60
"""Characters of a line within a box; a rule that is longer goes on in the next."""
MOST_LINES = 4

Kind = Literal["stage", "detour", "outcome", "end"]


class Box(NamedTuple):
    """A place: its node, what it is, its name and what enters it, line by line."""

    node: str
    kind: Kind
    name: str
    lines: Sequence[str]


class Arrow(NamedTuple):
    """A way from one node to another; `stages` is the frame around all stages. A dotted one is not the way forward."""

    start: str
    end: str
    label: str = ""
    dotted: bool = False


class Drawing(NamedTuple):
    """A funnel's drawing."""

    title: str
    boxes: Sequence[Box]
    arrows: Sequence[Arrow]


def drawing_of(funnel: Funnel) -> Drawing:
    """The boxes and arrows of one version of a funnel."""
    stages = [_box(f"s{number}", "stage", stage) for number, stage in enumerate(funnel.stages)]
    detours = [_box(f"d{number}", "detour", detour) for number, detour in enumerate(funnel.detours)]
    outcomes = [_box(f"o{number}", "outcome", outcome) for number, outcome in enumerate(funnel.outcomes)]
    arrows = [Arrow(before.node, after.node) for before, after in pairwise(stages)]
    for detour in detours:
        arrows += [Arrow("stages", detour.node, dotted=True), Arrow(detour.node, "stages", "back to the stage left", dotted=True)]
    arrows += [Arrow("stages", outcome.node) for outcome in outcomes]
    expiring = [(number, stage.expires) for number, stage in enumerate(funnel.stages) if stage.expires is not None]
    arrows += [Arrow(f"s{number}", "gone", expiry_words(expiry), dotted=True) for number, expiry in expiring]
    gone = [Box("gone", "end", "no stage, or the furthest that still holds", ())] if expiring else []
    return Drawing(f"{funnel.funnel} v{funnel.version}, per {funnel.subject}", [*stages, *detours, *outcomes, *gone], arrows)


def _box(node: str, kind: Kind, rule: Rule) -> Box:
    traits = [trait for trait in traits_words(rule) if not trait.startswith("ends ")] if isinstance(rule, Stage) else []
    result = [f"({rule.result})"] if isinstance(rule, Outcome) else []
    return Box(node, kind, rule.name, [*result, *_wrapped(rule_words(rule)), *(f"({trait})" for trait in traits)])


def _wrapped(text: str) -> list[str]:
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= LONGEST_LINE:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".lstrip()
    return lines if len(lines) <= MOST_LINES else [*lines[:MOST_LINES], "..."]


_SHAPES = {"stage": '["{}"]', "detour": '[/"{}"/]', "outcome": '(["{}"])', "end": '(("{}"))'}


def mermaid(drawing: Drawing) -> str:
    """A drawing in Mermaid's flowchart language."""
    frame = [f"    {_mermaid_box(box)}" for box in drawing.boxes if box.kind == "stage"]
    others = [f"  {_mermaid_box(box)}" for box in drawing.boxes if box.kind != "stage"]
    arrows = [f"  {_mermaid_arrow(arrow)}" for arrow in drawing.arrows]
    head = ["---", f"title: {drawing.title}", "---", "flowchart TD", '  subgraph stages [" "]']
    return "\n".join([*head, *frame, "  end", *others, *arrows])


def _mermaid_box(box: Box) -> str:
    text = "<br/>".join([f"<b>{_entities(box.name)}</b>", *map(_entities, box.lines)])
    return box.node + _SHAPES[box.kind].format(text)


def _mermaid_arrow(arrow: Arrow) -> str:
    line = "-.->" if arrow.dotted else "-->"
    label = f'|"{_entities(arrow.label)}"|' if arrow.label else ""
    return f"{arrow.start} {line}{label} {arrow.end}"


_ENTITIES = str.maketrans({"#": "#35;", "&": "#amp;", "<": "#lt;", ">": "#gt;", '"': "#quot;", "`": "#96;"})
"""Within quotes Mermaid knows entities, and no other way to write what has a meaning of its own."""


def _entities(text: str) -> str:
    return text.translate(_ENTITIES)


_DOT_SHAPES = {"stage": "box", "detour": "parallelogram", "outcome": "oval", "end": "circle"}


def dot(drawing: Drawing) -> str:
    """A drawing in Graphviz's language."""
    frame = [f"    {_dot_box(box)}" for box in drawing.boxes if box.kind == "stage"]
    others = [f"  {_dot_box(box)}" for box in drawing.boxes if box.kind != "stage"]
    last = next(box.node for box in reversed(drawing.boxes) if box.kind == "stage")
    arrows = [f"  {_dot_arrow(arrow, last)}" for arrow in drawing.arrows]
    head = ["digraph funnel {", f"  label={_quoted(drawing.title)}; labelloc=t; compound=true;", "  subgraph cluster_stages {"]
    return "\n".join([*head, *frame, "  }", *others, *arrows, "}"])


def _dot_box(box: Box) -> str:
    return f"{box.node} [shape={_DOT_SHAPES[box.kind]}, label={_quoted(chr(10).join([box.name, *box.lines]))}];"


def _dot_arrow(arrow: Arrow, last: str) -> str:
    """Graphviz draws arrows between nodes and cuts them where a frame begins (`ltail`, `lhead`)."""
    traits = [f"label={_quoted(arrow.label)}"] if arrow.label else []
    traits += ["style=dotted"] if arrow.dotted else []
    traits += ["ltail=cluster_stages"] if arrow.start == "stages" else []
    traits += ["lhead=cluster_stages"] if arrow.end == "stages" else []
    start, end = (last if node == "stages" else node for node in (arrow.start, arrow.end))
    return f"{start} -> {end}" + (f" [{', '.join(traits)}];" if traits else ";")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
