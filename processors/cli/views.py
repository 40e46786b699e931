"""Views: what `report` can show of a funnel, each as rows of one shape and as tables."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from rich.table import Table

from processors.cli import number_rows as rows
from processors.cli import number_tables as tables
from processors.cli.number_rows import Part, Row
from processors.metrics.days import Span
from processors.metrics.outlines import RateOutline
from processors.projection.answers import Cohort, Slice, Step
from processors.projection.projection import Projection


class Asked(NamedTuple):
    """What is asked of every funnel.

    Attributes:
        projection: Whom.
        days: Of which days.
        as_of: As of when, in microseconds.
        rate: Which declared rate; None: each.
    """

    projection: Projection
    days: Span
    as_of: int
    rate: str | None


Parts = Sequence[tuple[Part, Slice]]
"""A funnel at a grain, all together or by the values of a segment."""


class View(Protocol):
    """One way to look at the numbers."""

    def rows(self, asked: Asked, part: Part, of: Slice) -> Iterator[Row]:
        """The numbers of one part."""
        ...

    def tables(self, asked: Asked, parts: Parts) -> Iterator[Table]:
        """The numbers of a funnel."""
        ...


class Funnels:
    """Places and conversions."""

    def rows(self, asked: Asked, part: Part, of: Slice) -> Iterator[Row]:
        """A row for each place and conversion."""
        yield from rows.funnel_rows(part, asked.projection.funnel(part.outline, of, asked.as_of, asked.days))

    def tables(self, asked: Asked, parts: Parts) -> Iterator[Table]:
        """One table with bars and one of the declared rates; by a segment its values side by side."""
        first, of = parts[0]
        versions = asked.projection.versions(first.outline, asked.days)
        found = [(part, asked.projection.funnel(part.outline, of, asked.as_of, asked.days)) for part, of in parts]
        if first.segment is not None:
            yield tables.segment_table(found, versions, asked.days)
            return
        yield tables.funnel_table(first, found[0][1], versions, asked.days)
        if first.outline.rates:
            yield tables.rates_table(first, _declared(asked, first, of), asked.days)


class Rates:
    """Declared rates by cohort and by period, then those between places."""

    def rows(self, asked: Asked, part: Part, of: Slice) -> Iterator[Row]:
        """A row for each rate and way to count it."""
        for rate in _rates(asked, part):
            yield rows.cohort_row(part, rate, asked.projection.cohort(part.outline, rate, of, asked.as_of, asked.days))
            yield rows.period_row(part, rate.name, asked.days, asked.projection.period(part.outline, rate, of, asked.days))
        for name, step in _between(asked, part, of):
            yield rows.period_row(part, name, asked.days, step)

    def tables(self, asked: Asked, parts: Parts) -> Iterator[Table]:
        """One table for each part."""
        for part, of in parts:
            between = [(f"{step.start} → {step.end}", f"period, {name}", step, None) for name, step in _between(asked, part, of)]
            yield tables.rates_table(part, [*_declared(asked, part, of), *between], asked.days)


class Cohorts:
    """Declared rates, cohort by cohort."""

    def rows(self, asked: Asked, part: Part, of: Slice) -> Iterator[Row]:
        """A row for each rate and cohort."""
        for rate in _rates(asked, part):
            for cohort in asked.projection.cohorts(part.outline, rate, of, asked.as_of, asked.days):
                yield rows.cohort_row(part, rate, cohort)

    def tables(self, asked: Asked, parts: Parts) -> Iterator[Table]:
        """One table for each rate and part."""
        for part, of in parts:
            for rate in _rates(asked, part):
                yield tables.cohort_table(part, rate, asked.projection.cohorts(part.outline, rate, of, asked.as_of, asked.days))


class AsReported:
    """Restated numbers beside those that were reported."""

    def rows(self, asked: Asked, part: Part, of: Slice) -> Iterator[Row]:
        """A row for each part of each difference."""
        for number in asked.projection.reconciled(part.outline, of, asked.days):
            yield from rows.reported_rows(part, number)

    def tables(self, asked: Asked, parts: Parts) -> Iterator[Table]:
        """One table for each part."""
        for part, of in parts:
            yield tables.reported_table(part, asked.projection.reconciled(part.outline, of, asked.days), asked.days)


class Corrections:
    """What was corrected, by reason."""

    def rows(self, asked: Asked, part: Part, of: Slice) -> Iterator[Row]:
        """A row for each number and reason."""
        for correction in asked.projection.corrections(part.outline, of, asked.days):
            yield rows.correction_row(part, correction)

    def tables(self, asked: Asked, parts: Parts) -> Iterator[Table]:
        """One table for each part."""
        for part, of in parts:
            yield tables.corrections_table(part, asked.projection.corrections(part.outline, of, asked.days), asked.days)


def _rates(asked: Asked, part: Part) -> list[RateOutline]:
    return [rate for rate in part.outline.rates if asked.rate in (None, rate.name)]


def _declared(asked: Asked, part: Part, of: Slice) -> Iterator[tuple[str, str, Step, Cohort | None]]:
    for rate in _rates(asked, part):
        cohort = asked.projection.cohort(part.outline, rate, of, asked.as_of, asked.days)
        yield rate.name, "cohort", Step(rate.start, rate.end, cohort.share), cohort
        yield rate.name, "period", asked.projection.period(part.outline, rate, of, asked.days), None


def _between(asked: Asked, part: Part, of: Slice) -> Iterator[tuple[str, Step]]:
    """Rates of a period that nobody has to declare."""
    if asked.rate is not None:
        return
    funnel = asked.projection.funnel(part.outline, of, asked.as_of, asked.days)
    yield from (("step", step) for step in funnel.steps)
    yield from (("overall", step) for step in funnel.overall)
    yield "win rate", Step("won or lost", "won", funnel.win_rate)
