"""What the JSON API answers, as types: what is sent, and what its description says, come from the same lines.

Times are ISO 8601 in UTC, lengths seconds, money decimal texts. null is "no data": there was nothing to divide by.
"""

from datetime import date
from typing import Any

import msgspec


class Shape(msgspec.Struct, kw_only=True):
    """Base of all answers."""


class Status(Shape):
    """How far insights has read. Until it is `ready` no numbers are answered. Until `as_of` every partition is read."""

    ready: bool
    behind_records: int | None
    as_of: str | None
    kafka_silent_since: str | None


class Share(Shape):
    """A part of a whole; `value` is null where the whole is 0."""

    part: int
    whole: int
    value: float | None


class Weighted(Shape):
    """A part of a value in the reporting currency; `excluded` has no rate and is in neither."""

    part: str
    whole: str
    value: float | None
    excluded: dict[str, str]


class Lengths(Shape):
    """A distribution of lengths in seconds: the mean is exact, the others within 0.5 %. `untimed` have no length."""

    timed: int
    untimed: int
    mean: float | None
    median: float | None
    p90: float | None


class Worth(Shape):
    """Money by currency; `converted` into the reporting currency, where one is configured, less what has no rate."""

    amounts: dict[str, str]
    converted: str | None
    excluded: dict[str, str]


class Counted(Shape):
    """Entries into a place: touched entered it, reached also those who passed."""

    reached_first: int
    reached_every: int
    touched_first: int
    touched_every: int


class Place(Shape):
    """A stage, detour or outcome. `restated` is as known now, `reported` what was said at the time."""

    name: str
    kind: str
    restated: Counted
    reported: Counted
    standing: int
    remained: int
    furthest: int
    sla_missed: int
    overdue: int
    stays: Lengths
    open_age: float | None
    entered: Worth
    held: Worth


class Matches(Shape):
    """Matches of a conversion."""

    counted: int
    repeats: int
    advanced: int


class Conversion(Shape):
    """A conversion, as known now and as said at the time."""

    name: str
    restated: Matches
    reported: Matches
    worth: Worth


class Step(Shape):
    """A period rate: entries of the days into `end` over entries of the days into `start`; may be more than 1."""

    start: str
    end: str
    share: Share


class Version(Shape):
    """A version of the definition that began within the days."""

    number: int
    began: date
    reason: str


class Days(Shape):
    """UTC days, both among them; null is without a bound."""

    first: date | None
    last: date | None


class Funnel(Shape):
    """A funnel in a span of days."""

    funnel: str
    grain: str
    segment: str | None
    value: str | None
    days: Days
    as_of: str
    places: list[Place]
    conversions: list[Conversion]
    steps: list[Step]
    overall: list[Step]
    win_rate: Share
    versions: list[Version]


class SegmentValue(Shape):
    """A value of a segment: how many reached each place. `folded` values are shown together; 0: it is one itself."""

    label: str
    folded: int
    reached: dict[str, int]
    ended: dict[str, int]


class Segment(Shape):
    """A funnel split by a segment."""

    funnel: str
    grain: str
    segment: str
    days: Days
    as_of: str
    values: list[SegmentValue]


class Cohort(Shape):
    """Units that first entered on these days. `final`: nothing changes it any more; `inside`: those whose window is open."""

    days: Days
    share: Share
    weighted: Weighted | None
    inside: int
    undecided: int
    final: bool
    times: Lengths


class Cohorts(Shape):
    """A declared rate by cohort, and by period."""

    funnel: str
    grain: str
    segment: str | None
    value: str | None
    rate: str
    as_of: str
    cohorts: list[Cohort]
    period: Step


class Difference(Shape):
    """A part of what restated is more than reported; `about`: these days, recorded on others, or the reverse."""

    reason: str
    about: str
    amount: int


class Reconciled(Shape):
    """A number both ways; the differences add up to restated less reported."""

    kind: str
    name: str
    field: str
    reported: int
    restated: int
    differences: list[Difference]


class Correction(Shape):
    """What was announced afterwards or taken back on the days, and why."""

    kind: str
    name: str
    field: str
    reason: str
    announced: int
    retracted: int


class Corrections(Shape):
    """Where as-reported and restated differ in a span of days, and what was corrected on them."""

    funnel: str
    grain: str
    days: Days
    differences: list[Reconciled]
    corrections: list[Correction]


class FunnelName(Shape):
    """A funnel at a grain, and what can be asked of it."""

    funnel: str
    grain: str
    version: int
    stages: list[str]
    detours: list[str]
    outcomes: list[str]
    conversions: list[str]
    segments: list[str]
    rates: list[str]


class Funnels(Shape):
    """What there is to ask for."""

    status: Status
    funnels: list[FunnelName]


class Lead(Shape):
    """Where a subject stands, and how it got there: published records, personal values masked unless they are to be shown."""

    handle: str
    subject: str
    snapshots: list[dict[str, Any]]
    path: list[dict[str, Any]]


class Found(Shape):
    """The handle of a subject, for its own address."""

    handle: str
    subject: str


class Transition(Shape):
    """A published operation, and the handle of its subject."""

    handle: str
    record: dict[str, Any]


class Transitions(Shape):
    """Operations, and the cursor that asks for those behind them."""

    cursor: str
    transitions: list[Transition]


class Problem(Shape):
    """Why there is no answer."""

    error: str
