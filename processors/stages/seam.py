"""The seam between two versions of a funnel: what a subject carries over when its first facts under a later version come.

It is quiet: nothing is published for it. The position, latches and stays are known by the names of stages, `retired` says what
became of those that vanished (rule 23), and what the new rules make of the values shows with the facts at hand.
"""

from collections.abc import Sequence

import msgspec

from processors.stages.evidence import KeyedFact
from processors.stages.lineage import Lineage
from processors.stages.rules import Rule, StageRule
from processors.stages.state import Deadline, FunnelState, Spells, Track, Walk
from processors.stages.timeline import Point
from processors.stages.tracks import release
from processors.stages.version import Version


def carry_over(state: FunnelState, lineage: Lineage, version: Version, facts: Sequence[KeyedFact]) -> None:
    """Bring a state under a version, through all that lie between.

    Args:
        state: As the facts before left it, by the rules of `state.version`.
        lineage: The funnel.
        version: That the facts at hand are judged by.
        facts: At hand; timers that the new rules need and nobody armed count as armed by the first of them.
    """
    before = lineage.by_number.get(state.version)
    if before is not None:
        start = before.effective_from
        for after in lineage.versions:
            if start < after.effective_from <= version.effective_from:
                _rename(state, before, after)
                before = after
    state.version = version.number
    release(state, version, facts[0][1].occurred_at)  # what a shorter window ends is over before a new signal comes
    if version.timed:
        for _, track in state.tracks:
            _arm(track, version, facts)


def _rename(state: FunnelState, before: Version, after: Version) -> None:
    names = {stage.name: _successor(stage, after) for stage in before.stages}
    names.update({rule.name: rule.name if _is_there(rule, after) else None for rule in (*before.detours, *before.outcomes)})
    for _, track in state.tracks:
        _rename_track(track, names)
    for _, walk in state.walks:
        _rename_walk(walk, names, before, after)


def _successor(stage: StageRule, after: Version) -> str | None:
    """The stage of the new version that stands for one of the old; None where it is removed."""
    return stage.name if _is_there(stage, after) else after.retired.get(stage.name)


def _is_there(rule: Rule, after: Version) -> bool:
    """Whether the new version has it, and in the same place: an outcome is no stage that was renamed."""
    there = after.rules.get(rule.name)
    return there is not None and there.place == rule.place


def _rename_track(track: Track, names: dict[str, str | None]) -> None:
    latches: dict[str, tuple[int, int]] = {}
    for name, (first, last) in track.latches.items():
        new = names.get(name)
        if new is not None:
            known = latches.get(new, (first, last))
            latches[new] = (min(first, known[0]), max(last, known[1]))
    track.latches = latches
    track.kept = {new: true for name, true in track.kept.items() if (new := names.get(name)) is not None}
    renamed = ((names.get(name, name), cause) for name, cause in track.armed.items())  # a field keeps its name
    track.armed = {name: cause for name, cause in renamed if name is not None}
    if track.outcome is not None and names.get(track.outcome[0]) is None:
        track.outcome = None


def _rename_walk(walk: Walk, names: dict[str, str | None], before: Version, after: Version) -> None:
    if walk.position is not None and walk.position.place == "detour" and names.get(walk.position.name) is None:
        walk.position, walk.left = walk.left, None
    _carry_firsts(walk, names)
    walk.position = _moved(walk.position, names, before, after)
    walk.left = _moved(walk.left, names, before, after)
    spells: dict[str, Spells] = {}
    for name, each in walk.spells.items():
        new = names.get(name)
        if new is not None:
            spells[new] = _together(spells.get(new), each)
    walk.spells = spells
    if walk.position is not None and walk.position.name in spells:
        walk.position = msgspec.structs.replace(walk.position, entry=spells[walk.position.name].count)
    if walk.furthest >= 0:
        point = _nearest(before.stages[walk.furthest].name, names, before)
        walk.furthest = after.rules[point].index if point is not None else -1
    if walk.deadline is not None:
        stage = after.rules.get(names.get(walk.deadline.stage) or "")
        kept = isinstance(stage, StageRule) and stage.sla is not None
        walk.deadline = Deadline(stage.name, walk.deadline.due, walk.deadline.cause) if stage is not None and kept else None


def _moved(point: Point | None, names: dict[str, str | None], before: Version, after: Version) -> Point | None:
    """The same position under its new name; behind a removed stage one stands in the nearest earlier one that is left."""
    if point is None:
        return None
    name = _nearest(point.name, names, before) if point.place == "stage" else names.get(point.name)
    if name is None:
        return None
    return Point(after.rules[name].place, name, point.entered_at, point.entry, point.known)


def _carry_firsts(walk: Walk, names: dict[str, str | None]) -> None:
    """Who was in a stage goes on in the one that took over; the first entry stays counted under its old name (rule 23)."""
    firsts = dict(walk.firsts)
    for name, first in walk.firsts.items():
        new = names.get(name, name)
        if new is not None and new not in firsts:
            firsts[new] = msgspec.structs.replace(first, carried=True)
    walk.firsts = firsts


def _nearest(stage: str, names: dict[str, str | None], before: Version) -> str | None:
    earlier = [each.name for each in before.stages[: before.rules[stage].index + 1]]
    return next((new for name in reversed(earlier) if (new := names[name]) is not None), None)


def _together(known: Spells | None, more: Spells) -> Spells:
    if known is None:
        return more
    later = more if more.last_at >= known.last_at else known
    return Spells(
        known.count + more.count,
        min(known.first_at, more.first_at),
        later.last_at,
        known.closed + more.closed,
        later.latest,
        known.total + more.total,
        known.carried + more.carried,
    )


def _arm(track: Track, version: Version, facts: Sequence[KeyedFact]) -> None:
    """Arm what the version waits for, and nothing else: a date that passed under other rules, or before any, stays passed."""
    cause, now = facts[0][0], facts[0][1].occurred_at
    waiting = [stage.name for stage in version.expiring if stage.name in track.latches]
    waiting += [field for field in version.passing if isinstance(value := track.values.get(field), int) and value > now]
    track.armed = {name: track.armed.get(name, cause) for name in waiting}
