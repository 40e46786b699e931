"""Conversion rates of a definition: from where to where, of whom, and each called by a name of its own (rules 24 and 27)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from processors.configuration.outline import POSITIONS, Outline
from processors.configuration.sentences import validated
from schemas.definitions import Rate
from schemas.mistakes import Mistake, Path, all_of, suggestion


def check_rates(outline: Outline, line_of: Callable[[Path], int]) -> Iterator[Mistake]:
    """Every rate that leads nowhere, divides unlike things, or is called as another one.

    Args:
        outline: The file.
        line_of: Line of a path, for sentences that name two places.
    """
    named: dict[tuple[str, Any], Path] = {}
    for path, rate in outline.entries("rates"):
        yield from _ends(outline, path, rate)
        yield from _grain(outline, path, rate)
        model, _ = validated(Rate, rate)
        if model is None:
            continue
        first = named.setdefault((model.name, model.grain or outline.keys.get("subject")), path)
        if first != path:
            lines = f"lines {line_of(first)} and {line_of(path)}"
            told_apart = "numbers are known by from, to, within, count and grain; cohort and entries do not tell two rates apart"
            yield Mistake(path, f"two rates are called {model.name} ({lines}): keep one; {told_apart}")


def _ends(outline: Outline, path: Path, rate: Mapping[str, Any]) -> Iterator[Mistake]:
    """A detour is entered and left off the path, so nobody reaches it on the way (semantics, touched and reached)."""
    places, detours = outline.names("stages", "outcomes"), outline.names("detours")
    for end in ("from", "to"):
        name = rate.get(end)
        if isinstance(name, str) and name in detours:
            yield Mistake((*path, end), f"{name} is a detour, which lies on no way: write the name of a stage or an outcome")
        elif isinstance(name, str) and name not in places:
            hint = suggestion(name, places) or ": write the name of a stage or an outcome"
            yield Mistake((*path, end), f"{name} is no stage or outcome of this funnel{hint}")
    if rate.get("from") is not None and rate.get("from") == rate.get("to"):
        yield Mistake((*path, "to"), f"the rate goes from {rate['from']} to itself: write the stage it leads to")


def _grain(outline: Outline, path: Path, rate: Mapping[str, Any]) -> Iterator[Mistake]:
    subject, also = outline.keys.get("subject"), outline.keys.get("also")
    published = [subject, *(also if isinstance(also, list) else [])]
    grain = rate.get("grain", subject)
    if "grain" in rate and isinstance(subject, str) and grain not in published:
        names = all_of(str(name) for name in published)
        yield Mistake((*path, "grain"), f"this funnel counts {names}, not {grain}: add {grain} to `also`, or leave grain out")
    if grain == "deal":
        yield from _unlike_ends(outline, path, rate)


def _unlike_ends(outline: Outline, path: Path, rate: Mapping[str, Any]) -> Iterator[Mistake]:
    """Only rules that read deal.* are judged per deal (definitions, one idea); all others a deal has from whom it belongs to."""
    subject = outline.keys.get("subject")
    own = subject if subject in ("visitor", "account") else "lead"
    grains = {rule.name: "deal" if rule.reads("deal") else own for rule in outline.of(*POSITIONS)}
    start, end = (grains.get(str(rate.get(key))) for key in ("from", "to"))
    if not start or not end or start == end == "deal":
        return
    if start == end:
        what = f"{rate['from']} and {rate['to']} read nothing of a deal, so every deal is in both from its first moment"
        yield Mistake((*path, "from"), f"{what}: take two stages that read deal.*, or leave grain out")
    else:
        mend = f"take two stages that both read deal.*, or count {own}s"
        yield Mistake((*path, "from"), f"from is of {start} grain, to of {end} grain: {mend}")
