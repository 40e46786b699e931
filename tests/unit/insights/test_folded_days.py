"""`/metrics` while days are folded into the sum of all earlier ones (`topics.keep_metrics`): counters never fall, nor jump ahead.

A worker publishes the fold in one transaction, but over many partitions, which are read one after the other. Here each record of
real folds is taken by itself, in orders that no two partitions agree on, and everything is scraped after each.
"""

import random
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from zlib import crc32

import pytest
from faust.types import TP

from processors.insights.committed import Batch, Record
from processors.insights.progress import Progress
from processors.insights.read_model import ReadModel
from processors.insights.settings import InsightsSettings
from processors.metrics.outlines import outlines_of
from schemas.definitions import Funnel
from schemas.instants import DAY
from tests.insights_site import Site
from tests.insights_world import AS_OF
from tests.unit.insights.conftest import World
from tests.unit.insights.test_exposition import parsed
from tests.unit.stages.notation import STEPS, definition
from tests.worlds import START, History, application, fact, program

KEEP = {"keep_metrics": "2d"}
DAYS = 7
PARTITIONS = 3
"""Of the metrics topic."""

Counters = dict[tuple[str, ...], float]


@pytest.fixture(scope="module")
def transactions() -> list[list[Record]]:
    """The metric records of each transaction of somebody who goes to and fro for days; now and then the past is corrected."""
    run = History(program(definition(STEPS), topics=KEEP))
    found: list[list[Record]] = []
    for day in range(DAYS):
        run.now = START + day * DAY
        moves = [fact(24 * day + hour, step=step) for hour, step in ((1, "a"), (9, "b"), (17, "a"))]
        late = [fact(24 * (day - 3) + 5, step="c", late_by=72)] if day in (4, 6) else []
        for each in (*moves, *late):
            known = len(run.published)
            run.take([each])
            new = [record for record in run.published[known:] if record.topic == "metrics"]
            found.append([Record(0, record.key, record.value, 0, record.headers) for record in new])
    folds = [records for records in found if any(record.value is None for record in records)]
    assert len(folds) >= DAYS - 3, "there is something to test"
    return found


@pytest.fixture(scope="module")
def settings(world: World) -> InsightsSettings:
    funnel = Funnel.model_validate(definition(STEPS))
    return replace(world.settings, outlines=outlines_of([funnel], application(topics=KEEP)))


def scrapes(settings: InsightsSettings, first: Sequence[Record], then: Sequence[Sequence[Record]]) -> list[Counters]:
    """What the counters say once the first records are in, and after each of the pieces that follow."""
    model, progress, place = ReadModel(settings), Progress(), TP(settings.topics.metrics, 0)
    progress.answered({place: 0}, progress.taken, AS_OF)
    model.put(Batch(place, None, tuple(first), 0))
    with Site(settings, model, progress) as site:
        found = [counters(site)]
        for records in then:
            model.put(Batch(place, None, tuple(records), 0))
            found.append(counters(site))
    return found


def counters(site: Site) -> Counters:
    families = parsed(site.get("/metrics").body)
    return {
        (sample.name, *sample.labels.values()): sample.value
        for name, family in families.items()
        if family.type == "counter" and not name.startswith("funnelstream_")
        for sample in family.samples
    }


def pieces(transactions: Sequence[Sequence[Record]], dice: random.Random) -> Iterator[tuple[int, list[Record]]]:
    """A few records of one partition at a time, one partition far ahead of the other, and their last transaction."""
    queues = [deque[tuple[int, Record]]() for _ in range(PARTITIONS)]
    for number, records in enumerate(transactions):
        for record in records:
            queues[crc32(record.key or b"") % PARTITIONS].append((number, record))
    while left := [queue for queue in queues if queue]:
        queue = dice.choice(left)
        for _ in range(dice.randrange(1, 6)):
            taken = [queue.popleft() for _ in range(min(dice.randrange(1, 5), len(queue)))]
            if taken:
                yield taken[-1][0], [record for _, record in taken]


@pytest.mark.parametrize("seed", range(3))
def test_no_counter_falls_or_jumps_ahead_while_days_are_folded(
    transactions: list[list[Record]], settings: InsightsSettings, seed: int
) -> None:
    dice = random.Random(seed)
    begun = dice.randrange(len(transactions) // 2)
    first = [record for each in transactions[:begun] for record in each]
    before, *exact = scrapes(settings, first, transactions[begun:])
    parts = [*pieces(transactions[begun:], dice)]
    at_first, *scraped = scrapes(settings, first, [records for _, records in parts])
    assert at_first == before
    newest = 0
    for (number, _), found in zip(parts, scraped, strict=True):
        newest = max(newest, number)
        for series, value in found.items():
            assert before[series] <= value <= exact[newest][series], series
        before = found
    assert before == exact[-1], "once everything is in it is exact"
    assert max(before.values()) >= DAYS
