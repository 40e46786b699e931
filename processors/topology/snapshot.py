"""The snapshot: what it shows of a position besides what moves change: flags, and segments as they are now.

A record that moves nobody can change these too, so they are compared before and after, and what counts of a position has its
segments from here.
"""

from functools import cache

from processors.stages.captured import NO_VALUE, segment_value
from processors.stages.lineage import Lineage
from processors.stages.path import CUSTOMER, LAPSED, OVERDUE
from processors.stages.rules import OutcomeRule, StageRule
from processors.stages.state import Deal, FunnelState, Track, Walk
from processors.stages.timeline import OWN
from processors.stages.version import Version

STALE = "stale"
"""Flags a subject whose source has told of a gap since its last snapshot (rule 21)."""

DELETED = "deleted"
"""Flags a position whose record is deleted: none of its moves is counted (rule 16)."""

Shown = dict[str, tuple[int, list[str], dict[str, str]]]
"""Version, flags and segments of every position that a snapshot shows, by deal (empty: the subject's own). The version is among
them because a later one may name stages anew (rule 23)."""


def shown(lineage: Lineage, state: FunnelState) -> Shown:
    """What snapshots show besides what moves change, of everyone who has ever been somewhere in the funnel."""
    version = lineage.by_number.get(state.version)
    if version is None or (not state.deals and not state.walk.moved):
        return {}
    if _plain(state, version):
        return _plainly(version.number)
    found: Shown = {}
    if state.walk.moved:
        found[OWN] = version.number, flags_shown(state, version, OWN), segments_shown(state, version, OWN)
    if version.walks_deals:
        for name, deal in state.deals.items():
            if deal.walk.moved:
                found[name] = version.number, flags_shown(state, version, name), segments_shown(state, version, name)
    return found


def _plain(state: FunnelState, version: Version) -> bool:
    """Whether nothing can be shown but a place; who has deals may be a customer."""
    return version.plain and not state.own.stale and not state.own.deleted and not state.deals


@cache
def _plainly(number: int) -> Shown:
    """What a version without flags and segments shows: nothing but itself."""
    return {OWN: (number, [], {})}


def place_of(state: FunnelState, version: Version, deal: str) -> tuple[str, Walk, Track]:
    """Grain, walk and record of a position."""
    if deal == OWN:
        return version.subject, state.walk, state.own
    there = state.deals.get(deal) or Deal()  # a fact that named it was replaced by one that names another: it is gone
    return "deal", there.walk, there.track


def flags_shown(state: FunnelState, version: Version, deal: str) -> list[str]:
    """What a snapshot flags: criteria lapsed but the stage is kept, overdue there, open again although a customer, stale."""
    if _plain(state, version):
        return []
    _, walk, track = place_of(state, version, deal)
    here, flags = walk.position, []
    rule = version.rules.get(here.name) if here is not None else None
    if here is not None and isinstance(rule, StageRule):
        if rule.keep:
            kept = [each.kept.get(here.name) for each in _tracks(state, track, deal)]
            flags += [LAPSED] if False in kept and True not in kept else []
        if rule.sla is not None and walk.deadline is None and here.entered_at + rule.sla <= state.stepped:
            flags.append(OVERDUE)
    if deal == OWN and state.deals and (here is None or here.place != "outcome") and has_won(state, version):
        flags.append(CUSTOMER)
    if track.deleted:
        flags.append(DELETED)
    return [*flags, STALE] if any(each.stale for each in _tracks(state, track, deal)) else flags


def _tracks(state: FunnelState, track: Track, deal: str) -> list[Track]:
    return [track] if deal != OWN else [each for _, each in state.tracks]


def has_won(state: FunnelState, version: Version) -> bool:
    """Whether a deal, or the subject itself, has an outcome that is won."""
    outcomes = (track.outcome for _, track in state.tracks if track.outcome is not None and not track.deleted)
    rules = (version.rules.get(name) for name, _ in outcomes)
    return any(isinstance(rule, OutcomeRule) and rule.won for rule in rules)


def segments_shown(state: FunnelState, version: Version, deal: str) -> dict[str, str]:
    """Segment values of a snapshot: of the touch, of the last entry, or the current ones (rule 26)."""
    if not version.segments:
        return {}
    _, walk, track = place_of(state, version, deal)
    values = track.values if deal == OWN else {**state.own.values, **track.values}
    found = {}
    for segment in version.segments:
        if segment.rule == "current":
            found[segment.name] = segment_value(segment, values, {})
        elif segment.rule == "at_entry":
            found[segment.name] = walk.segments.get(segment.name, NO_VALUE)
        else:
            found[segment.name] = state.touches.get(segment.name, NO_VALUE)
    return found
