"""Answers of the projection, as values. Lengths are in microseconds, money is by currency; None is "no data", never 0."""

from collections.abc import Sequence
from datetime import date
from typing import Literal, NamedTuple

from processors.metrics.days import Span
from processors.metrics.exchange import Amounts, Converted
from processors.metrics.outlines import PlaceKind
from processors.metrics.rates import Maturity, Share


class Slice(NamedTuple):
    """Whose numbers: all of a funnel and grain, those of one value of a segment, or of all its values but some.

    Attributes:
        funnel: Its name.
        grain: Whose.
        segment: By which it is split; None: all together.
        value: The segment's; None: all values that are not in `without`.
        without: The values that are shown by name, where this slice is the rest.
    """

    funnel: str
    grain: str
    segment: str | None = None
    value: str | None = None
    without: tuple[str, ...] = ()


class Value(NamedTuple):
    """A value of a segment as it is shown: `label` is unique among them, `folded` how many values it stands for (0: itself)."""

    label: str
    folded: int
    slice: Slice


class Worth(NamedTuple):
    """Money: exact by currency, and converted where a reporting currency is configured."""

    amounts: Amounts
    converted: Converted | None


class Lengths(NamedTuple):
    """A distribution: `mean` exact, the others within 0.5 %; None of no length. `untimed` are those without a length."""

    timed: int
    untimed: int
    mean: float | None
    median: float | None
    p90: float | None


class Counted(NamedTuple):
    """Entries into a place: who entered (touched), also those who passed (reached); first entries, or every one."""

    reached_first: int
    reached_every: int
    touched_first: int
    touched_every: int


class Place(NamedTuple):
    """One place of a funnel in a span of days.

    Attributes:
        name: The place's.
        kind: stage, detour or outcome.
        restated: Entries of these days, as they are known now.
        reported: Entries announced on these days less those taken back on them: what was said at the time.
        standing: Who stands there now, whenever they entered.
        remained: Those of them who entered on these days; of an outcome: whose path ended so, as known now (rule 12).
        furthest: Whose furthest stage it is, first reached on these days.
        sla_missed: Stays that missed the service level on these days (rule 29: ever missed).
        overdue: Stays that had missed it and gone on at the end of these days.
        stays: Stays that ended on these days.
        open_age: Mean time for which those who stand there now have been there; None: nobody does.
        entered: Value at every entry of these days.
        held: Value of those who stand there now.
    """

    name: str
    kind: PlaceKind
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


class Matches(NamedTuple):
    """Matches of a conversion: those that its counting method counts, the others, and those of either that moved somebody."""

    counted: int = 0
    repeats: int = 0
    advanced: int = 0


class Conversion(NamedTuple):
    """One conversion in a span of days, as known now and as it was said at the time; `worth` is of the counted matches."""

    name: str
    restated: Matches
    reported: Matches
    worth: Worth


class Step(NamedTuple):
    """A period rate: entries of these days into a place, over those into another; may exceed 1."""

    start: str
    end: str
    share: Share


class Funnel(NamedTuple):
    """A funnel in a span of days.

    Attributes:
        places: In the order of the outline.
        conversions: In the order of the outline.
        steps: From each stage to the next one, by reached first entries.
        overall: From the first stage to each later stage and each outcome that is won.
        win_rate: Won over won and lost, by how the paths that ended on these days stand now (rules 11 and 12).
    """

    places: Sequence[Place]
    conversions: Sequence[Conversion]
    steps: Sequence[Step]
    overall: Sequence[Step]
    win_rate: Share


class Cohort(NamedTuple):
    """Units that first entered `from` on some days, and how many of them got to `to` (rule 24).

    Attributes:
        days: On which they entered.
        share: Units that converted, of all.
        weighted: The same, each unit weighing its value at its last move, in the reporting currency; None: none is configured.
        maturity: How far it has come.
        times: To convert; `untimed` converted without a time between: a stage was passed, or it took none.
    """

    days: Span
    share: Share
    weighted: "Weighted | None"
    maturity: Maturity
    times: Lengths


class Weighted(NamedTuple):
    """A share of value; `excluded` are amounts that could not be converted, of those who started."""

    share: Share
    excluded: Amounts


About = Literal["these days", "other days"]


class Difference(NamedTuple):
    """A part of restated less reported: announced or taken back on other days than it is about."""

    reason: str
    about: About
    amount: int


class Reconciled(NamedTuple):
    """One number of a span of days, both ways; the differences add up to restated less reported."""

    kind: Literal["entries", "conversions", "ended"]
    name: str
    field: str
    reported: int
    restated: int
    differences: Sequence[Difference]


class Correction(NamedTuple):
    """What was taken back, or announced afterwards, on some days, and why."""

    kind: Literal["entries", "conversions"]
    name: str
    field: str
    reason: str
    announced: int
    retracted: int


class Version(NamedTuple):
    """A version of the definition that began on one of the days; what the numbers mean may differ from then on (rule 23)."""

    number: int
    began: date
    reason: str
