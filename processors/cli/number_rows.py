"""Numbers as rows: what `report` prints as JSON and CSV, one shape for each of its views. Lengths are in seconds."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from processors.metrics.days import Span
from processors.metrics.outlines import FunnelOutline, RateOutline
from processors.metrics.rates import Share
from processors.projection.answers import Cohort, Conversion, Correction, Funnel, Lengths, Place, Reconciled, Step, Worth
from processors.shown.quantities import plain, seconds

Row = dict[str, Any]


class Part(NamedTuple):
    """Whose numbers a row holds: a funnel's at a grain, all together or of one value of a segment.

    `folded` says how many values are shown as this one, as in `answers.Value`.
    """

    outline: FunnelOutline
    segment: str | None = None
    value: str | None = None
    folded: int = 0

    @property
    def columns(self) -> Row:
        """What every row begins with."""
        return {
            "funnel": self.outline.funnel,
            "grain": self.outline.grain,
            "segment": self.segment,
            "segment_value": self.value,
            "folded": self.folded,
        }


def funnel_rows(part: Part, funnel: Funnel) -> Iterator[Row]:
    """The places and conversions of a funnel."""
    steps = {step.end: step.share.value for step in funnel.steps}
    overall = {step.end: step.share.value for step in funnel.overall}
    for place in funnel.places:
        shares = {"of_previous": steps.get(place.name), "of_first": overall.get(place.name)}
        yield _row(part, place.kind, place.name, **_of_place(place), **shares)
    for conversion in funnel.conversions:
        yield _row(part, "conversion", conversion.name, **_of_conversion(conversion))


def _row(part: Part, kind: str, name: str, **numbers: Any) -> Row:
    return {**part.columns, "kind": kind, "name": name, **dict.fromkeys(_NUMBERS), **numbers}


_NUMBERS = (
    *("reached", "touched", "now", "of_previous", "of_first", "counted", "repeats", "advanced"),
    *("reached_every", "touched_every", "remained", "furthest"),
    *("reached_reported", "touched_reported", "reached_every_reported", "touched_every_reported"),
    *("counted_reported", "repeats_reported", "advanced_reported"),
    *("sla_missed", "overdue", "stays_timed", "stays_untimed", "stay_mean", "stay_median", "stay_p90", "open_age"),
    *("amounts", "amount", "excluded", "held_amounts", "held_amount", "held_excluded"),
)


def _of_place(place: Place) -> Row:
    stays = {f"stay_{name}": value for name, value in _lengths(place.stays).items()}
    return {
        "reached": place.restated.reached_first,
        "touched": place.restated.touched_first,
        "now": place.standing,
        "reached_every": place.restated.reached_every,
        "touched_every": place.restated.touched_every,
        "remained": place.remained,
        "furthest": place.furthest if place.kind == "stage" else None,
        "reached_reported": place.reported.reached_first,
        "touched_reported": place.reported.touched_first,
        "reached_every_reported": place.reported.reached_every,
        "touched_every_reported": place.reported.touched_every,
        "sla_missed": place.sla_missed,
        "overdue": place.overdue,
        "stays_timed": place.stays.timed,
        "stays_untimed": place.stays.untimed,
        **stays,
        "open_age": seconds(place.open_age),
        **_worth("", place.entered),
        **_worth("held_", place.held),
    }


def _of_conversion(conversion: Conversion) -> Row:
    restated, reported = conversion.restated._asdict(), conversion.reported._asdict()
    return {**restated, **{f"{name}_reported": count for name, count in reported.items()}, **_worth("", conversion.worth)}


def _lengths(lengths: Lengths) -> Row:
    return {"mean": seconds(lengths.mean), "median": seconds(lengths.median), "p90": seconds(lengths.p90)}


def _worth(prefix: str, worth: Worth) -> Row:
    converted = worth.converted
    return {
        f"{prefix}amounts": _texts(worth.amounts),
        f"{prefix}amount": None if converted is None else plain(converted.amount),
        f"{prefix}excluded": None if converted is None else _texts(converted.excluded),
    }


def _texts(amounts: Mapping[str, Decimal]) -> dict[str, str]:
    return {currency: plain(amount) for currency, amount in amounts.items()}


def cohort_row(part: Part, rate: RateOutline, cohort: Cohort) -> Row:
    """A declared rate of one cohort."""
    maturity, weighted = cohort.maturity, cohort.weighted
    inside = Share(maturity.inside, cohort.share.whole)
    return _rate_row(
        part,
        rate.name,
        "cohort",
        cohort.days,
        Step(rate.start, rate.end, cohort.share),
        weighted_rate=None if weighted is None else weighted.share.value,
        weighted_excluded=None if weighted is None else _texts(weighted.excluded),
        inside=maturity.inside,
        inside_share=inside.value,
        undecided=maturity.undecided,
        final=maturity.final,
        timed=cohort.times.timed,
        untimed=cohort.times.untimed,
        **_lengths(cohort.times),
    )


def period_row(part: Part, name: str, days: Span, step: Step) -> Row:
    """A rate of a period: a declared one by its name, or `step`, `overall` or `win rate`."""
    return _rate_row(part, name, "period", days, step)


def _rate_row(part: Part, name: str, method: str, days: Span, step: Step, **numbers: Any) -> Row:
    share = step.share
    return {
        **part.columns,
        "rate": name,
        "method": method,
        "first": days.first and days.first.isoformat(),
        "last": days.last and days.last.isoformat(),
        "from": step.start,
        "to": step.end,
        "part": share.part,
        "whole": share.whole,
        "share": share.value,
        **dict.fromkeys(_OF_COHORTS),
        **numbers,
    }


_OF_COHORTS = (
    *("weighted_rate", "weighted_excluded", "inside", "inside_share", "undecided", "final"),
    *("timed", "untimed", "mean", "median", "p90"),
)


def correction_row(part: Part, correction: Correction) -> Row:
    """What was corrected, by reason."""
    return {**part.columns, **correction._asdict()}


def reported_rows(part: Part, reconciled: Reconciled) -> Iterator[Row]:
    """A number both ways, one row for each part of the difference."""
    both = {name: value for name, value in reconciled._asdict().items() if name != "differences"}
    for difference in reconciled.differences:
        yield {**part.columns, **both, "reason": difference.reason, "about": difference.about, "difference": difference.amount}
