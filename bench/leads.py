"""What leads cost: the same events over ten thousand, a hundred thousand and a million of them, and a restart with the most."""

import shutil
from collections.abc import Sequence
from typing import NamedTuple

from bench.processes import folder_mb
from bench.results import table
from bench.trial import Trial, Used, say, trial
from tests.broker.discovery import Broker

METHOD = """\
All leads are loaded first, by the worker itself, one event each; then a new worker process on that store takes the measured
events, which are spread evenly over all leads. Every event is a conversion and a move to the next of four stages, with a
snapshot of the lead, so events cost the same work at every size and differ only in the state they meet. CPU is user and
system time of the process from its start to the last conversion visible; peak memory is its highest resident size."""

METHOD_OF_RESTARTS = """\
Restart, with the most leads: kill -9 in the middle of a backlog, then the same command at once, or after its store was
deleted. The time is that from the start of the process to the first new conversion that a read_committed consumer sees. Rows
are records of the changelog, which holds every version of a row because nothing of it is compacted yet; rows/s is while they
are read."""

CHECKED = """\
At the end every event stood as exactly one conversion and one move to the right stage, and every lead's sequence had no gap."""

BACKLOG = 50_000
"""Events in whose middle a worker is killed."""
KILLED_AT = 0.4
"""Share of them that is visible then."""


class Cost(NamedTuple):
    """What the measured events cost at one number of leads."""

    leads: int
    events: int
    used: Used
    store: float
    """MB on disk."""


class Restart(NamedTuple):
    """A restart after kill -9."""

    leads: int
    disk_gone: bool
    first_commit: float
    """Seconds."""
    rows: int
    restoring: float
    """Seconds."""
    peak: float
    """MB."""


def report(broker: Broker, sizes: Sequence[int], events: int) -> str:
    """The tables with their method, as Markdown.

    Args:
        broker: Holds the topics; they are deleted after each size.
        sizes: Numbers of leads.
        events: How many are measured at each.

    Raises:
        Wrong: What was published is not right, or nothing was.
    """
    costs: list[Cost] = []
    restarts: list[Restart] = []
    for leads in sorted(sizes):
        with trial(broker, leads) as running:
            costs.append(_cost(running, events))
            if leads == max(sizes):
                restarts = [_restart(running, disk_gone=disk_gone) for disk_gone in (False, True)]
            say(f"{leads} leads: checking")
            running.check()
    return "\n\n".join((METHOD, _table_of_costs(costs), METHOD_OF_RESTARTS, _table_of_restarts(restarts), CHECKED))


def seconds(sizes: Sequence[int], events: int) -> float:
    """About how long it takes, for the announcement only."""
    return sum(30 + (leads + events) / 4_000 for leads in sizes) + 60


def _cost(running: Trial, events: int) -> Cost:
    leads = running.crowd.leads
    say(f"{leads} leads: loading them")
    running.send(leads)
    running.start()
    took = running.wait()
    running.stop()
    say(f"{leads} leads: loaded in {took:.0f} s; measuring {events} events")
    running.send(events)
    running.start()
    running.wait()
    used = running.used()
    running.stop()
    return Cost(leads, events, used, folder_mb(running.store))


def _restart(running: Trial, *, disk_gone: bool) -> Restart:
    say(f"{running.crowd.leads} leads: restart after kill -9, disk {'gone' if disk_gone else 'kept'}")
    running.send(BACKLOG)
    running.start()
    running.wait(KILLED_AT, of=BACKLOG)
    running.kill()
    if disk_gone:
        shutil.rmtree(running.store)
    running.start()
    first_commit = running.wait_for_more()
    running.wait()
    rows, restoring = round(running.metric("restored_rows_total")), running.metric("restore_seconds_total")
    peak = running.used().peak
    running.stop()
    return Restart(running.crowd.leads, disk_gone, first_commit, rows, restoring, peak)


def _table_of_costs(costs: Sequence[Cost]) -> str:
    columns = (
        "leads",
        "events",
        "events per CPU-s",
        "CPU s per event, to the fewest leads",
        "wall s",
        "CPU s",
        "peak MB",
        "store MB",
    )
    fewest = costs[0].used.cpu / costs[0].events
    return table(
        columns,
        (
            (
                f"{cost.leads:,}",
                f"{cost.events:,}",
                f"{cost.events / cost.used.cpu:,.0f}",
                f"{cost.used.cpu / cost.events / fewest:.2f}",
                f"{cost.used.wall:.1f}",
                f"{cost.used.cpu:.1f}",
                f"{cost.used.peak:.0f}",
                f"{cost.store:,.0f}",
            )
            for cost in costs
        ),
    )


def _table_of_restarts(restarts: Sequence[Restart]) -> str:
    columns = ("leads", "disk", "first commit after s", "rows restored", "rows/s", "peak MB")
    return table(
        columns,
        (
            (
                f"{restart.leads:,}",
                "gone" if restart.disk_gone else "kept",
                f"{restart.first_commit:.1f}",
                f"{restart.rows:,}",
                f"{restart.rows / restart.restoring:,.0f}" if restart.rows else "-",
                f"{restart.peak:.0f}",
            )
            for restart in restarts
        ),
    )
