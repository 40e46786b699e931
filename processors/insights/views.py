"""What pages show, as values: steps with their drop-off, heat maps, definitions in words."""

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from processors.metrics.days import Bucket, Span
from processors.metrics.outlines import FunnelOutline, RateOutline
from processors.metrics.rates import Share
from processors.projection.answers import Cohort, Funnel, Place, Value
from processors.projection.answers import Step as PeriodStep
from processors.projection.totals import SliceTotals
from processors.shown.wording import Rule, count_words, rule_words, signals_words, traits_words
from schemas import definitions
from schemas.instants import format_instant
from schemas.quantities import format_duration

FULL = 1000
"""The width of a full bar."""


class Step(NamedTuple):
    """A stage of a funnel on a page.

    Attributes:
        place: Its numbers.
        width: Of its bar, up to `FULL`.
        touched: The part of it for those who entered, where others passed.
        of_first: The share of the first stage.
        to_next: The share that went on to the next one; None: it is the last.
        lost: How many did not; negative where more came in further down.
    """

    place: Place
    width: int
    touched: int
    of_first: Share
    to_next: Share | None
    lost: int


class Card(NamedTuple):
    """A funnel on the first page."""

    outline: FunnelOutline
    steps: Sequence[Step]
    won: Share


class SplitRow(NamedTuple):
    """A value of a segment: who reached each stage, how paths ended, and from the first to the last stage."""

    value: Value
    stages: Sequence[tuple[str, int]]
    outcomes: Sequence[tuple[str, int]]
    overall: Share


class Row(NamedTuple):
    """The cohorts that began on the same days, a cell for each rate; None: nobody began."""

    days: Span
    cells: Sequence[Cohort | None]


class HeatMap(NamedTuple):
    """Rates whose cohorts are put together alike."""

    bucket: Bucket
    rates: Sequence[tuple[RateOutline, PeriodStep]]
    rows: Sequence[Row]


class Version(NamedTuple):
    """A version of a definition."""

    number: int
    begins: str
    owner: str
    reason: str


class PlaceWords(NamedTuple):
    """A place in words."""

    name: str
    means: str
    entered: str
    besides: Sequence[str]


class Definition(NamedTuple):
    """The newest version of a funnel in words."""

    name: str
    owner: str
    subject: str
    also: Sequence[str]
    versions: Sequence[Version]
    conversions: Sequence[tuple[str, str, str, str, str]]
    stages: Sequence[PlaceWords]
    detours: Sequence[PlaceWords]
    outcomes: Sequence[tuple[str, PlaceWords]]
    segments: Sequence[tuple[str, str, str, int]]
    rates: Sequence[tuple[str, str, str, str]]


def steps(answer: Funnel) -> list[Step]:
    """The stages of a funnel with their drop-off, by who reached them."""
    stages = [place for place in answer.places if place.kind == "stage"]
    reached = [place.restated.reached_first for place in stages]
    most = max([*reached, 1])
    found = []
    for number, place in enumerate(stages):
        further = reached[number + 1] if number + 1 < len(stages) else None
        found.append(
            Step(
                place,
                _width(reached[number], most),
                _width(place.restated.touched_first, most),
                Share(reached[number], reached[0]),
                None if further is None else Share(further, reached[number]),
                0 if further is None else reached[number] - further,
            )
        )
    return found


def card(outline: FunnelOutline, answer: Funnel) -> Card:
    """A funnel on the first page."""
    return Card(outline, steps(answer), answer.win_rate)


def split_row(outline: FunnelOutline, value: Value, totals: SliceTotals) -> SplitRow:
    """A value of a segment."""
    outcomes = [place.name for place in outline.places if place.kind == "outcome"]
    reached = [(stage, totals.reached.get(("stage", stage), 0)) for stage in outline.stages]
    ended = [(outcome, totals.standing.get(("outcome", outcome), 0)) for outcome in outcomes]
    return SplitRow(value, reached, ended, Share(reached[-1][1], reached[0][1]))


def heat_map(bucket: Bucket, rates: Sequence[tuple[RateOutline, Sequence[Cohort], PeriodStep]]) -> HeatMap:
    """Cohorts side by side: a row for the days on which they began, newest first, a column for each rate."""
    columns = [{cohort.days: cohort for cohort in cohorts if cohort.share.whole} for _, cohorts, _ in rates]
    spans = sorted({days for column in columns for days in column}, reverse=True)
    rows = [Row(days, [column.get(days) for column in columns]) for days in spans]
    return HeatMap(bucket, [(rate, period) for rate, _, period in rates], rows)


def catalogue(funnels: Sequence[definitions.Funnel]) -> list[definitions.Funnel]:
    """The newest version of every funnel."""
    ordered = sorted(funnels, key=lambda funnel: (funnel.funnel, funnel.version))
    return [[*versions][-1] for _, versions in groupby(ordered, key=lambda funnel: funnel.funnel)]


def definition(funnels: Sequence[definitions.Funnel], name: str) -> Definition | None:
    """A funnel in words; None: there is none of that name."""
    versions = sorted((each for each in funnels if each.funnel == name), key=lambda each: -each.version)
    if not versions:
        return None
    newest = versions[0]
    return Definition(
        name,
        newest.owner,
        newest.subject,
        newest.also,
        [_version(each) for each in versions],
        [
            (each.name, each.description, signals_words(each.when), count_words(each.count), each.owner or newest.owner)
            for each in newest.all_conversions
        ],
        [_place(stage, *traits_words(stage)) for stage in newest.stages],
        [_place(detour) for detour in newest.detours],
        [(outcome.result, _place(outcome)) for outcome in newest.outcomes],
        [_segment(name, each) for name, each in newest.segments.items()],
        [_rate(each) for each in newest.rates],
    )


def _width(number: int, most: int) -> int:
    return round(FULL * number / most)


def _version(funnel: definitions.Funnel) -> Version:
    begins = "beside" if funnel.effective_from is None else format_instant(funnel.effective_from)
    return Version(funnel.version, begins, funnel.owner, funnel.reason)


def _place(rule: Rule, *traits: str) -> PlaceWords:
    at = [f"entered at {rule.at}"] if rule.at is not None else []
    return PlaceWords(rule.name, rule.description or "", rule_words(rule), [*at, *traits])


def _segment(name: str, segment: definitions.Segment) -> tuple[str, str, str, int]:
    return name, ", else ".join(segment.value), segment.rule.replace("_", " "), segment.top


def _rate(rate: definitions.Rate) -> tuple[str, str, str, str]:
    within = "any time" if rate.within is None else format_duration(rate.within)
    return rate.from_, rate.to, within, rate.cohort
