"""Schedules by chance: when each record arrives, how late and how often, and what the worker does in between."""

from collections.abc import Iterable

from processors.simulation import definitions
from processors.simulation.application import START
from processors.simulation.dice import Dice
from processors.simulation.records import GRID, Said, Speaker
from processors.simulation.schedule import FACTS, Arrive, Case, Clock, Commit, Crash, Lane, Step, Take, Watermark
from schemas.instants import DAY, HOUR

_ALL = 1 << 30


def case_of(seed: int) -> Case:
    """The case of a seed: the same one for ever, as long as nothing in this package changes."""
    dice = Dice(seed)
    written = definitions.funnels(dice)
    sources = {"web": dice.choice((1, 2, 2)), "crm": dice.choice((1, 2)), "desk": dice.choice((1, 2))}
    partitions = dice.choice((1, 2, 3))
    said = Speaker(dice, repr(written)).records()
    empty = Case(written, partitions, sources, (), START + 30 * DAY, tight=dice.chance(0.5))
    return empty._replace(steps=tuple(_Scheduler(dice, empty).steps(said)))


class _Scheduler:
    """Makes steps of records: when each arrives, and what the worker does in between."""

    def __init__(self, dice: Dice, case: Case) -> None:
        self._dice = dice
        self._case = case
        self._facts = [lane for lane in case.lanes() if lane.topic == FACTS]
        self._eagerness = dice.choice((0.0, 0.3, 1.0, 3.0))
        """Steps of the worker for each arrival, on average."""
        self._disorder = dice.choice((0.0, 0.1, 0.1, 0.5, 1.0))
        """Share of records that are late, by hours or days."""
        self._twice = dice.choice((0.0, 0.1, 0.3))
        """Share of records that come again."""
        self._crashes = dice.choice((0.0, 0.0, 0.05, 0.2))
        """Share of the worker's steps that make it crash."""

        self._watermarks = dice.choice((0.0, 0.1, 0.2))
        """Share of the worker's steps that say how far a source partition has come, true or not."""

    def steps(self, said: list[Said]) -> list[Step]:
        """Everything that happens; what is left to read then is read by the end of the run."""
        dice = self._dice
        again = [record for record in said if dice.chance(self._twice)]
        arriving = sorted((self._arrival(record) for record in (*said, *again)), key=_arrives_at)
        steps: list[Step] = []
        for arrival in arriving:
            steps.append(arrival)
            while dice.chance(self._eagerness / (1 + self._eagerness)):
                steps += self._work()
        for _ in range(dice.randrange(20)):
            steps += self._work()
        return steps

    def _arrival(self, record: Said) -> Arrive:
        dice = self._dice
        late = dice.choice((HOUR, 12 * HOUR, 2 * DAY, 5 * DAY, 20 * DAY)) if dice.chance(self._disorder) else 0
        partition = dice.randrange(self._case.sources[record.source])
        jump = dice.choice((-10, -1, 1, 10)) * DAY if dice.chance(0.05) else 0
        return Arrive(Lane(record.source, partition), record.occurred_at + late + dice.choice((0, 0, 1, 90)) + jump, record.value)

    def _work(self) -> list[Step]:
        dice = self._dice
        if dice.chance(self._crashes):
            return [Crash(dice.choice((0, 1, 2, 3, 5, 8, 13, 21)), dice.choice(("process", "store", "nothing")))]
        if dice.chance(self._watermarks):
            return self._pass_time()
        if dice.chance(0.2):
            return self._turn(self._case.lanes())
        if dice.chance(0.25):
            return [Commit()]
        if dice.chance(0.03):
            return [Clock(dice.choice((-5 * DAY, -HOUR, HOUR, 5 * DAY)))]
        lanes = self._case.lanes()
        lane = dice.choice(self._facts if dice.chance(0.5) else lanes)
        return [Take(lane, dice.choice((1, 1, 2, 5, _ALL)))]

    def _pass_time(self) -> list[Step]:
        """One source partition says how far it has come, or all of them do and the facts partitions hear of it at once."""
        dice = self._dice
        at = START + dice.randrange(-1, 60) * GRID
        lanes = self._case.source_lanes()
        if dice.chance(0.3):
            return [Watermark(dice.choice(lanes), at)]
        return [*(Watermark(lane, at) for lane in lanes), Commit(), *self._turn(self._facts)]

    def _turn(self, lanes: Iterable[Lane]) -> list[Step]:
        """A turn of a worker that keeps up: everything there is, then the commit."""
        return [*(Take(lane, _ALL) for lane in lanes), Commit()]


def _arrives_at(arrival: Arrive) -> int:
    return arrival.at
