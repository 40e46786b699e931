"""The simulation finds bugs: one known mistake per promise is planted around a function, and must be noticed in so many seeds.

Nothing is planted in shipped code. The numbers of the invariants are those of the design; the fourth comes with the metrics, and
cost (the eighth) is not what is simulated.
"""

import time
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from processors.simulation.arrivals import case_of
from processors.simulation.partitions import Partitions
from processors.simulation.trial import attempt
from processors.stages import diff
from processors.stages.diff import publication_id
from processors.state.overlay import Overlay
from processors.topology import advance, history, publishing, subject, watermarks
from processors.topology.effects import Effects
from processors.topology.ingest import Ingest
from processors.topology.publishing import Publisher
from processors.topology.subject import Subject
from schemas.instants import format_instant

pytestmark = pytest.mark.slow

Plant = Callable[[pytest.MonkeyPatch], None]


class Bug(NamedTuple):
    """A mistake to plant, the promises that it may be noticed by, and within how many seeds it must be."""

    invariant: int
    plant: Plant
    promises: set[str]
    within: int


def first_come_first_served(patch: pytest.MonkeyPatch) -> None:
    """Of two facts with one id the first to arrive counts."""
    patch.setattr(advance, "accepted_order", lambda fact: 0)


def arrival_order_within_an_instant(patch: pytest.MonkeyPatch) -> None:
    """Facts of one instant are applied as they came."""
    for module in (advance, history):
        patch.setattr(module, "in_order", lambda keyed: keyed[1].occurred_at)


def refold_ends_too_early(patch: pytest.MonkeyPatch) -> None:
    """A late fact folds its page anew, and none after it."""
    patch.setattr(history, "_rejoined", lambda found, state, page: bool(found.pages))


def late_facts_are_appended(patch: pytest.MonkeyPatch) -> None:
    """A late fact is taken as if it were the newest."""
    patch.setattr(advance._Step, "_insert", advance._Step._continue)


def revisions_start_over(patch: pytest.MonkeyPatch) -> None:
    """A publication that was retracted comes back as the first of its kind."""
    announce = diff.announce

    def forgetful(content: Any, funnel: str, known: Any = None) -> Any:
        return announce(content, funnel, known if known is not None and known.live else None)

    patch.setattr(diff, "announce", forgetful)


def sequence_outlives_an_abort(patch: pytest.MonkeyPatch) -> None:
    """The sequence counts in memory, and an abort does not take it back."""
    counted: Counter[str] = Counter()

    def following(subject: Any) -> int:
        entity = subject._entity_row()
        counted[entity.id] = max(counted[entity.id], entity.sequence) + 1
        entity.sequence = counted[entity.id]
        return counted[entity.id]

    patch.setattr(Subject, "_next_sequence", following)


def ids_depend_on_arrival(patch: pytest.MonkeyPatch) -> None:
    """The id of a conversion is made anew with every revision."""
    conversion = Publisher.conversion

    def unstable(publisher: Publisher, change: Any, *given: Any) -> Any:
        revision = str(change.publication.revision)
        with pytest.MonkeyPatch.context() as inner:
            inner.setattr(publishing, "publication_id", lambda identity, grain: publication_id(identity, grain + revision))
            return conversion(publisher, change, *given)

    patch.setattr(Publisher, "conversion", unstable)


def a_clock_in_the_core(patch: pytest.MonkeyPatch) -> None:
    """What is recorded is the time of this machine."""
    patch.setattr(subject, "format_instant", lambda _: format_instant(time.time_ns() // 1000))


def aborted_rows_survive(patch: pytest.MonkeyPatch) -> None:
    """The rows of a transaction are there for the next one although it was aborted."""
    patch.setattr(Overlay, "clear", lambda overlay: None)


def rows_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    """Rows go into the store at once rather than after the commit."""

    def hasty(overlay: Any, rows: dict[bytes, bytes | None]) -> None:
        overlay.pending.update(rows)
        overlay._store.apply({overlay._partition: rows}, {})

    patch.setattr(Overlay, "put", hasty)


def outputs_outside_of_transactions(patch: pytest.MonkeyPatch) -> None:
    """What was produced before a crash stands."""
    patch.setattr(Partitions, "abort", lambda partitions, produced: partitions.commit(produced, {}))


def bad_records_vanish(patch: pytest.MonkeyPatch) -> None:
    """A record that cannot be used is left out, and nobody says so."""
    ingest = Ingest.__call__

    def careless(self: Ingest, record: Any) -> Effects:
        effects = ingest(self, record)
        return Effects() if any(publish.topic == "dead_letters" for publish in effects.published) else effects

    patch.setattr(Ingest, "__call__", careless)


def corrections_without_a_snapshot(patch: pytest.MonkeyPatch) -> None:
    """The snapshot of a lead is written when a transition is announced, and not when one is corrected."""
    publish = Subject.publish

    def seldom(self: Subject, *given: Any, late: bool) -> None:
        before = dict(self._effects.snapshots)
        publish(self, *given, late=late)
        if late:
            self._effects.snapshots = before

    patch.setattr(Subject, "publish", seldom)


def a_late_mention_renews_nothing(patch: pytest.MonkeyPatch) -> None:
    """A timer that has fired stays fired, although a fact comes that is older than it."""
    patch.setattr(advance._Step, "_fired_since", lambda step, lineage, head, state: False)


def the_rest_of_the_timers_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Where more timers are due than one record fires, nobody goes on with them."""
    fire = watermarks.Time._fire

    def lazy(self: Any, time: Any, record: Any, rows: Any, effects: Effects) -> None:
        fire(self, time, record, rows, effects)
        effects.published = [publish for publish in effects.published if publish.topic != "facts"]

    patch.setattr(watermarks.Time, "_fire", lazy)


def watermarks_fire_nothing(patch: pytest.MonkeyPatch) -> None:
    """Timers fire where a later fact comes, and only there."""
    patch.setattr(watermarks.Time, "_fire", lambda self, time, record, rows, effects: None)


NET = {"net transitions", "net conversions", "snapshots", "conflicts", "the same bytes"}
STREAMS = {"sequence", "revisions", "operations", "amendments", "ce_id"}
ROWS = {"the store is its changelog", "raised AssertionError", "raised Torn"}
BUGS = [
    Bug(1, first_come_first_served, NET, 100),
    Bug(1, arrival_order_within_an_instant, NET, 100),
    Bug(2, refold_ends_too_early, NET, 100),
    Bug(2, late_facts_are_appended, {*NET, *STREAMS}, 50),
    Bug(2, a_late_mention_renews_nothing, {*NET, *STREAMS}, 100),
    Bug(2, the_rest_of_the_timers_is_forgotten, NET, 200),
    Bug(2, watermarks_fire_nothing, NET, 50),
    Bug(3, sequence_outlives_an_abort, {*STREAMS, "the same bytes"}, 20),
    Bug(3, ids_depend_on_arrival, {*STREAMS, "net conversions"}, 50),
    Bug(3, corrections_without_a_snapshot, {"snapshots"}, 100),
    Bug(5, a_clock_in_the_core, {"the same bytes"}, 20),
    Bug(6, aborted_rows_survive, {*ROWS, *STREAMS}, 50),
    Bug(6, rows_before_the_commit, {*ROWS, *STREAMS, *NET, "counts"}, 50),
    Bug(6, outputs_outside_of_transactions, {*ROWS, *STREAMS, "exactly once", "counts", "the same bytes"}, 50),
    Bug(7, bad_records_vanish, {"nothing disappears"}, 50),
    Bug(3, revisions_start_over, STREAMS, 400),
]


def _case(bug: Bug) -> Any:
    """Whatever needs hundreds of seeds runs with the thousands."""
    slow = [pytest.mark.simulation] if bug.within > 200 else []
    return pytest.param(bug, id=f"{bug.invariant}-{bug.plant.__name__}", marks=slow)


@pytest.mark.parametrize("bug", [_case(bug) for bug in BUGS])
def test_a_planted_bug_is_noticed(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    bug.plant(monkeypatch)
    for seed in range(1, bug.within + 1):
        broken = attempt(case_of(seed)).broken
        if broken is not None:
            assert broken.promise in bug.promises, broken
            return
    pytest.fail(f"{bug.within} seeds and nothing was noticed")
