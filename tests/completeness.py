"""Whether a test session ran what it had to: no broker test left out unseen, nothing skipped that could have run.

A green session proves something only if its tests ran. Values in, sentences out; `conftest.py` gathers the values.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tests.browser.chromium import CHROMIUM_ABSENT
from tests.fuzz.guidance import ATHERIS_ABSENT
from tests.promtool import PROMTOOL_ABSENT
from tests.shared_material import ABSENT

ABSENCES = {"../shared": ABSENT, "promtool": PROMTOOL_ABSENT, "chromium": CHROMIUM_ABSENT, "atheris": ATHERIS_ABSENT}
"""What a machine may be without: the reason for which a test is then skipped, by its name."""


@dataclass(frozen=True, slots=True)
class Case:
    """One collected test.

    Attributes:
        nodeid: Its name, as pytest prints it.
        kafka: It needs a real broker.
        soak: It belongs to the soak, which has a session of its own.
        shared: It reads ../shared.
    """

    nodeid: str
    kafka: bool = False
    soak: bool = False
    shared: bool = False


def complaints(
    selected: Iterable[Case],
    deselected: Iterable[Case],
    skips: Mapping[str, str],
    *,
    shared_present: bool,
    require_kafka: bool,
    chosen: bool = False,
) -> list[str]:
    """Say what a session left out that it should have run.

    Args:
        selected: The tests that the session set out to run.
        deselected: Those it had collected and then left out by name or marker.
        skips: Reason by node id, of tests and of whole modules.
        shared_present: ../shared is there, so nothing that reads it may be skipped.
        require_kafka: Broker tests must run, and nothing may be skipped but for the absence of what is in `ABSENCES`.
        chosen: A person chose tests by name or path, and knows what is left out: only skips are faults then.

    Returns:
        One sentence per fault; none if the session is complete.
    """
    selected = list(selected)
    found = [
        f"{nodeid} was skipped although ../shared is there: {skips[nodeid]}"
        for nodeid in _shared_skips(selected, skips)
        if shared_present
    ]
    if not require_kafka:
        return found
    found += [f"{nodeid} was skipped: {reason}" for nodeid, reason in skips.items() if reason not in ABSENCES.values()]
    if chosen:
        return found
    if not any(case.kafka and case.nodeid not in skips for case in selected):
        found.append("no broker test ran: --require-kafka is for sessions that prove something about Kafka")
    # The soak and the rest are two sessions: each may leave out the other, never a part of itself.
    sessions = {case.soak for case in selected}
    found += [
        f"{case.nodeid} was deselected, and it needs the broker" for case in deselected if case.kafka and case.soak in sessions
    ]
    return found


def _shared_skips(selected: Iterable[Case], skips: Mapping[str, str]) -> list[str]:
    readers = {case.nodeid for case in selected if case.shared}
    return [nodeid for nodeid, reason in skips.items() if nodeid in readers or reason == ABSENT]
