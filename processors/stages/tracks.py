"""Tracks: what holds of the subject's own record and of each of its deals, and how they roll up to one position.

Rules that read `deal.*` are judged once per deal, all others on the subject (rule 13). The subject stands at the furthest stage
of any open deal; it is closed when a deal or the subject has an outcome and no deal is open any more.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from processors.stages.evidence import Evidence
from processors.stages.rules import Memory, OutcomeRule, Rule, StageRule, Values
from processors.stages.state import FunnelState, Track
from processors.stages.timeline import OWN
from processors.stages.version import Version


class Standing(msgspec.Struct, frozen=True, gc=False):
    """What holds of one track at an instant."""

    stages: Sequence[StageRule]
    """In funnel order: latched, true now, or kept since they were true."""
    outcome: OutcomeRule | None
    since: int
    """When the outcome began, in microseconds."""
    lapsed: Sequence[StageRule]
    """Kept stages whose criteria turned false just now."""


class RollUp(msgspec.Struct, frozen=True, gc=False):
    """Where tracks stand together."""

    stages: Sequence[StageRule]
    """That hold on some open track, in funnel order."""
    outcome: OutcomeRule | None
    """That they are closed with."""
    holders: Mapping[str, Sequence[str]]
    """Stage or outcome to the tracks that it holds on."""
    lapsed: Sequence[StageRule]
    """Kept stages whose criteria turned false just now and are true on no other track."""


Fired = Mapping[str, Mapping[str, bytes]]
"""Names of the rules whose `when` fires, by track, with the fact that fires it."""


def refreshes(state: FunnelState, fired: Fired, version: Version) -> bool:
    """Whether events that fire these rules, and nothing else, leave all as it is: then the subject stays, and nothing is judged.

    What holds follows from values, latches and what happened. Time changes it too, but with timers, which are steps of their own.
    After a re-entry even a signal that is latched may do more: an outcome that is over begins anew with it (`_fires_again`).
    """
    if version.recalls or state.reentered is not None:
        return False
    here = state.walk.position
    if version.reenter and here is not None and here.place == "outcome":
        return False
    for name, rules in fired.items():
        latches = (state.own if name == OWN else state.deals[name].track).latches
        for rule in rules:
            if rule not in latches:
                return False
        for stage in version.resetting:
            if stage.name in rules:
                return False
    return True


def latch(state: FunnelState, all_fired: Fired, version: Version, instant: int) -> StageRule | None:
    """Latch what fired; a stage that resets drops the latches of later stages of its track.

    Returns:
        The resetting stage that took away the one that the subject stands in (recycled); None in all other cases.
    """
    recycled = None
    for name, fired in all_fired.items():
        track = state.own if name == OWN else state.deals[name].track
        for rule in version.resetting:
            if rule.name in fired:
                recycled = _reset(state, track, rule, version) or recycled
        latches = track.latches
        for rule in version.expiring:
            slides = rule.expires is not None and rule.expires.sliding
            if rule.name in fired and (slides or rule.name not in latches):
                track.armed[rule.name] = fired[rule.name]
        signal(latches, fired, instant)
    return recycled


def signal(latches: dict[str, tuple[int, int]], fired: Iterable[str], instant: int) -> None:
    """Latch rules, or renew what is latched: the first time stays, the last one is now (rule 4)."""
    for rule in fired:
        before = latches.get(rule)
        latches[rule] = (instant if before is None else before[0], instant)


def _reset(state: FunnelState, track: Track, rule: StageRule, version: Version) -> StageRule | None:
    """Drop the latches of later stages; returns the rule where it took away the one that the subject stands in."""
    dropped = [stage.name for stage in version.stages[rule.index + 1 :] if track.latches.pop(stage.name, None) is not None]
    for stage in dropped:
        track.armed.pop(stage, None)
    return rule if state.walk.position is not None and state.walk.position.name in dropped else None


def latch_end(rule: StageRule, track: Track) -> int | None:
    """When the latch of a stage ends by itself, in microseconds; None where nothing is latched or it never does (rule 10)."""
    latched = track.latches.get(rule.name)
    if latched is None or rule.expires is None:
        return None
    return latched[rule.expires.sliding] + rule.expires.after


def release(state: FunnelState, version: Version, instant: int) -> None:
    """Drop the latches that have ended by this instant."""
    for rule in version.expiring:
        for _, track in state.tracks:
            end = latch_end(rule, track)
            if end is not None and end <= instant:
                del track.latches[rule.name]
                track.armed.pop(rule.name, None)


def holds(rule: Rule, values: Values, memory: Memory, instant: int) -> bool:
    """Whether the rule's `while` is true."""
    return rule.holds is not None and rule.holds(values, memory, instant)


def judge(state: FunnelState, evidence: Evidence, version: Version, instant: int) -> dict[str, Standing]:
    """What holds of every live track; a deleted record holds nothing and is left out."""
    found: dict[str, Standing] = {}
    own = state.own
    if not own.deleted:
        if own.outcome is not None and _fires_again(own, own.outcome, state.reentered, instant):
            own.outcome = None  # begins anew
        found[OWN] = _judge(own, version.own_stages, version.own_outcomes, own.values, state.memory, instant)
    if state.deals:
        for name, track in state.tracks[1:]:
            if not track.deleted:
                rules = version.deal_stages, version.deal_outcomes
                found[name] = _judge(track, *rules, evidence.values(name), state.memory, instant)
    return found


def _fires_again(own: Track, outcome: tuple[str, int], reentered: int | None, instant: int) -> bool:
    """Whether an outcome that is over since the re-entry, though it was true all along, has its own signal now (decision 4)."""
    name, since = outcome
    latched = own.latches.get(name)
    return reentered is not None and since < reentered and latched is not None and latched[1] == instant


def _judge(
    track: Track,
    stages: Sequence[StageRule],
    outcomes: Sequence[OutcomeRule],
    values: Values,
    memory: Memory,
    instant: int,
) -> Standing:
    standing: list[StageRule] = []
    lapsed: list[StageRule] = []
    latches, kept = track.latches, track.kept
    for rule in stages:
        name = rule.name
        stands = name in latches or name in kept
        if rule.holds is not None:
            true_now = rule.holds(values, memory, instant)
            if rule.keep:
                if kept.get(name) and not true_now:
                    lapsed.append(rule)
                if true_now or name in kept:
                    kept[name] = true_now
            stands = stands or true_now
        if stands:
            standing.append(rule)
    outcome = None
    for ending in outcomes:
        if ending.name in latches or holds(ending, values, memory, instant):
            outcome = ending
            break
    if outcome is None:
        track.outcome = None
    elif track.outcome is None or track.outcome[0] != outcome.name:
        track.outcome = (outcome.name, instant)
    return Standing(standing, outcome, track.outcome[1] if track.outcome is not None else 0, lapsed)


def roll_up(found: Mapping[str, Standing], reentered: int | None) -> RollUp:
    """Roll tracks up to one position.

    Args:
        found: What holds of each live track.
        reentered: Outcomes that began before this instant are over; None for none.
    """
    only = found.get(OWN)
    if only is not None and len(found) == 1:  # no deals: the common case
        over = only.outcome is None or (reentered is not None and only.since < reentered)
        return RollUp(only.stages, None if over else only.outcome, {}, only.lapsed)
    closed, up, open_deals = [], [], False
    for name, standing in found.items():
        over = standing.outcome is not None and reentered is not None and standing.since < reentered
        if standing.outcome is not None and not over:
            closed.append((standing.outcome.won, standing.since, name, standing.outcome))
        elif standing.outcome is None or name == OWN:
            up.append((name, standing))
            open_deals = open_deals or (name != OWN and bool(standing.stages))
    if closed and not open_deals:
        outcome = max(closed, key=lambda each: each[:3])[3]
        return RollUp((), outcome, {outcome.name: [name for _, _, name, rule in closed if rule is outcome]}, ())
    holders: dict[str, list[str]] = {}
    rules: dict[str, StageRule] = {}
    for name, standing in up:
        for rule in standing.stages:
            holders.setdefault(rule.name, []).append(name)
            rules[rule.name] = rule
    return RollUp(sorted(rules.values(), key=_index), None, holders, _lapsed_on_all(up))


def _lapsed_on_all(up: Iterable[tuple[str, Standing]]) -> list[StageRule]:
    """Stages that lapsed on some track just now and hold on no other."""
    lapsed = {rule.name: rule for _, standing in up for rule in standing.lapsed}
    elsewhere = {
        rule.name for _, standing in up for rule in standing.stages if rule.name not in {each.name for each in standing.lapsed}
    }
    return [rule for rule in lapsed.values() if rule.name not in elsewhere]


def _index(rule: Rule) -> int:
    return rule.index
