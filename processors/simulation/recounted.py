"""Invariant 4 as consumers see it: the published sums are what a recount of everything else that is published gives."""

from collections.abc import Iterator, Mapping

from processors.metrics.outlines import Outlines, outline_funnels
from processors.projection.ledger import TOPICS, Ledger, entry_of
from processors.projection.projection import Projection
from processors.projection.records import decode_metric
from processors.simulation.partitions import Logged
from processors.simulation.schedule import Case
from schemas.definitions import Funnel


def unlike(case: Case, logs: Mapping[str, list[Logged]]) -> Iterator[str]:
    """A sentence for each number on which sums and recount differ; `logs` are what was committed, by topic."""
    outlines = Outlines(outline_funnels([Funnel.model_validate(funnel) for funnel in case.funnels]))
    projection, ledger = Projection(outlines), Ledger()
    try:
        metrics = ((record.key or b"", record.value) for record in logs["metrics"])
        projection.put((key, None if value is None else decode_metric(value)) for key, value in metrics)
        for topic in TOPICS:
            ledger.put(entry_of(topic, (record.key or b"").decode(), record.value) for record in logs[topic])
        for found in projection.reconcile(ledger).unlike:
            yield f"{found.number} is published as {found.published}, recounted it is {found.recounted}"
    finally:
        projection.close()
        ledger.close()
