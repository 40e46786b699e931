"""Metric records as they are read: one flat shape for all kinds, since most of what is asked adds them up alike."""

from datetime import date

import msgspec


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a record of `schemas.metrics`; fields of other kinds stay 0. What a later version adds is passed over."""

    kind: str
    funnel: str
    grain: str
    name: str
    segment: str | None
    segment_value: str | None
    day: date
    partition: int
    place: str | None = None
    recorded: date | None = None
    reason: str | None = None
    touched_every: int = 0
    touched_every_retracted: int = 0
    touched_first: int = 0
    touched_first_retracted: int = 0
    reached_first: int = 0
    reached_first_retracted: int = 0
    inferred: int = 0
    inferred_retracted: int = 0
    sla_missed: int = 0
    sla_missed_retracted: int = 0
    sla_recovered: int = 0
    sla_recovered_retracted: int = 0
    counted: int = 0
    counted_retracted: int = 0
    repeats: int = 0
    repeats_retracted: int = 0
    advanced: int = 0
    advanced_retracted: int = 0
    standing: int = 0
    entered_us: int = 0
    furthest: int = 0
    ended: int = 0
    started: int = 0
    converted: int = 0
    timed: int = 0
    total_us: int = 0
    amounts: dict[str, str] | None = None
    amounts_retracted: dict[str, str] | None = None
    amounts_started: dict[str, str] | None = None
    amounts_converted: dict[str, str] | None = None
    of: str | None = None
    buckets: dict[int, int] | None = None


decode_metric = msgspec.json.Decoder(Metric).decode
"""A record's value as a `Metric`.

Raises:
    msgspec.ValidationError: It is none.
"""
