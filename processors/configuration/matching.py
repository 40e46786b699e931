"""Conversions that can never match: those that wait for themselves, and those whose exclusive group always takes another.

A conversion that asks for `happened` of another matches after it at the earliest. So the ones that can match are found from
those that wait for none; what is never found waits for itself, be it through a library.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Mapping, Sequence

from processors.configuration.contradictions import Known, signal_contradiction
from processors.configuration.outline import Outline, Rule
from schemas.mistakes import Mistake


def able_to_match(rules: Sequence[Rule], given: Collection[str], orderings: Mapping[str, Sequence[str]]) -> set[str]:
    """The conversions that can match.

    Args:
        rules: Conversions of one file, or of all libraries.
        given: Those that can match anyway: of libraries, or not defined, which is reported where they are named.
        orderings: Of the file.
    """
    able = {*given, *(rule.name for rule in rules if not rule.signals)}  # what cannot be read is reported where it stands
    asking = defaultdict(list)
    for rule in rules:
        for name in rule.asks_for:
            asking[name].append(rule)
    looked_at = deque(rules)
    while looked_at:
        rule = looked_at.popleft()
        if rule.name not in able and _fires(rule, Known(able, orderings)):
            able.add(rule.name)
            looked_at.extend(asking[rule.name])
    return able


def _fires(rule: Rule, known: Known) -> bool:
    return any(signal_contradiction(signal, known) is None for _, signal in rule.signals)


def check_matching(outline: Outline, able: Collection[str]) -> Iterator[Mistake]:
    """The conversions of one file that can never match, unless each of their signals is refused for itself.

    Args:
        outline: The file.
        able: The conversions that can match, those of libraries included.
    """
    for rule in outline.of("conversions"):
        if rule.name and rule.name not in able and _fires(rule, Known(rule.asks_for, outline.orderings())):
            waited_for = [(path, name) for path, name in rule.read.happened if name not in able]
            if not waited_for:  # it waits for nobody: what is wrong with it is said where it stands
                continue
            path, name = waited_for[0]
            waits = "for itself" if name == rule.name else f"for {name}, which can never match before it"
            mend = "leave `happened` out, or name a conversion that does not wait for this one"
            yield Mistake(path, f"conversion {rule.name} can never match: it waits {waits}; {mend}")
    yield from _always_taken(outline)


def _always_taken(outline: Outline) -> Iterator[Mistake]:
    """Of an exclusive group the first that matches wins, so whoever takes every event of a name leaves none to those below."""
    taken: dict[str, dict[str, str]] = {}
    for rule in outline.of("conversions"):
        if not isinstance(group := rule.keys.get("exclusive"), str):
            continue
        by = taken.setdefault(group, {})
        events = [event for _, signal in rule.signals for event in signal.events]
        if events and all(event in by for event in events):
            sentence = f"conversion {rule.name} can never match: {by[events[0]]} stands before it in {group} and takes every "
            yield Mistake((*rule.path, "exclusive"), f"{sentence}{events[0]}; move this one up, or give that one a condition")
        for _, signal in rule.signals:
            if signal.where is None and signal.condition is None:
                by.update({event: rule.name for event in signal.events if event not in by})
