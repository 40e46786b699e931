"""Metric records: partial sums on the compacted metrics topic, as models.

Every worker publishes, for each of its facts partitions, the sums that the timelines of that partition contribute to
(design, invariant 4). A reader adds up the last record of every key; a tombstone takes a sum away. Counts and amounts
are left out where they are 0. Days are UTC. What is announced and what is taken back again stand side by side in the records of
entries and conversions, by the day they were recorded and the day they are about: summed by the one they are the numbers as
they were reported, summed by the other the numbers as they are known now (rules 12, 19, and section 3 of semantics).
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, RootModel

from schemas.records import Grain, Record

Reason = Literal["live", "late", "deletion", "definition", "identity", "merge", "erasure"]
"""Why something was announced or taken back: in order, or by what corrected it."""
PlaceKind = Literal["stage", "outcome", "detour"]
Count = Annotated[int, Field(description="How many; 0 when absent.")]
Amounts = Annotated[dict[str, str], Field(description="Decimal sum by ISO 4217 code.")]


class _Metric(Record):
    funnel: str
    grain: Grain = Field(description="Whose: the funnel's subject, or deal for the deals' own positions.")
    name: str = Field(description="Of the place, the conversion or the rate.")
    segment: str | None = Field(description="The segment by which it is split; null for all together.")
    segment_value: str | None = Field(description="The segment's value, (none) for missing; null for all together.")
    day: date | None = Field(description="UTC day it is about; null: all days before `topics.keep_metrics`.")
    partition: int = Field(description="Of the facts topic; readers add up over partitions.")


class _Reported(_Metric):
    recorded: date | None = Field(
        description="UTC day on which it was announced or taken back; null: all days before `topics.keep_metrics`."
    )
    reason: Reason


class Entries(_Reported):
    """Entries into one place (rules 5, 8 and 11); `day` is the day of the entry.

    *Touched* is who entered, *reached* also who passed. Of each, `*_retracted` is what was taken back.
    """

    kind: Literal["entries"]
    place: PlaceKind
    touched_every: Count = 0
    touched_every_retracted: Count = 0
    touched_first: Count = 0
    touched_first_retracted: Count = 0
    reached_first: Count = 0
    reached_first_retracted: Count = 0
    inferred: Count = Field(default=0, description="First reached by passing it; reached_every is touched_every and these.")
    inferred_retracted: Count = 0
    sla_missed: Count = Field(default=0, description="Stays that missed the service level; `day` is the day it was missed.")
    sla_missed_retracted: Count = 0
    sla_recovered: Count = Field(default=0, description="Such stays that ended; `day` is the day of their end.")
    sla_recovered_retracted: Count = 0
    amounts: Amounts = Field(default={}, description="Value at every touched entry.")
    amounts_retracted: Amounts = Field(default={})


class Conversions(_Reported):
    """Matches of one conversion (rules 1 and 3); `day` is the day of the event."""

    kind: Literal["conversions"]
    counted: Count = 0
    counted_retracted: Count = 0
    repeats: Count = Field(default=0, description="Recognised, but not counted by the counting method.")
    repeats_retracted: Count = 0
    advanced: Count = Field(default=0, description="Those that moved their subject, counted or not.")
    advanced_retracted: Count = 0
    amounts: Amounts = Field(default={}, description="Value of the counted ones.")
    amounts_retracted: Amounts = Field(default={})


class Standing(_Metric):
    """Who stands in one place now (rule 6); `day` is the day they entered it. Of an outcome: whose path ended so (rule 12)."""

    kind: Literal["standing"]
    place: PlaceKind
    standing: Count = 0
    entered_us: int = Field(default=0, description="Sum of their entry times, in microseconds after the beginning of `day`.")
    furthest: Count = Field(default=0, description="Whose furthest stage this is; `day` is the day they first reached it.")
    amounts: Amounts = Field(default={}, description="Their value at their last move.")


class Stays(_Metric):
    """Stays in one place that ended (rule 9); `day` is the day of their end."""

    kind: Literal["stays"]
    place: PlaceKind
    ended: Count = 0
    timed: Count = Field(default=0, description="Those with a length; the rest began at an unknown time, or took none.")
    total_us: int = Field(default=0, description="Length of the timed ones, in microseconds.")


class RateSums(_Metric):
    """One declared rate by cohort (rules 24 and 25); `name` as the definition calls it, `day` the day of the first entry."""

    kind: Literal["rate"]
    started: Count = Field(default=0, description="Subjects whose first entry into `from` was on this day.")
    converted: Count = Field(default=0, description="Those of them that got to `to`, within the window if there is one.")
    timed: Count = Field(default=0, description="Those of them with a time between; the rest passed a stage, or took no time.")
    total_us: int = Field(default=0, description="Time to convert of the timed ones, in microseconds.")
    amounts_started: Amounts = Field(default={}, description="Value at their last move of those who started.")
    amounts_converted: Amounts = Field(default={}, description="And of those who converted.")


class Lengths(_Metric):
    """A part of a distribution of lengths: of stays in a place, or of times to convert (`day` as in those records).

    A length of n microseconds is in bucket i where 1.01^i <= n < 1.01^(i+1); a hundred years is the longest.
    """

    kind: Literal["lengths"]
    of: Literal["stay", "rate"]
    place: PlaceKind | None = Field(description="Of a stay; null of a rate.")
    chunk: int = Field(description="Bucket // 32: one record carries up to 32 neighbouring buckets.")
    buckets: dict[int, int] = Field(default={}, description="How many, by bucket.")


class Metric(RootModel[Annotated[Entries | Conversions | Standing | Stays | RateSums | Lengths, Field(discriminator="kind")]]):
    """funnelstream.metric.v1: a partial sum. The key is a JSON array of what it is a sum of; a tombstone when nothing is left."""
