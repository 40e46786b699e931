"""One trial: a case is run from its first step to the last watermark, and judged."""

from typing import NamedTuple

from processors.simulation.definitions import APPLICATION, START
from processors.simulation.schedule import Case
from processors.simulation.verdict import Broken, Verdict
from processors.simulation.worker import Worker
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
    try:
        worker = _ran(case, program)
    except Exception as raised:
        return Tried(Broken(f"raised {type(raised).__name__}", _where(raised)))
    verdict = Verdict(case, program, worker)
    bodies = [*verdict.bodies["transitions"], *verdict.bodies["conversions"]]
    corrections = sum(body["op"] != "announce" for body in bodies)
    broken = next(verdict.broken(), None)
    return Tried(broken, len(verdict.facts), len(bodies), corrections, worker.transactions, worker.crashes)


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
    return worker


def _where(raised: Exception) -> str:
    trace = raised.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = f" at {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else ""
    return f"{type(raised).__name__}: {raised}{place}"
