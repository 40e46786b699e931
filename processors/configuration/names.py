"""Names within one file: each means one thing, and each that is used exists."""

from collections.abc import Callable, Collection, Iterator

from processors.configuration.outline import POSITIONS, Outline
from schemas.mistakes import Mistake, Path, suggestion

LineOf = Callable[[Path], int]


def check_names(outline: Outline, shared: Collection[str], line_of: LineOf) -> Iterator[Mistake]:
    """Every misuse of a name in one file.

    Args:
        outline: The file.
        shared: The conversions that libraries define.
        line_of: Line of a path, for sentences that name two places.
    """
    yield from _duplicates(outline, ("conversions",), line_of)
    yield from _duplicates(outline, POSITIONS, line_of)
    yield from _unknown_conversions(outline, {*outline.names("conversions"), *shared})
    yield from _lonely_groups(outline)
    yield from _repeated_values(outline)
    yield from _retired(outline)


def _duplicates(outline: Outline, sections: tuple[str, ...], line_of: LineOf) -> Iterator[Mistake]:
    first: dict[str, Path] = {}
    for rule in outline.of(*sections):
        place = (*rule.path, "name")
        if rule.name and rule.name in first:
            lines = f"lines {line_of(first[rule.name])} and {line_of(place)}"
            yield Mistake(place, f"{rule.word} {rule.name} is named twice ({lines}): give one of them another name")
        elif rule.name:
            first[rule.name] = place


def _unknown_conversions(outline: Outline, known: Collection[str]) -> Iterator[Mistake]:
    for path, name in outline.conversions_used():
        if name not in known:
            hint = suggestion(name, known) or ": define it under `conversions` or in a library"
            yield Mistake(path, f"conversion {name} is not defined{hint}")
    for rule in outline.of("conversions"):
        for path, name in rule.read.conversions:
            yield Mistake(path, f"a conversion is recognised in events, not in {name}: write {{event: NAME}}")


def _lonely_groups(outline: Outline) -> Iterator[Mistake]:
    members: dict[str, list[Path]] = {}
    for rule in outline.of("conversions"):
        if isinstance(group := rule.keys.get("exclusive"), str):
            members.setdefault(group, []).append((*rule.path, "exclusive"))
    for group, paths in members.items():
        if len(paths) == 1:
            others = [name for name in members if name != group]
            hint = suggestion(group, others) or ": give it to the conversions it excludes too, or leave it out"
            yield Mistake(paths[0], f"exclusive group {group} has one member{hint}")


def _repeated_values(outline: Outline) -> Iterator[Mistake]:
    for path, values in outline.named("orderings"):
        seen: set[str] = set()
        for index, value in enumerate(values if isinstance(values, list) else []):
            if str(value) in seen:
                yield Mistake((*path, index), f"{value} stands twice in {path[-1]}: a value has one place in an ordering")
            seen.add(str(value))


def _retired(outline: Outline) -> Iterator[Mistake]:
    stages = outline.names("stages")
    for path, target in outline.named("retired"):
        old = str(path[-1])
        if old in stages:
            yield Mistake(path, f"{old} is still a stage of this version: only stages that vanished are retired", of_key=True)
        if isinstance(target, str) and target != "remove" and target not in stages:
            hint = suggestion(target, [*stages, "remove"]) or ": write a stage of this version, or remove"
            yield Mistake(path, f"{target} is no stage of this version{hint}")
