"""Renewal: an event whose every rule has its latch already renews the latches, and leaves the subject where it stands.

Most events of a lead that is known are such (rule 4). What holds of a subject follows from its values, its latches and what
happened. An event changes no value, and time changes what holds with timers, which are steps of their own. So nothing is judged:
of the state only what such an event reads and renews is decoded, and how the subject has walked stays as it is written.
"""

from processors.stages.evidence import Evidence
from processors.stages.state import Glance
from processors.stages.timeline import OWN, Match
from processors.stages.tracks import signal
from processors.stages.version import Version
from schemas.facts import Fact


def renews(glance: Glance, fact: Fact, version: Version) -> bool:
    """Whether an event later than all before it leaves everything as it is but latches and counting.

    Args:
        glance: The state after the last instant.
        fact: The event.
        version: In force at its time; one that is `renewable`.
    """
    if fact.deal or glance.deals or glance.version != version.number or glance.reentered is not None:
        return False
    latches = glance.own.latches
    for rule in version.fired_on_own.get(fact.name, ()):
        if rule not in latches:
            return False
    return all(segment in glance.touches for segment in version.touched_by.get(fact.name, ()))


def renew(glance: Glance, key: bytes, fact: Fact, version: Version) -> list[Match]:
    """Take over an event that `renews`; the conversions that it is are repeated or counted as ever, and move nobody."""
    instant = glance.stepped = fact.occurred_at
    evidence = Evidence(glance, ((key, fact),), version)
    signal(glance.own.latches, evidence.fired.get(OWN, ()), instant)
    return evidence.conversions(instant)
