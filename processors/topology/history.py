"""A subject's history in one funnel, cut into pages, so that a late fact folds a stretch of it and not the whole.

A page holds the instants of a stretch, by the keys of their facts, and the state that the stretch begins with. The open page
is part of the head row; a full one becomes a row of its own, newest first, so that what a late fact needs lies together. Folding
begins at the page that the fact falls into and ends as soon as a page begins with the state that it began with before: from
there on nothing can differ, because an instant sees its facts and the state before it and nothing else (invariant 1).
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain, groupby
from typing import NamedTuple

import msgspec

from processors.stages.evidence import KeyedFact
from processors.stages.instant import in_order
from processors.stages.lineage import Lineage
from processors.stages.state import FunnelState
from processors.stages.timeline import Match, Move
from processors.stages.timers import step as advance
from processors.topology import rows as row
from processors.topology.effects import Rows
from schemas.instants import FIRST

PAGE = 16
"""Instants of a page. A late fact evaluates about as many; the head carries half of them on average, some 30 bytes each."""

EMPTY_STATE = row.encode(FunnelState())
_sorted = msgspec.msgpack.Encoder(order="deterministic").encode
_UNKNOWN = b""
"""The opening of a page whose state is not known yet: it equals none."""

FactOf = Callable[[bytes], KeyedFact]
"""A fact of the history, with its key, by its key."""


class Stretch(NamedTuple):
    """A stretch of a history that is to be folded anew, up to its end.

    Attributes:
        opening: Encoded `FunnelState` that it begins with.
        full: Its full pages, oldest first; one is decoded when folding comes to it, which is mostly never.
        open: The open page.
    """

    opening: bytes
    full: Iterable[row.Page]
    open: row.Page


class Refolded(NamedTuple):
    """What folding a stretch anew has found.

    Attributes:
        moves: Of the stretch, in the order they happened.
        matches: Its conversions.
        members: Keys of the facts that can have caused what was published of the stretch: its own, and what armed its timers.
        after: What was published of instants up to this one stands as it is, in microseconds.
        until: What was published of instants after this one as well; None where the stretch reaches the head.
        pages: The pages of the stretch as they must be kept, without the open one.
        head: The head, where the stretch reaches it; None where it ended before, and the head stands.
    """

    moves: list[Move]
    matches: list[Match]
    members: list[bytes]
    after: int
    until: int | None
    pages: list[row.Page]
    head: row.HeadRow | None


def follow(head: row.HeadRow | None, instant: int, fact: bytes, after: bytes) -> tuple[row.HeadRow, row.Page | None]:
    """The head after one more instant, with one fact; and the page that is full with the instants before it.

    Args:
        head: The head so far; None before the first instant.
        instant: Later than all of them, in microseconds.
        fact: Key of the fact.
        after: The encoded state after it.
    """
    steps = [row.Step(instant, (fact,))]
    if head is None:
        return row.HeadRow(row.Page(FIRST, EMPTY_STATE, steps), EMPTY_STATE, after), None
    if len(head.page.steps) < PAGE:
        return row.HeadRow(row.Page(head.page.start, head.page.opening, head.page.steps + steps), head.after, after), None
    return row.HeadRow(row.Page(instant, head.after, steps), head.after, after), head.page


def stretch(head: row.HeadRow, rows: Rows, prefix: bytes, instant: int, fact: bytes) -> Stretch:
    """The pages from the one that a late fact falls into up to the open one, with the fact in its place.

    Args:
        head: The head, whose last instant is later.
        rows: Where the full pages lie.
        prefix: Of their keys, see `rows.pages_prefix`.
        instant: Of the fact, in microseconds.
        fact: Its key.
    """
    later: list[bytes] = []
    if instant < head.page.start:
        sought = row.page_key(prefix, instant)
        for key, value in rows.scan(prefix):  # newest first
            later.append(value)
            if key >= sought:
                break
    first = row.decode_page(later.pop()) if later else head.page
    pages = _cut(first.start, first.opening, _with_fact(first.steps, instant, fact), 2 * PAGE)
    if first is head.page:
        return Stretch(first.opening, pages[:-1], pages[-1])
    return Stretch(first.opening, chain(pages, map(row.decode_page, reversed(later))), head.page)


def whole(facts: Iterable[KeyedFact]) -> Stretch | None:
    """A history that is folded from its beginning; none without facts."""
    grouped = groupby(sorted(facts, key=in_order), key=lambda keyed: keyed[1].occurred_at)
    steps = [row.Step(instant, tuple(key for key, _ in together)) for instant, together in grouped]
    if not steps:
        return None
    *full, last = _cut(FIRST, EMPTY_STATE, steps, PAGE)
    return Stretch(EMPTY_STATE, full, last)


def refold(stretch: Stretch, fact_of: FactOf, lineage: Lineage) -> Refolded:
    """Fold a stretch, oldest page first, until its end or until nothing can differ any more.

    Args:
        stretch: What is to be folded.
        fact_of: Finds the facts.
        lineage: The funnel.
    """
    state = row.decode_state(stretch.opening)
    found = Refolded([], [], list(state.armers), state.stepped, None, [], None)
    for page in stretch.full:
        if _rejoined(found, state, page):
            return found._replace(until=state.stepped)
        found.pages.append(_folded(found, state, page, fact_of, lineage))
    if _rejoined(found, state, stretch.open):
        return found._replace(until=state.stepped)
    *steps, last = stretch.open.steps
    opened = _folded(found, state, row.Page(stretch.open.start, stretch.open.opening, steps), fact_of, lineage)
    before = row.encode(state)
    _fold(found, state, last, fact_of, lineage)
    head = row.HeadRow(row.Page(opened.start, opened.opening, stretch.open.steps), before, row.encode(state))
    return found._replace(head=head)


def _rejoined(found: Refolded, state: FunnelState, page: row.Page) -> bool:
    """Whether a later page begins as it did before, whenever the last step was, which nothing depends on.

    Bytes may differ where only the order of names does, and true equals 1 only in Python: sorted bytes are compared.
    """
    if not found.pages or page.opening == _UNKNOWN:
        return False
    opening = row.decode_state(page.opening)
    opening.stepped = state.stepped
    return _sorted(opening) == _sorted(state)


def _folded(found: Refolded, state: FunnelState, page: row.Page, fact_of: FactOf, lineage: Lineage) -> row.Page:
    opening = row.encode(state)
    for step in page.steps:
        _fold(found, state, step, fact_of, lineage)
    return row.Page(page.start, opening, page.steps)


def _fold(found: Refolded, state: FunnelState, step: row.Step, fact_of: FactOf, lineage: Lineage) -> None:
    moves, matches = advance(state, step.instant, sorted(map(fact_of, step.members), key=in_order), lineage)
    found.moves.extend(moves)
    found.matches.extend(matches)
    found.members.extend(step.members)


def _with_fact(steps: Sequence[row.Step], instant: int, fact: bytes) -> list[row.Step]:
    earlier = [step for step in steps if step.instant < instant]
    there = next((step.members for step in steps if step.instant == instant), ())
    return [*earlier, row.Step(instant, (*there, fact)), *(step for step in steps if step.instant > instant)]


def _cut(start: int, opening: bytes, steps: list[row.Step], longest: int) -> list[row.Page]:
    """One page, or where there are more than `longest` instants as many as are needed."""
    if len(steps) <= longest:
        return [row.Page(start, opening, steps)]
    later = [row.Page(steps[at].instant, _UNKNOWN, steps[at : at + PAGE]) for at in range(PAGE, len(steps), PAGE)]
    return [row.Page(start, opening, steps[:PAGE]), *later]
