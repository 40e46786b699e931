"""Numbers as what a terminal shows: a funnel with bars, its segments side by side, its rates and cohorts."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from processors.cli.number_rows import Part
from processors.cli.tables import harmless
from processors.metrics.days import ALWAYS, Span
from processors.metrics.outlines import RateOutline
from processors.metrics.rates import Share
from processors.projection.answers import Cohort, Correction, Funnel, Place, Reconciled, Step, Version, Worth
from processors.shown.quantities import plain

BAR = 16
"""Characters of the longest bar."""


def funnel_table(part: Part, funnel: Funnel, versions: Iterable[Version] = (), days: Span = ALWAYS) -> Table:
    """One funnel as a table with bars: its stages in order, its detours and outcomes; its conversions and versions below."""
    steps = {step.end: step.share for step in funnel.steps}
    most = max((place.restated.reached_first for place in funnel.places), default=0)
    table = _table(f"{_title(part, days)}: {_people(part, funnel)}", "", "reached", "touched", "now", "step rate", "bar")
    for place in funnel.places:
        restated = place.restated
        table.add_row(
            _name(place),
            str(restated.reached_first),
            str(restated.touched_first),
            str(place.standing),
            percent(steps[place.name]) if place.name in steps else "",
            _bar(restated.reached_first, most),
            style="green" if place.kind == "outcome" else None,
        )
    table.caption = "\n".join((*_below(funnel), *(_annotation(version) for version in versions))) or None
    return table


def segment_table(parts: Sequence[tuple[Part, Funnel]], versions: Iterable[Version] = (), days: Span = ALWAYS) -> Table:
    """The values of a segment side by side: who reached each stage and outcome, and the share of the first who were won."""
    part, first = parts[0]
    places = [place for place in first.places if place.kind != "detour"]
    won = {place.name for place in part.outline.places if place.result == "won"}
    title = f"{_title(part._replace(value=None), days)} by {part.segment}: reached"
    table = _table(title, part.segment or "", *map(_name, places), "overall", "bar")
    shares = [_overall(funnel, won) for _, funnel in parts]
    most = max((share.value or 0 for share in shares), default=0)
    for (each, funnel), share in zip(parts, shares, strict=True):
        reached = [str(place.restated.reached_first) for place in funnel.places if place.kind != "detour"]
        table.add_row(_value(each), *reached, percent(share), _bar(share.value or 0, most))
    table.caption = "\n".join(_annotation(version) for version in versions) or None
    return table


def rates_table(part: Part, rows: Iterable[tuple[str, str, Step, Cohort | None]], days: Span = ALWAYS) -> Table:
    """Rates, each with what it is: of a cohort or of a period."""
    table = _table(f"{_title(part, days)}: rates", "", "method", "", "rate", "weighted", "maturity", "median", "mean")
    for name, method, step, cohort in rows:
        times = ("", "") if cohort is None else (length(cohort.times.median), length(cohort.times.mean))
        table.add_row(name, method, fraction(step.share), percent(step.share), *_weighted(cohort), _maturity(cohort), *times)
    return table


def cohort_table(part: Part, rate: RateOutline, cohorts: Sequence[Cohort]) -> Table:
    """One declared rate, cohort by cohort."""
    columns = ("", "started", "converted", "rate", "bar", "weighted", "maturity", "median", "mean", "without time")
    table = _table(f"{_title(part)}: {rate.name}, by {rate.cohort}", *columns)
    most = max((cohort.share.value or 0 for cohort in cohorts), default=0)
    for cohort in cohorts:
        table.add_row(
            span(cohort.days),
            str(cohort.share.whole),
            str(cohort.share.part),
            percent(cohort.share),
            _bar(cohort.share.value or 0, most),
            *_weighted(cohort),
            _maturity(cohort),
            length(cohort.times.median),
            length(cohort.times.mean),
            str(cohort.times.untimed),
            style=None if cohort.maturity.final else "dim",
        )
    return table


def corrections_table(part: Part, corrections: Sequence[Correction], days: Span = ALWAYS) -> Table:
    """What was corrected, by reason."""
    table = _table(f"{_title(part, days)}: corrections", "", "number", "reason", "announced", "retracted")
    for each in corrections:
        table.add_row(each.name, each.field, each.reason, str(each.announced), str(each.retracted))
    return table


def reported_table(part: Part, numbers: Sequence[Reconciled], days: Span) -> Table:
    """Numbers of some days as they were reported on them, as they are known now, and why they differ."""
    table = _table(f"{_title(part, days)}: as reported and restated", "", "number", "reported", "restated", "why")
    for each in numbers:
        why = "; ".join(f"{found.amount:+} {found.reason} ({found.about})" for found in each.differences)
        table.add_row(each.name, each.field, str(each.reported), str(each.restated), why)
    return table


_LEFT = frozenset({"", "bar", "method", "maturity", "reason", "number", "why"})


def _table(title: str, *columns: str) -> Table:
    table = Table(title=Text(harmless(title)), title_justify="left", caption_justify="left", box=SIMPLE_HEAD)
    for column in columns:
        table.add_column(
            "" if column == "bar" else harmless(column), justify="left" if column in _LEFT else "right", no_wrap=True
        )
    return table


def _title(part: Part, days: Span = ALWAYS) -> str:
    outline = part.outline
    value = "" if part.segment is None or part.value is None else f", {part.segment} {_value(part)}"
    return f"{outline.funnel} v{outline.version}{value}{'' if days == ALWAYS else f', {span(days)}'}"


def _value(part: Part) -> str:
    folded = "" if not part.folded else f" ({part.folded} value{'s' if part.folded > 1 else ''})"
    return harmless(f"{part.value}{folded}")


def _people(part: Part, funnel: Funnel) -> str:
    count = sum(place.standing for place in funnel.places)
    return f"{count} {part.outline.grain}{'' if count == 1 else 's'}"


def _name(place: Place) -> str:
    return place.name if place.kind == "stage" else f"{'→' if place.kind == 'outcome' else '↺'} {place.name}"


def _below(funnel: Funnel) -> Iterable[str]:
    for conversion in funnel.conversions:
        counted, repeats = conversion.restated.counted, conversion.restated.repeats
        repeated, value = f", repeats: {repeats}" if repeats else "", worth(conversion.worth)
        yield f"conversion {conversion.name}: {counted} counted{repeated}{f', value {value}' if value else ''}"
    for place in funnel.places:
        if value := worth(place.held):
            yield f"value in {place.name}: {value}"


def _annotation(version: Version) -> str:
    return harmless(f"version {version.number} began on {version.began}: {version.reason}")


def _overall(funnel: Funnel, won: set[str]) -> Share:
    """Who was won, of those who reached the first stage."""
    found = [step.share for step in funnel.overall if step.end in won]
    return Share(sum((share.part for share in found), 0), found[0].whole if found else 0)


def worth(money: Worth) -> str:
    """A sum of money: in the reporting currency where there is one, and what could not be converted."""
    if money.converted is None:
        return _amounts(money.amounts)
    left_out = _amounts(money.converted.excluded)
    return f"{plain(money.converted.amount)}{f' (without {left_out}: no rate)' if left_out else ''}" if money.amounts else ""


def _amounts(amounts: Mapping[str, Decimal]) -> str:
    return harmless(", ".join(f"{plain(amount)} {currency}" for currency, amount in amounts.items()))


def percent(share: Share) -> str:
    """A share as people read it; of nothing it is none."""
    return "no data" if share.value is None else f"{share.value:.1%}"


def fraction(share: Share) -> str:
    """The two numbers of a share."""
    return f"{share.part} of {share.whole}"


def length(microseconds: float | None) -> str:
    """A length of time as people read it."""
    if microseconds is None:
        return ""
    passed = timedelta(microseconds=microseconds)
    if passed >= timedelta(days=1):
        return f"{passed / timedelta(days=1):.2f} d"
    return f"{passed / timedelta(hours=1):.2f} h" if passed >= timedelta(hours=1) else f"{passed.total_seconds():.1f} s"


def span(days: Span) -> str:
    """Days as people read them."""
    if days.first == days.last and days.first is not None:
        return f"{days.first}"
    first = "" if days.first is None else f"{days.first}"
    return f"{first} to {days.last}".strip() if days.last is not None else first and f"{first} on"


def _weighted(cohort: Cohort | None) -> tuple[str]:
    return ("",) if cohort is None or cohort.weighted is None else (percent(cohort.weighted.share),)


def _maturity(cohort: Cohort | None) -> str:
    if cohort is None:
        return ""
    if cohort.maturity.final:
        return "final"
    if not cohort.maturity.inside:
        return "so far; late records still count"
    return f"so far; {percent(Share(cohort.maturity.inside, cohort.share.whole))} still inside the window"


def _bar(count: float, most: float) -> str:
    return "█" * round(BAR * count / most) if most else ""
