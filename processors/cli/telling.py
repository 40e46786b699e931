"""Telling: an explained lead as a person would tell it."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from processors.cli.lead_history import Converted, Missing, Moved, OnFunnel, Source, Told
from processors.shown.wording import date_words
from schemas.instants import parse_instant
from schemas.mistakes import all_of

_FLAGS = {
    "policy_violation:skip": "flagged, because stages may not be skipped",
    "policy_violation:backward": "flagged, because leads may not move back",
    "customer": "it is a customer already",
}
_NOTICES = {
    "criteria_lapsed": "its criteria for {to} turned false, and it is kept there",
    "sla_missed": "it had been in {to} longer than was agreed",
}


def tell(lead: str, funnels: Sequence[OnFunnel], owner: str = "", *, masked: bool = False) -> Iterator[str]:
    """The lines of an explanation; times are in UTC. `owner` is the lead to which a deal belongs, `masked` if by a digest."""
    if owner and not funnels:
        whole = " (--show-personal writes it whole)" if masked else ""
        yield f"{lead} is a deal that belongs to {owner}: explain --lead {owner}{whole}"
    elif not funnels:
        yield f"Nothing is kept of {lead}: no record of it has arrived that any funnel reads."
    for number, funnel in enumerate(funnels):
        if number:
            yield ""
        yield from _funnel(lead, funnel)


def _funnel(lead: str, on: OnFunnel) -> Iterator[str]:
    who = f"Deal {on.deal} of {lead}" if on.deal not in ("", lead) else lead
    entry = f", its entry number {on.entry}" if on.entry is not None and on.entry > 1 else ""
    where = f"stands in {on.place} since {_date(on.since)}{entry}" if on.place is not None else "stands in no stage"
    yield f"{who} {where} ({on.funnel}, version {on.version}; times in UTC)."
    if on.unpublished:
        moves = "1 move is" if on.unpublished == 1 else f"{on.unpublished} moves are"
        yield f"  {moves} not published: the worker is behind, or runs with other definitions than these."
    events: list[Converted | Moved] = [*on.conversions, *on.path]
    for event in sorted(events, key=lambda event: parse_instant(event.at)):
        yield from _conversion(event) if isinstance(event, Converted) else _move(event)
    for told in on.taken_back:
        first, last = told[0], told[-1]
        yield f"  Taken back on {_date(last.recorded_at)}: on {_date(first.recorded_at)} it was said that {_announced(first)}."
    for missing in on.missing:
        yield from _missing(missing)


def _conversion(converted: Converted) -> Iterator[str]:
    counted = "counted" if converted.counted else "a repeat that does not count"
    advanced = "moved the lead" if converted.advanced else "moved nobody"
    yield f"  {_date(converted.at)}: conversion {converted.name}, {counted}; it {advanced}."


def _move(moved: Moved) -> Iterator[str]:
    yield f"  {_date(moved.at)}: {_sentence(moved)}."
    yield f"    {_reason(moved)}"
    yield from (f"    {line}" for line in _corrections(moved.told))


def _sentence(moved: Moved) -> str:
    flags = "".join(f"; {_FLAGS[flag]}" for flag in moved.flags if flag in _FLAGS)
    again = f" again, for the {_ordinal(moved.entry)} time" if moved.entry is not None and moved.entry > 1 else ""
    return f"{_happened(moved)}{again if moved.kind not in ('notice', 'return') else ''}{_passed(moved)}{flags}"


def _passed(moved: Moved | Told) -> str:
    return f", passing over {all_of(moved.skipped)}" if moved.skipped else ""


def _happened(moved: Moved | Told) -> str:
    start, end = moved.from_, moved.to
    if moved.kind == "notice":
        return next(text for flag, text in _NOTICES.items() if flag in moved.flags).format(to=end)
    sentences: Mapping[str, str] = {
        "advance": f"it entered {end}" if start is None else f"it went on from {start} to {end}",
        "regress": f"it fell back from {start} to {end}" if end is not None else f"it left {start}, and stood in no stage",
        "expire": f"its time in {start} ran out, and it " + (f"went back to {end}" if end is not None else "stood in no stage"),
        "outcome": f"it ended as {end}" if start is None else f"it ended as {end}, coming from {start}",
        "reopen": f"it was opened again, from {start} to {end}" if end is not None else f"it was {start} no more",
        "detour": f"it stepped aside to {end}",
        "return": f"it came back from {start} to {end}" if end is not None else f"it came back from {start} to no stage",
        "withdraw": f"its record was deleted, and it went from {start} to {end or 'no stage'}",
    }
    return sentences.get(moved.kind, f"{moved.kind} from {start or 'no stage'} to {end or 'no stage'}")


def _reason(moved: Moved) -> str:
    rule = f"Rule {moved.rule}" + (f" ({moved.said})" if moved.said else "")
    read = ", ".join(f"{field} = {_value(value)}" for field, value in moved.read.items() if field != "conversion")
    found = f" read {read}" if read else " decided it"
    fact = _fact(moved.fact)
    return f"{rule}{found}. " + (f"Time alone did it, since {fact}." if moved.timer else f"It came with {fact}.")


def _fact(fact: Source) -> str:
    changed = f", changed by {fact.change_source}" if fact.change_source else ""
    return f"record {fact.id} of {fact.source} ({fact.topic}[{fact.partition}]@{fact.offset}{changed})"


def _value(value: Any) -> str:
    return "missing" if value in (None, "") else str(value).lower() if isinstance(value, bool) else str(value)


def _corrections(told: Sequence[Told]) -> Iterator[str]:
    for before, after in pairwise(told):
        if after.op == "amend":
            yield f"Corrected on {_date(after.recorded_at)}; before, it was said that {_announced(before)}."
        elif after.op == "retract":
            yield f"Taken back on {_date(after.recorded_at)}, and announced anew later."


def _announced(told: Told) -> str:
    return f"on {_date(told.effective_at)} {_happened(told)}{_passed(told)}"


def _missing(missing: Missing) -> Iterator[str]:
    yield f"  For {missing.place} it still needs" + (" one of these:" if len(missing.ways) > 1 else ":")
    for way in missing.ways:
        on = f"on deal {way.deal}: " if way.deal else ""
        yield f"    - {on}{'; and '.join(way.needs)}"


def _date(written: str | None) -> str:
    return date_words(parse_instant(written)) if written is not None else ""


def _ordinal(number: int) -> str:
    words = {2: "second", 3: "third"}
    return words.get(number, f"{number}th")
