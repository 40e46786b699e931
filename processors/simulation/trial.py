"""One trial: a case is run from its first step to the last watermark, and judged."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from processors.simulation.application import APPLICATION, START
from processors.simulation.schedule import Case, Commit, Watermark
from processors.simulation.verdict import Broken, Verdict
from processors.simulation.worker import Worker
from processors.topology import history, watermarks
from processors.topology.program import Program
from schemas.application import Application
from schemas.definitions import Funnel

_APPLICATION = Application.model_validate(APPLICATION)


class Unfit(Exception):
    """The definitions of a case are none: it was made shorter than it can be."""


class Tried(NamedTuple):
    """What a trial came to.

    Attributes:
        broken: The first promise that was not kept; None where all were.
        facts: Facts that were advanced.
        published: Transitions and conversions, corrections among them.
        corrections: Amendments and retractions.
        transactions: Committed ones.
        crashes: Crashes that came about.
    """

    broken: Broken | None
    facts: int = 0
    published: int = 0
    corrections: int = 0
    transactions: int = 0
    crashes: int = 0


def attempt(case: Case) -> Tried:
    """Run a case and judge it.

    Raises:
        Unfit: Its definitions cannot be compiled.
    """
    program = _program(case)
    with _limits(tight=case.tight):
        try:
            worker = _ran(case, program)
        except Exception as raised:
            return Tried(Broken(f"raised {type(raised).__name__}", _where(raised)))
        verdict = Verdict(case, program, worker)
        broken = next(verdict.broken(), None)
    bodies = [*verdict.bodies["transitions"], *verdict.bodies["conversions"]]
    corrections = sum(body["op"] != "announce" for body in bodies)
    return Tried(broken, len(verdict.facts), len(bodies), corrections, worker.transactions, worker.crashes)


@contextmanager
def _limits(*, tight: bool) -> Iterator[None]:
    """The sizes of a page of history and of a portion of timers: as they are, or so small that small cases have several."""
    page, portion = history.PAGE, watermarks.FIRED_AT_ONCE
    if tight:
        history.PAGE, watermarks.FIRED_AT_ONCE = 2, 1
    try:
        yield
    finally:
        history.PAGE, watermarks.FIRED_AT_ONCE = page, portion


def _program(case: Case) -> Program:
    try:
        return Program([Funnel.model_validate(funnel) for funnel in case.funnels], _APPLICATION)
    except Exception as refused:
        raise Unfit(str(refused)) from refused


def _ran(case: Case, program: Program) -> Worker:
    worker = Worker(case, program, START)
    for step in case.steps:
        worker.perform(step)
    worker.drain()
    crashes = -1
    while crashes != worker.crashes:  # a crash that was waiting takes the watermarks with it
        crashes = worker.crashes
        for lane in case.source_lanes():
            worker.perform(Watermark(lane, case.as_of))
        worker.perform(Commit())
    worker.drain()
    return worker


def _where(raised: Exception) -> str:
    trace = raised.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    return f"{type(raised).__name__}: {raised}{place}"
