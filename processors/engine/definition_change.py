"""May this worker go on with state that other definitions wrote? Decided on what the marks say, before anything is joined.

A version is immutable once it wrote state, and stays: the past is judged by it for ever. New versions of a known funnel begin
after all that the state has taken in, new funnels count from now on. All else is refused, every reason at once (decision 12).
"""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from processors.engine.mark import BEGIN_AGAIN, Mark
from processors.engine.stop import INPUT, Stop
from processors.topology.definition_digests import Definitions
from schemas.instants import DAY, format_instant


class Change(NamedTuple):
    """What a change of definitions comes to.

    Attributes:
        refused: Why it is not possible, a sentence each; none: it is.
        news: What is new, a sentence each.
    """

    refused: tuple[str, ...]
    news: tuple[str, ...]


def change(marks: Mapping[str, Mark], running: Definitions, now: int) -> Change:
    """Judge the definitions that a worker runs by the state that is there.

    Args:
        marks: What the state of each partition belongs to, by words that name the partition.
        running: The definitions of this worker.
        now: The clock's instant in microseconds; only what is proposed depends on it.
    """
    others = {place: mark for place, mark in marks.items() if mark.definitions != running.digest}
    foreign = next(((place, mark) for place, mark in others.items() if mark.rows != running.rows or not mark.versions), None)
    if foreign is not None:
        return Change((_foreign(*foreign, running),), ())
    known = {name: digest for mark in others.values() for name, digest in mark.versions.items()}
    funnels = {_funnel(name) for name in known}
    added = [name for name in running.versions if name not in known] if others else []
    versions = [name for name in added if _funnel(name) in funnels]
    refused = [*_altered(others, running), *_early(others, versions, running, now)]
    news = [_news(name, running) for name in versions]
    news += [
        f"funnel {name} is new and counts what comes from now on; for its history the sources must be read again"
        for name in dict.fromkeys(_funnel(name) for name in added)
        if name not in funnels
    ]
    return Change(tuple(refused), tuple(news))


def check_change(marks: Mapping[str, Mark], running: Definitions, now: int) -> tuple[str, ...]:
    """What is new in the definitions of this worker, a sentence each; see `change`.

    Raises:
        Stop: With code 1, and every reason.
    """
    found = change(marks, running, now)
    if found.refused:
        lines = "\n".join(f"  {sentence}" for sentence in found.refused)
        raise Stop(INPUT, f"these definitions cannot go on with the state that is there:\n{lines}")
    return found.news


def _foreign(place: str, mark: Mark, running: Definitions) -> str:
    return (
        f"{place}: its state was written under the definitions {mark.definitions}, this worker has {running.digest}, and rows of "
        f"format {mark.rows} are not those of this release (format {running.rows}). Run the definitions and the release that "
        f"wrote it, or {BEGIN_AGAIN}."
    )


def _altered(marks: Mapping[str, Mark], running: Definitions) -> Iterator[str]:
    """Versions that wrote state and are another now, or gone."""
    seen: dict[tuple[str, str], str] = {}
    for place, mark in marks.items():
        for name, digest in mark.versions.items():
            if running.versions.get(name) != digest:
                seen.setdefault((name, digest), place)
    for (name, digest), place in sorted(seen.items()):
        now = running.versions.get(name)
        if now is None:
            yield (
                f"{_words(name)} wrote the state of {place} ({digest}) and is not among the definitions: bring its file back. A "
                "later version takes over from its effective_from, and what was before is still judged by this one."
            )
        else:
            yield (
                f"{_words(name)} has changed: the state of {place} was written by {digest}, this worker has {now}. A version is "
                "never changed, for what it has published would be wrong: take back the change of its rules, or of the type or "
                "the `authority` of a field that it reads. What is to count from now on is written as version "
                f"{_next(name, running)}, with an effective_from to come."
            )


def _early(marks: Mapping[str, Mark], added: list[str], running: Definitions, now: int) -> Iterator[str]:
    """New versions that would judge anew what has been judged."""
    place, mark = max(marks.items(), key=lambda item: item[1].reached, default=("", None))
    for name in added:
        if mark is not None and running.starts[name] <= mark.reached:
            begins, reached = format_instant(running.starts[name]), format_instant(mark.reached)
            yield (
                f"{_words(name)} is to apply from {begins}, but {place} has taken in what happened up to {reached}, and what is "
                f"published is not judged anew: write effective_from: {format_instant(_proposed(mark.reached, now))}, or another "
                f"instant after {reached} that is still to come when the workers start."
            )


def _proposed(reached: int, now: int) -> int:
    """The first midnight that is at least a day away: events may carry times that are a little ahead."""
    return (max(reached, now) // DAY + 2) * DAY


def _news(name: str, running: Definitions) -> str:
    return f"{_words(name)} is new and applies from {format_instant(running.starts[name])}"


def _next(name: str, running: Definitions) -> int:
    numbers = [int(each.rpartition("/")[2]) for each in running.versions if _funnel(each) == _funnel(name)]
    return max(numbers) + 1


def _funnel(name: str) -> str:
    return name.rpartition("/")[0]


def _words(name: str) -> str:
    funnel, _, number = name.rpartition("/")
    return f"{funnel} version {number}"
