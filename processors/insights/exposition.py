"""`/metrics`: every name, its labels and its line; nothing is declared elsewhere. docs/insights.md has the table.

Business metrics come from the read model, exact and whole: none is shown before everything was read, because Prometheus would
take half a count for a counter that began anew. A counter never falls: it stays where it was while a sum is short of what is on
its way from one record to another (`ReadModel.totals`). What may fall is a gauge. Every label set that the
definitions know is there from the start, at 0, and no label has more values than `limits.label_values`.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.samples import Sample

from processors.insights.progress import Status
from processors.metrics.outlines import FunnelOutline, Outlines
from processors.projection.answers import Value
from processors.projection.journal import Tallied, Violated
from processors.projection.totals import Both, ConversionTotals, PlaceTotals, SliceTotals, Totals
from schemas.metrics import Reason

NOWHERE = "(none)"
"""No stage, in `from_stage` and `to_stage`."""
CURRENCIES = 50
"""Values of the label `currency`, where `limits.label_values` does not say less."""
_POLICIES = ("skip", "backward")
_REASONS = tuple(reason for reason in get_args(Reason) if reason != "live")

_PLACES = {
    "stage": (
        ("funnel_stage_entries", "every", "Entries into a stage, every one"),
        ("funnel_stage_first_entries", "first", "First entries into a stage"),
        ("funnel_stage_reached", "reached", "Who reached a stage: entered or passed it, once each"),
        ("funnel_sla_missed", "sla_missed", "Stays that missed the service level of their stage"),
    ),
    "detour": (("funnel_detour_entries", "every", "Entries into a detour"),),
    "outcome": (("funnel_outcomes", "every", "Entries into an outcome"),),
}
"""Counters by kind of place: name, field of `PlaceTotals`, and what it counts."""
_MATCHES = (
    ("funnel_conversions", "counted", "Counted conversions"),
    ("funnel_conversion_repeats", "repeats", "Conversions that were recognised and not counted"),
    ("funnel_conversions_advanced", "advanced", "Conversions that moved somebody"),
)
_STANDING = (
    ("funnel_leads", "standing", "Who stands in a stage now."),
    ("funnel_leads_furthest", "furthest", "Whose furthest stage it is."),
    ("funnel_leads_overdue", "overdue", "Who stands in a stage past its service level now."),
    ("funnel_stage_stays", "stays", "Ended stays whose length is known."),
    ("funnel_stage_stays_seconds", "stays_seconds", "Their length together."),
)
_AS_REPORTED = "as reported; what was taken back of it has a counter of its own."


class Segmented(NamedTuple):
    """A segment: its values as they are shown, each with its totals."""

    name: str
    values: Sequence[tuple[Value, SliceTotals]]


class Numbers(NamedTuple):
    """A funnel at a grain."""

    outline: FunnelOutline
    totals: Totals
    segments: Sequence[Segmented]


class Exposition:
    """The whole of `/metrics`, from values; remembers what every counter said, so that none ever falls."""

    def __init__(self, outlines: Outlines) -> None:
        """Know the labels.

        Args:
            outlines: Of all funnels.
        """
        self._most_currencies = min(outlines.label_values or CURRENCIES, CURRENCIES)
        self._folded: dict[tuple[str, str, str], int] = {}
        self._said: dict[tuple[str, ...], float] = {}

    def business(self, numbers: Iterable[Numbers], tallies: Iterable[Tallied], violations: Iterable[Violated]) -> bytes:
        """The business metrics as text."""
        found = [*numbers]
        families = [_order(found), *_entries(found), *_standing(found), *_conversions(found), *_rates(found)]
        families += [self._values(found), *_corrections(found), *_moves(found, tallies), *_violations(found, violations)]
        families += [*_segments(found), self._overflow(found)]
        for family in families:
            if family.type == "counter":
                family.samples = [self._not_less(sample) for sample in family.samples]
        return _text(families)

    def _not_less(self, sample: Sample) -> Sample:
        series = (sample.name, *sample.labels.values())
        self._said[series] = max(sample.value, self._said.get(series, sample.value))
        return sample._replace(value=self._said[series])

    def _values(self, numbers: Sequence[Numbers]) -> Metric:
        value = GaugeMetricFamily(
            "funnel_conversion_value",
            "Value of counted conversions as known now, in its own currency.",
            labels=("funnel", "grain", "conversion", "currency"),
        )
        for outline, totals, _ in numbers:
            weights: dict[str, int] = {}
            for conversion in totals.conversions.values():
                for currency, _amount in conversion.values:
                    weights[currency] = weights.get(currency, 0) + 1
            shown = sorted(weights, key=lambda currency: (-weights[currency], currency))[: self._most_currencies]
            self._fold(outline, "currency", len(weights) - len(shown))
            for name, conversion in totals.conversions.items():
                for currency, amount in conversion.values:
                    if currency in shown:
                        value.add_metric((outline.funnel, outline.grain, name, currency), amount)
        return value

    def _overflow(self, numbers: Sequence[Numbers]) -> Metric:
        overflow = CounterMetricFamily(
            "funnel_label_overflow",
            "Values of a label that have had no series of their own.",
            labels=("funnel", "grain", "label"),
        )
        for outline, _, segments in numbers:
            for segment in segments:
                self._fold(outline, segment.name, sum(value.folded for value, _ in segment.values))
        for labels, folded in sorted(self._folded.items()):
            overflow.add_metric(labels, folded)
        return overflow

    def _fold(self, outline: FunnelOutline, label: str, folded: int) -> None:
        self._folded[outline.funnel, outline.grain, label] = folded


def of_itself(status: Status, records: dict[str, int], unreadable: dict[str, int]) -> bytes:
    """The metrics of insights itself, which are there from the start."""
    read = CounterMetricFamily("funnelstream_insights_records", "Records read since the start.", labels=("topic",))
    left_out = CounterMetricFamily(
        "funnelstream_insights_unreadable_records", "Records that are not what their topic holds; left out.", labels=("topic",)
    )
    for topic, number in records.items():
        read.add_metric((topic,), number)
        left_out.add_metric((topic,), unreadable.get(topic, 0))
    gauges = (
        ("ready", "1 once everything was read that was there at the start.", int(status.ready)),
        ("behind_records", "Offsets between what was read and the committed end.", status.behind),
        ("as_of_timestamp_seconds", "Until when every partition is read; 0: not known yet.", (status.as_of or 0) / 1e6),
        ("kafka_up", "0 while Kafka does not answer.", int(status.silent_since is None)),
    )
    families = [
        GaugeMetricFamily(f"funnelstream_insights_{name}", line, value=number)
        for name, line, number in gauges
        if number is not None
    ]
    return _text([*families, read, left_out])


def _entries(numbers: Sequence[Numbers]) -> Iterator[Metric]:
    for kind, counters in _PLACES.items():
        for name, field, line in counters:
            announced, retracted = _counters(name, line, kind)
            for outline, totals, _ in numbers:
                for place in (place.name for place in outline.places if place.kind == kind):
                    both: Both = getattr(totals.places.get((kind, place), PlaceTotals()), field)
                    announced.add_metric((outline.funnel, outline.grain, place), both.announced)
                    retracted.add_metric((outline.funnel, outline.grain, place), both.retracted)
            yield from (announced, retracted)


def _order(numbers: Sequence[Numbers]) -> Metric:
    """What Prometheus does not keep: in which order the stages come."""
    order = GaugeMetricFamily(
        "funnel_stage_position", "Which stage it is, from the first one on.", labels=("funnel", "grain", "stage")
    )
    for outline, _, _ in numbers:
        for position, stage in enumerate(outline.stages, 1):
            order.add_metric((outline.funnel, outline.grain, stage), position)
    return order


def _standing(numbers: Sequence[Numbers]) -> Iterator[Metric]:
    ended = ("funnel_outcome_leads", "standing", "How paths ended, as known now.")
    for kind, (name, field, line) in (*(("stage", each) for each in _STANDING), ("outcome", ended)):
        gauge = GaugeMetricFamily(name, line, labels=("funnel", "grain", kind))
        for outline, totals, _ in numbers:
            for place in (place.name for place in outline.places if place.kind == kind):
                number = getattr(totals.places.get((kind, place), PlaceTotals()), field)
                gauge.add_metric((outline.funnel, outline.grain, place), number)
        yield gauge


def _conversions(numbers: Sequence[Numbers]) -> Iterator[Metric]:
    for name, field, line in _MATCHES:
        announced, retracted = _counters(name, line, "conversion")
        for outline, totals, _ in numbers:
            for conversion in outline.conversions:
                both: Both = getattr(totals.conversions.get(conversion, ConversionTotals()), field)
                announced.add_metric((outline.funnel, outline.grain, conversion), both.announced)
                retracted.add_metric((outline.funnel, outline.grain, conversion), both.retracted)
        yield from (announced, retracted)


def _rates(numbers: Sequence[Numbers]) -> Iterator[Metric]:
    """Both ends of every declared rate: over any time, the increase of one by that of the other is a period rate."""
    for end in ("from", "to"):
        announced, retracted = _counters(f"funnel_rate_{end}_entries", f"Entries into the `{end}` of a declared rate", "rate")
        for outline, totals, _ in numbers:
            for rate in outline.rates:
                both = totals.entries(rate, rate.start if end == "from" else rate.end)
                announced.add_metric((outline.funnel, outline.grain, rate.name), both.announced)
                retracted.add_metric((outline.funnel, outline.grain, rate.name), both.retracted)
        yield from (announced, retracted)


def _corrections(numbers: Sequence[Numbers]) -> Iterator[Metric]:
    announced, retracted = _counters("funnel_corrections", "Entries announced out of order, by why", "reason")
    for outline, totals, _ in numbers:
        for reason in _REASONS:
            both = totals.corrections.get(reason, Both())
            announced.add_metric((outline.funnel, outline.grain, reason), both.announced)
            retracted.add_metric((outline.funnel, outline.grain, reason), both.retracted)
    yield from (announced, retracted)


def _moves(numbers: Sequence[Numbers], tallies: Iterable[Tallied]) -> Iterator[Metric]:
    """Moves between places that the definitions know; a label set exists once somebody has moved so."""
    announced, retracted = _counters("funnel_transitions", "Published moves", "from_stage", "to_stage", "direction")
    known = {(outline.funnel, outline.grain): {"", *(place.name for place in outline.places)} for outline, _, _ in numbers}
    for funnel, grain, origin, target, kind, op, times in tallies:
        if {origin, target} <= known.get((funnel, grain), set()) and op != "amend" and kind != "notice":
            labels = (funnel, grain, origin or NOWHERE, target or NOWHERE, kind)
            (announced if op == "announce" else retracted).add_metric(labels, times)
    yield from (announced, retracted)


def _violations(numbers: Sequence[Numbers], violations: Iterable[Violated]) -> Iterator[Metric]:
    announced, retracted = _counters("funnel_policy_violations", "Published moves that violate a policy", "policy")
    found = {(each.funnel, each.grain, each.policy): each for each in violations}
    for outline, _, _ in numbers:
        for policy in _POLICIES:
            labels = (outline.funnel, outline.grain, policy)
            violated = found.get(labels, Violated(*labels, 0, 0))
            announced.add_metric(labels, violated.announced)
            retracted.add_metric(labels, violated.retracted)
    yield from (announced, retracted)


def _segments(numbers: Sequence[Numbers]) -> Iterator[Metric]:
    common = ("funnel", "grain", "segment")
    reached = GaugeMetricFamily(
        "funnel_segment_reached", "Who reached a stage, as known now.", labels=(*common, "value", "stage")
    )
    standing = GaugeMetricFamily("funnel_segment_leads", "Who stands in a stage now.", labels=(*common, "value", "stage"))
    ended = GaugeMetricFamily("funnel_segment_outcomes", "How paths ended, as known now.", labels=(*common, "value", "outcome"))
    count = GaugeMetricFamily("funnel_segment_values", "How many values the segment has.", labels=common)
    for outline, _, segments in numbers:
        for segment in segments:
            labels = (outline.funnel, outline.grain, segment.name)
            count.add_metric(labels, sum(value.folded or 1 for value, _ in segment.values))
            for value, totals in segment.values:
                for place in outline.places:
                    key, series = (place.kind, place.name), (*labels, value.label, place.name)
                    if place.kind == "stage":
                        reached.add_metric(series, totals.reached.get(key, 0))
                        standing.add_metric(series, totals.standing.get(key, 0))
                    elif place.kind == "outcome":
                        ended.add_metric(series, totals.standing.get(key, 0))
    yield from (reached, standing, ended, count)


def _counters(name: str, line: str, *labels: str) -> tuple[CounterMetricFamily, CounterMetricFamily]:
    """What is announced, and what of it is taken back."""
    all_labels = ("funnel", "grain", *labels)
    announced = CounterMetricFamily(name, f"{line}, {_AS_REPORTED}", labels=all_labels)
    return announced, CounterMetricFamily(f"{name}_retracted", f"{line}: what was taken back of it.", labels=all_labels)


class _Families:
    """Families as prometheus_client collects them."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def _text(families: Iterable[Metric]) -> bytes:
    return generate_latest(_Families(families))
