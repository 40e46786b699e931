"""Corrections: restated numbers beside those that were reported, and the reason for every difference (section 3 of semantics)."""

from collections.abc import Iterator, Sequence
from typing import Literal

from processors.metrics.days import ALWAYS
from processors.projection.answers import About, Correction, Difference, Reconciled
from processors.projection.database import Asked, within
from processors.projection.funnels import Question, net

Kind = Literal["entries", "conversions"]
FIELDS: dict[Kind, tuple[str, ...]] = {
    "entries": ("touched_first", "touched_every", "reached_first", "inferred", "sla_missed", "sla_recovered"),
    "conversions": ("counted", "repeats", "advanced"),
}
"""The numbers of a record that are kept both ways."""
MOVED_ON = "moved_on"
"""Why a path that had ended does not stand there any more: it was reopened, or ended otherwise (rule 12)."""


def reconciled(asked: Question) -> list[Reconciled]:
    """Every number of a span of days that differs from what was reported on them."""
    return [*_of_kind(asked, "entries"), *_of_kind(asked, "conversions"), *_ended(asked)]


def corrections(asked: Question) -> Iterator[Correction]:
    """What was taken back on some days, and what was announced on them other than in order."""
    for kind, fields in FIELDS.items():
        recorded = Asked(kind, asked.of, recorded=asked.days)
        columns = ", ".join(f"SUM({field}), SUM({field}_retracted)" for field in fields)
        for name, reason, *sums in asked.database.sums(recorded, columns, "name, reason"):
            for field, announced, retracted in zip(fields, sums[::2], sums[1::2], strict=True):
                if retracted or (announced and reason != "live"):
                    yield Correction(kind, name, field, reason, announced, retracted)


def _of_kind(asked: Question, kind: Kind) -> Iterator[Reconciled]:
    fields = FIELDS[kind]
    restated, reported = (
        _sums(asked, Asked(kind, asked.of, asked.days), fields),
        _sums(asked, Asked(kind, asked.of, recorded=asked.days), fields),
    )
    found = _differences(asked, kind, fields)
    for (name, field), differences in found.items():
        yield Reconciled(kind, name, field, reported.get((name, field), 0), restated.get((name, field), 0), differences)


def _sums(asked: Question, records: Asked, fields: Sequence[str]) -> dict[tuple[str, str], int]:
    rows = asked.database.sums(records, net(*fields), "name")
    return {(name, field): amount for name, *amounts in rows for field, amount in zip(fields, amounts, strict=True)}


def _differences(asked: Question, kind: Kind, fields: Sequence[str]) -> dict[tuple[str, str], list[Difference]]:
    """What is about these days and was recorded on others counts for restated numbers only, and the reverse."""
    about, about_days = within("day", asked.days)
    recorded, recorded_days = within("recorded", asked.days)
    if not about:
        return {}
    sides: tuple[tuple[About, str, Sequence[int], int], ...] = (
        ("these days", f"{about} AND NOT ({recorded})", (*about_days, *recorded_days), 1),
        ("other days", f"{recorded} AND NOT ({about})", (*recorded_days, *about_days), -1),
    )
    found: dict[tuple[str, str], list[Difference]] = {}
    for side, condition, parameters, sign in sides:
        records = Asked(kind, asked.of, where=condition, parameters=tuple(parameters))
        for name, reason, *amounts in asked.database.sums(records, net(*fields), "name, reason"):
            for field, amount in zip(fields, amounts, strict=True):
                if amount:
                    found.setdefault((name, field), []).append(Difference(reason, side, sign * amount))
    return found


def _ended(asked: Question) -> Iterator[Reconciled]:
    """How paths ended: what was reported of an outcome is who entered it, what is known now is who stands there."""
    if asked.days == ALWAYS:
        return
    every = ("touched_every",)
    restated, reported = (
        _sums(asked, Asked("entries", asked.of, asked.days), every),
        _sums(asked, Asked("entries", asked.of, recorded=asked.days), every),
    )
    standing = dict(asked.database.sums(Asked("standing", asked.of, asked.days), "SUM(standing)", "name"))
    differences = _differences(asked, "entries", every)
    for place in asked.outline.places:
        key = place.name, "touched_every"
        now, entered = standing.get(place.name, 0), restated.get(key, 0)
        found = differences.get(key, [])
        if now != entered:
            found = [*found, Difference(MOVED_ON, "these days", now - entered)]
        if place.kind == "outcome" and found:
            yield Reconciled("ended", place.name, "standing", reported.get(key, 0), now, found)
