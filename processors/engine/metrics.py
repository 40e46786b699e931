"""Every metric a worker exports, each with its line of documentation; nothing is declared elsewhere.

Counters are of this process: they restart at zero with it, and a scrape may miss the last ones before a crash. Exact totals are
in the published topics. What the topology counts arrives by the names in `COUNTED` and is added only after the commit.
Labels come from configuration and fixed words only, so their sets are bounded; known ones exist, at zero, from the start.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, disable_created_metrics

from processors.topology.effects import Count


class Counted(NamedTuple):
    """A counter of the topology: its exported name (without `_total`), its labels, and what it counts."""

    name: str
    labels: tuple[str, ...]
    documentation: str


COUNTED = {
    "facts": Counted("facts", ("source", "kind"), "Facts made of source records."),
    "dropped": Counted("dropped", ("source", "reason"), "Statements of source records that no definition uses, by why."),
    "unconvertible": Counted(
        "unconvertible_values", ("source", "field"), "Values that do not fit the type of their field; kept as missing."
    ),
    "cut": Counted("cut_values", ("source",), "Texts of which only the first 2048 characters were kept."),
    "dead_letters": Counted("dead_letters", ("source", "reason"), "Records set aside because they could not be used."),
    "duplicates": Counted("duplicates", ("source",), "Facts that were there already."),
    "too_late": Counted("too_late_facts", ("funnel",), "Facts that came after the lateness a funnel allows."),
    "refolds": Counted("refolds", ("funnel",), "Late facts, because of which a stretch of history was folded again."),
    "conversions": Counted(
        "conversions",
        ("funnel", "conversion", "kind", "op"),
        "Committed conversions, counted or repeat. Of this process; restarts at zero.",
    ),
    "entries": Counted("stage_entries", ("funnel", "stage"), "Committed stage entries. Of this process; restarts at zero."),
    "transitions": Counted(
        "transitions", ("funnel", "op", "kind"), "Committed transitions by operation and kind. Of this process; restarts at zero."
    ),
}
"""By the name in a `Count`. A name that is not here is a bug of the topology."""

ABORT_REASONS = ("produce", "send_offsets_to_transaction", "commit_transaction", "send_offsets", "no_member", "lost")

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_RECORDS = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000)


class Metrics:
    """The worker's metrics on a registry of their own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # halves the number of series
        self.registry = CollectorRegistry()
        counter, gauge, histogram = self._counter, self._gauge, self._histogram
        self.records = counter("records", "Records read from source topics and committed.", "source", "topic")
        self.facts_read = counter("facts_read", "Records of the facts topic advanced and committed.")
        self.batch_records = histogram("batch_records", "Records per transaction.", _RECORDS)
        self.batch_seconds = histogram("batch_seconds", "Seconds from a transaction's first record to its commit.", _SECONDS)
        self.commit_seconds = histogram("commit_seconds", "Seconds that a commit took, offsets included.", _SECONDS)
        self.commits = counter("transactions_committed", "Transactions committed.")
        self.aborts = counter("transactions_aborted", "Transactions aborted, by the call that made it necessary.", "reason")
        self.rebalances = counter("rebalances", "Partitions assigned, revoked, or lost (this worker was away too long).", "kind")
        self.assigned = gauge("assigned_partitions", "Partitions that flow.", "topic")
        self.restored_rows = counter("restored_rows", "Changelog records applied to the store.")
        self.restore_seconds = counter("restore_seconds", "Seconds spent restoring.")
        self.restore_progress = gauge("restore_progress_ratio", "Share of the restore under way that is done; 1 when none is.")
        self.lag = gauge("consumer_lag_records", "Records that could be read and are not committed yet.", "topic", "partition")
        self.lag_seconds = gauge(
            "consumer_lag_seconds",
            "Age of the last committed record of a partition that is behind, else 0.",
            "topic",
            "partition",
        )
        self.stream_time = gauge("stream_timestamp_seconds", "Kafka time of the newest fact committed here.")
        self.watermark = gauge(
            "watermark_timestamp_seconds",
            "How far a source partition was last said to be read; only where definitions arm timers.",
            "topic",
            "partition",
        )
        self.last_commit = gauge("last_commit_timestamp_seconds", "When the last transaction was committed.")
        self.purged = counter(
            "facts_purge_requests", "Requests to delete committed facts that are older than keep_facts.", "outcome"
        )
        self.definitions = Info("funnelstream_worker_definitions", "The definition set this worker runs.", registry=self.registry)
        self._counted = {name: counter(each.name, each.documentation, *each.labels) for name, each in COUNTED.items()}
        self._children: dict[Count, Counter] = {}

    def initialise(
        self,
        definitions: str,
        source_topics: Mapping[str, str],
        topics: Iterable[str],
        label_sets: Mapping[str, Sequence[tuple[str, ...]]],
    ) -> None:
        """Make every label set that is known from the start.

        Args:
            definitions: Digest of the definition set.
            source_topics: Source by topic.
            topics: All topics that are read.
            label_sets: Label sets by the name in a `Count`.
        """
        self.definitions.info({"digest": definitions})
        self.restore_progress.set(1)
        for topic, source in source_topics.items():
            self.records.labels(source, topic)
        for topic in topics:
            self.assigned.labels(topic)
        for reason in ABORT_REASONS:
            self.aborts.labels(reason)
        for kind in ("assigned", "revoked", "lost"):
            self.rebalances.labels(kind)
        for outcome in ("deleted", "refused"):
            self.purged.labels(outcome)
        for source in {*source_topics.values()}:
            self._counted["duplicates"].labels(source)
        for metric, sets in label_sets.items():
            for labels in sets:
                self._counted[metric].labels(*labels)

    def count(self, counts: Mapping[Count, int]) -> None:
        """Add what the topology counted in a committed transaction.

        Raises:
            KeyError: The topology counts by a name that `COUNTED` does not declare.
        """
        children = self._children
        for count, amount in counts.items():
            child = children.get(count)
            if child is None:
                child = children[count] = self._counted[count[0]].labels(*count[1:])
            child.inc(amount)

    def forget_watermark(self, topic: str, partition: int) -> None:
        """Another worker speaks for this source partition now, if it was one."""
        with suppress(KeyError):
            self.watermark.remove(topic, str(partition))

    def _counter(self, name: str, documentation: str, *labels: str) -> Counter:
        return Counter(f"funnelstream_worker_{name}", documentation, labels, registry=self.registry)

    def _gauge(self, name: str, documentation: str, *labels: str) -> Gauge:
        return Gauge(f"funnelstream_worker_{name}", documentation, labels, registry=self.registry)

    def _histogram(self, name: str, documentation: str, buckets: Sequence[float]) -> Histogram:
        return Histogram(f"funnelstream_worker_{name}", documentation, buckets=buckets, registry=self.registry)
