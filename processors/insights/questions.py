"""What a visitor asks for, read from an address: hostile until it is one of the names that there are."""

from datetime import date, timedelta
from typing import NamedTuple

from aiohttp import web
from multidict import MultiMapping

from processors.insights.read_model import HANDLE, ReadModel
from processors.insights.settings import InsightsSettings
from processors.metrics.days import ALWAYS, Span, day_at
from processors.metrics.outlines import FunnelOutline, RateOutline, SegmentOutline
from processors.projection.answers import Slice, Value

RECENT = {"7d": 7, "30d": 30, "90d": 90, "365d": 365}
"""Spans that end today, by how they are asked for."""
LONGEST = 512
"""Characters of an identifier or a value that is looked up."""
_FIRST_YEAR = 1970


class Asked(NamedTuple):
    """Whose numbers of which days.

    Attributes:
        outline: The funnel at a grain.
        of: All, or those of one value of a segment.
        days: The days.
        as_of: How far time has come, in microseconds.
        segment: The segment by which they are split, if they are.
        value: Its value, if one is asked for.
        period: How the days were asked for; "": by their dates.
    """

    outline: FunnelOutline
    of: Slice
    days: Span
    as_of: int
    segment: SegmentOutline | None
    value: Value | None
    period: str


def bad(sentence: str) -> web.HTTPBadRequest:
    """What is wrong with an address."""
    return web.HTTPBadRequest(text=sentence)


def missing(sentence: str) -> web.HTTPNotFound:
    """What is not there."""
    return web.HTTPNotFound(text=sentence)


def outline_of(settings: InsightsSettings, funnel: str, query: MultiMapping[str]) -> FunnelOutline:
    """The funnel of a name at the grain that is asked for, by default its subject's.

    Raises:
        HTTPNotFound: There is none.
    """
    grains = [each for each in settings.outlines.funnels if each.funnel == funnel]
    if not grains:
        raise missing("There is no such funnel.")
    grain = query.get("grain", grains[0].grain)
    found = next((each for each in grains if each.grain == grain), None)
    if found is None:
        raise missing(f"The funnel counts per {' and per '.join(each.grain for each in grains)}, nothing else.")
    return found


async def asked_of(
    settings: InsightsSettings, model: ReadModel, funnel: str, query: MultiMapping[str], as_of: int, whole: str = "all"
) -> Asked:
    """Read the common parts of a question.

    Args:
        settings: With the outlines.
        model: Which knows the values of segments.
        funnel: Name of the funnel.
        query: Of the address.
        as_of: How far time has come.
        whole: The period when none is asked for.

    Raises:
        HTTPBadRequest: A part has no such form.
        HTTPNotFound: There is no funnel, segment or value of that name.
    """
    outline = outline_of(settings, funnel, query)
    days, period = _days(query, as_of, whole)
    segment, value = await _segment(model, outline, query)
    of = value.slice if value is not None else model.projection.all(outline)
    return Asked(outline, of, days, as_of, segment, value, period)


def rate_of(outline: FunnelOutline, query: MultiMapping[str]) -> RateOutline:
    """The declared rate that is asked for.

    Raises:
        HTTPNotFound: There is none of that name.
    """
    found = outline.rate(query.get("rate", ""))
    if found is None:
        names = ", ".join(repr(rate.name) for rate in outline.rates) or "none"
        raise missing(f"There is no such rate; the definition declares {names}.")
    return found


def count_of(query: MultiMapping[str], name: str, usual: int, most: int) -> int:
    """A number of things that is asked for.

    Raises:
        HTTPBadRequest: It is none, or too many.
    """
    text = query.get(name, str(usual))
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and 1 <= int(text) <= most):
        raise bad(f"{name} is a number from 1 to {most}.")
    return int(text)


def handle_of(text: str) -> bytes:
    """The handle of a subject.

    Raises:
        HTTPNotFound: It is none.
    """
    if len(text) == 2 * HANDLE and text.isascii() and text.isalnum():
        try:
            return bytes.fromhex(text)
        except ValueError:
            pass
    raise missing("There is no such lead.")


def _days(query: MultiMapping[str], as_of: int, whole: str) -> tuple[Span, str]:
    if "from" in query or "to" in query:
        span = Span(_day(query, "from"), _day(query, "to"))
        if span.first is not None and span.last is not None and span.first > span.last:
            raise bad("from is a day before to.")
        return span, "" if span != ALWAYS else whole
    period = query.get("days", whole)
    if period == "all":
        return ALWAYS, period
    if period not in RECENT:
        raise bad(f"days is one of all, {', '.join(RECENT)}; or write from=2026-01-01&to=2026-01-31.")
    today = day_at(as_of)
    return Span(today - timedelta(days=RECENT[period] - 1), today), period


def _day(query: MultiMapping[str], name: str) -> date | None:
    text = query.get(name, "")
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise bad(f"{name} is a day such as 2026-01-31.") from None
    if found.year < _FIRST_YEAR:
        raise bad(f"{name} is a day after {_FIRST_YEAR}.")
    return found


async def _segment(
    model: ReadModel, outline: FunnelOutline, query: MultiMapping[str]
) -> tuple[SegmentOutline | None, Value | None]:
    name = query.get("segment", "")
    if not name:
        return None, None
    segment = outline.segment(name)
    if segment is None:
        raise missing(
            f"There is no such segment; the definition has {', '.join(each.name for each in outline.segments) or 'none'}."
        )
    if "value" not in query or query["value"] == "":
        return segment, None
    values = await model.ask(lambda: model.values(outline, segment))
    value = next((each for each in values if each.label == query["value"]), None)
    if value is None:
        raise missing("There is no such value of the segment, or it is one of those shown together.")
    return segment, value
