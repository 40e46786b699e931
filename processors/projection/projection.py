"""The projection of the metrics topic: funnels, cohorts and corrections as they are asked for."""

from collections.abc import Iterable, Mapping, Sequence

from processors.metrics.days import ALWAYS, EARLIER, Span, day_at, day_of
from processors.metrics.exchange import Exchange
from processors.metrics.folding import fold, shown
from processors.metrics.outlines import FunnelOutline, Outlines, RateOutline, SegmentOutline
from processors.projection.answers import Cohort, Correction, Funnel, Reconciled, Slice, Step, Value, Version
from processors.projection.cohorts import cohort, cohorts, period
from processors.projection.corrections import corrections, reconciled
from processors.projection.database import Database
from processors.projection.funnels import Question, funnel
from processors.projection.ledger import Ledger
from processors.projection.reconciliation import Compared, compare
from processors.projection.records import Metric
from processors.projection.totals import SliceTotals, Totals, rest_of, slice_totals, totals
from schemas.instants import DAY


class Projection:
    """Numbers of one application, from the records of its metrics topic.

    Nothing here knows a clock: what depends on how far time has come takes `as_of`, in microseconds.
    """

    def __init__(self, outlines: Outlines, exchange: Exchange | None = None, path: str = ":memory:") -> None:
        """Begin empty.

        Args:
            outlines: What the numbers are called.
            exchange: Rates of the reporting currency; None: amounts stay in their currencies.
            path: Of a file that does not exist yet, for more than fits in memory.
        """
        self.outlines = outlines
        self._exchange = exchange
        self._database = Database(path)

    def close(self) -> None:
        """Give back the file or the memory."""
        self._database.close()

    def put(self, records: Iterable[tuple[bytes, Metric | None]]) -> None:
        """Take records in the order of their topic; again is as good as once."""
        self._database.put(records)

    def all(self, outline: FunnelOutline) -> Slice:
        """All of a funnel at a grain."""
        return Slice(outline.funnel, outline.grain)

    def values(self, outline: FunnelOutline, segment: SegmentOutline) -> list[Value]:
        """The values of a segment that are shown by name, those with most first entries first, then the rest folded.

        Their order is that of all days together, so that a value has one name whatever is asked.
        """
        of, named = "funnel = ? AND grain = ? AND segment = ?", (outline.funnel, outline.grain, segment.name)
        most = shown(segment.top, self.outlines.label_values)
        ranked = self._database.values(f"{of} ORDER BY entries DESC, segment_value LIMIT ?", [*named, most])
        [(count,)] = self._database.values(of, named, "COUNT(*)")

        def taken(label: str) -> bool:
            return bool(self._database.values(f"{of} AND segment_value = ?", [*named, label]))

        folded = fold([value for (value,) in ranked], count, taken)
        found = [Value(value, 0, Slice(*named, value)) for value in folded.named]
        if folded.rest is not None:
            found.append(Value(folded.rest, folded.folded, Slice(*named, None, tuple(folded.named))))
        return found

    def funnel(self, outline: FunnelOutline, of: Slice, as_of: int, days: Span = ALWAYS) -> Funnel:
        """A funnel in a span of days."""
        return funnel(self._question(outline, of, days, as_of))

    def cohorts(self, outline: FunnelOutline, rate: RateOutline, of: Slice, as_of: int, days: Span = ALWAYS) -> list[Cohort]:
        """A declared rate by cohort: every bucket that has a day in the span, from the first to the last that has units."""
        return cohorts(self._question(outline, of, days, as_of), rate)

    def cohort(self, outline: FunnelOutline, rate: RateOutline, of: Slice, as_of: int, days: Span = ALWAYS) -> Cohort:
        """All units of a span of days as one cohort; without a last day it is never final."""
        return cohort(self._question(outline, of, days, as_of), rate)

    def period(self, outline: FunnelOutline, rate: RateOutline, of: Slice, days: Span = ALWAYS) -> Step:
        """A declared rate by period: entries of these days over entries of these days."""
        return period(self._question(outline, of, days, 0), rate)

    def reconciled(self, outline: FunnelOutline, of: Slice, days: Span) -> list[Reconciled]:
        """The numbers of a span of days that differ from what was reported on them, and why."""
        return reconciled(self._question(outline, of, days, 0))

    def corrections(self, outline: FunnelOutline, of: Slice, days: Span = ALWAYS) -> list[Correction]:
        """What was corrected on some days, by reason."""
        return [*corrections(self._question(outline, of, days, 0))]

    def totals(self, outline: FunnelOutline, folded: Mapping[int, int]) -> Totals:
        """Sums over all days, announced and taken back side by side; `folded` leaves out what is about to be in another sum."""
        return totals(self._database, outline, folded)

    def split_totals(self, outline: FunnelOutline, values: Sequence[Value], days: Span = ALWAYS) -> list[SliceTotals]:
        """Who reached each place and who stands there, for each of the values of a segment (`values`)."""
        named = [slice_totals(self._database, value.slice, days) for value in values if not value.folded]
        if len(named) == len(values):
            return named
        return [*named, rest_of(slice_totals(self._database, self._having(outline, values[-1].slice), days), named)]

    def _having(self, outline: FunnelOutline, of: Slice) -> Slice:
        """All that has a value of a segment: everything, where every version has it, which is added up already."""
        everywhere = all(of.segment in version.segments for version in outline.versions)
        return self.all(outline) if everywhere else Slice(of.funnel, of.grain, of.segment)

    def versions(self, outline: FunnelOutline, days: Span = ALWAYS) -> list[Version]:
        """Versions of the definition that began on some days, other than the first."""
        began = [(version, day_at(version.effective_from)) for version in outline.versions[1:]]
        return [Version(version.number, day, version.reason) for version, day in began if day in days]

    def reconcile(self, ledger: Ledger, as_of: int) -> Compared:
        """Hold every restated sum against a recount of what was published; days that are no longer kept together."""
        kept = self.outlines.keep
        first = EARLIER if kept is None else day_of(as_of // DAY - kept)
        return compare(self._database, self.outlines.funnels, ledger, first)

    def _question(self, outline: FunnelOutline, of: Slice, days: Span, as_of: int) -> Question:
        return Question(self._database, outline, of, days, as_of, self._exchange)
