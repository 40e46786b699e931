"""May this worker go on with state that other definitions wrote? Decided on what the marks say, before anything is joined.

A version is immutable once it wrote state, and stays: the past is judged by it for ever. New versions of a known funnel begin
after all that the state has taken in, new funnels count from now on. All else is refused, every reason at once (decision 12).
"""

from collections.abc import Iterator, Mapping, Sequence

from processors.engine.findings import Finding, missing
from processors.engine.mark import BEGIN_AGAIN, Mark
from processors.engine.stop import INPUT, Stop
from processors.topology.definition_digests import Definitions
from schemas.instants import DAY, format_instant

_AREA = "definitions"


def change(marks: Mapping[str, Mark], running: Definitions, now: int) -> list[Finding]:
    """Judge the definitions that a worker runs by the state that is there.

    Args:
        marks: What the state of each partition belongs to, by words that name the partition.
        running: The definitions of this worker.
        now: The clock's instant in microseconds; only what is proposed depends on it.

    Returns:
        Why they cannot go on, each a finding that is missing; else what is new. Nothing where they wrote the state themselves.
    """
    others = {place: mark for place, mark in marks.items() if mark.definitions != running.digest}
    foreign = next(((place, mark) for place, mark in others.items() if mark.rows != running.rows or not mark.versions), None)
    if foreign is not None:
        return [_foreign(*foreign, running)]
    if not others:
        return []
    known = {name for mark in others.values() for name in mark.versions}
    added = [name for name in running.versions if name not in known]
    refused = [*_altered(others, running), *_early(others, added, running, now)]
    at_work = any(mark.definitions == running.digest for mark in marks.values())  # the others have been idle since
    return refused or [*_news(known, [] if at_work else added, running, now)]


def check_change(marks: Mapping[str, Mark], running: Definitions, now: int) -> Sequence[Finding]:
    """What is new in the definitions of this worker; see `change`.

    Raises:
        Stop: They cannot go on, with code 1 and every reason.
    """
    found = change(marks, running, now)
    if lacking := missing(found):
        lines = "\n".join(f"  {finding.sentence}" for finding in lacking)
        raise Stop(INPUT, f"these definitions cannot go on with the state that is there:\n{lines}")
    return found


def _foreign(place: str, mark: Mark, running: Definitions) -> Finding:
    says = (
        f"was written under the definitions {mark.definitions}, this worker has {running.digest}, and rows of format {mark.rows} "
        f"are not those of this release (format {running.rows})"
    )
    return Finding(_AREA, place, "missing", says, f"run the definitions and the release that wrote it, or {BEGIN_AGAIN}")


def _altered(marks: Mapping[str, Mark], running: Definitions) -> Iterator[Finding]:
    """Versions that wrote state and are another now, or gone."""
    seen: dict[tuple[str, str], str] = {}
    for place, mark in marks.items():
        for name, digest in mark.versions.items():
            if running.versions.get(name) != digest:
                seen.setdefault((name, digest), place)
    for (name, digest), place in sorted(seen.items()):
        now = running.versions.get(name)
        if now is None:
            says = f"wrote the state of {place} ({digest}) and is not among the definitions"
            mend = (
                "bring its file back; a later version takes over from its effective_from, and what was before is still judged by "
                "this one"
            )
        else:
            says = (
                f"has changed: the state of {place} was written by {digest}, this worker has {now}. A version is never changed, "
                "for what it has published would be wrong"
            )
            mend = (
                "take back the change of its rules, or of the type or the `authority` of a field that it reads; what is to count "
                f"from now on is written as version {_next(name, running)}, with an effective_from to come"
            )
        yield Finding(_AREA, _words(name), "missing", says, mend)


def _early(marks: Mapping[str, Mark], added: Sequence[str], running: Definitions, now: int) -> Iterator[Finding]:
    """New versions of known funnels that would judge anew what has been judged."""
    funnels = {_funnel(name) for mark in marks.values() for name in mark.versions}
    place, mark = max(marks.items(), key=lambda item: item[1].reached)
    reached, proposed = format_instant(mark.reached), format_instant(_proposed(mark.reached, now))
    for name in added:
        start = running.starts[name]
        if _funnel(name) in funnels and start <= mark.reached:
            says = (
                f"is to apply from {format_instant(start)}, but {place} has taken in what happened up to {reached}, and what is "
                "published is not judged anew"
            )
            mend = f"write effective_from: {proposed}, or another instant after {reached} that is to come when the workers start"
            yield Finding(_AREA, _words(name), "missing", says, mend)


def _proposed(reached: int, now: int) -> int:
    """The first midnight that is at least a day away: events may carry times that are a little ahead."""
    return (max(reached, now) // DAY + 2) * DAY


def _news(known: set[str], added: Sequence[str], running: Definitions, now: int) -> Iterator[Finding]:
    funnels = {_funnel(name) for name in known}
    for name in added:
        if _funnel(name) not in funnels:
            continue
        says = f"is new and applies from {format_instant(running.starts[name])}"
        if running.starts[name] > now:
            yield Finding(_AREA, _words(name), "ok", says)
        else:
            mend = "events of since then that no version used have been dropped; write an effective_from to come if it needs them"
            yield Finding(_AREA, _words(name), "warning", says, mend)
    for name in dict.fromkeys(_funnel(name) for name in added):
        if name not in funnels:
            says = "is new and counts what comes from now on; for its history the sources must be read again"
            yield Finding(_AREA, f"funnel {name}", "ok", says)


def _next(name: str, running: Definitions) -> int:
    numbers = [int(each.rpartition("/")[2]) for each in running.versions if _funnel(each) == _funnel(name)]
    return max(numbers) + 1


def _funnel(name: str) -> str:
    return name.rpartition("/")[0]


def _words(name: str) -> str:
    funnel, _, number = name.rpartition("/")
    return f"{funnel} version {number}"
