"""Published records: what other systems read from our topics, as models.

`schemas.metrics` has those of the numbers. The bodies are plain JSON in CloudEvents 1.0 binary mode: `ce_*`
headers around them (`ce_id` is the id and the revision, `ce_type` the schema's name, `ce_subject` the subject's id).
Times are ISO 8601 in UTC.
"""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Scalar = str | int | float | bool | None
Operation = Literal["announce", "amend", "retract"]
Grain = Literal["visitor", "lead", "deal", "account"]
Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class Record(BaseModel):
    """Base of what is published: consumers must ignore fields that a later version adds."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Subject(Record):
    """Whom a record is about."""

    kind: Grain = Field(description="The grain that the funnel counts.")
    id: str = Field(description="namespace:value; a keyed hash stands for an e-mail address.")


class Position(Record):
    """A place in a funnel: exactly one of stage, outcome and detour."""

    stage: str | None = None
    outcome: str | None = None
    detour: str | None = None
    entered_at: datetime
    entry: int = Field(ge=1, description="The how-manieth entry into this place it is.")


class Evidence(Record):
    """A fact that a rule read: its source, its id there, and where the source record lies."""

    source: str
    id: str
    change_source: str | None
    topic: str
    partition: int
    offset: int


class Cause(Record):
    """Why something was published."""

    kind: Literal["fact", "timer", "identity", "merge", "definition", "erasure"]
    rule: str = Field(description="The rule that decided it, such as stages.sql.")
    read: dict[str, Scalar] = Field(description="What the rule read, by field.")
    facts: list[Evidence] = Field(description="The cause: the lowest-ordered fact of its instant that the rule read.")


class Value(Record):
    """An amount of money."""

    amount: str = Field(description="Decimal.")
    currency: str = Field(description="ISO 4217 code.")


class _Published(Record):
    funnel: str
    version: int
    definition: str = Field(description="sha256 of the definition that was applied.")
    subject: Subject
    deal: str | None = Field(description="The deal, in records of deal grain.")
    segments: dict[str, str]
    value: Value | None
    recorded_at: datetime = Field(description="When the fact that led to this record was logged.")


class _Corrected(_Published):
    op: Operation = Field(description="amend replaces the previous revision, retract takes the id back.")
    revision: int = Field(ge=1, description="Rises with every operation on one id.")
    effective_at: datetime = Field(description="When it became true.")
    cause: Cause
    supersedes: list[str] = Field(description="ce_id of the revision that this one takes the place of.")
    provenance: Literal["live", "late", "snapshot", "backfill"]


class Stay(Record):
    """A stay in a place, from entry to exit, without detours in between (rule 9)."""

    place: Literal["stage", "outcome", "detour"]
    name: str
    seconds: float | None = Field(description="null where the time of the entry is not known.")
    segments: dict[str, str] = Field(description="Of each segment the value at the entry.")
    sla_missed: str | None = Field(description="The stage whose sla it missed, by its name then; null for none.")


class Transition(_Corrected):
    """funnelstream.transition.v1: a subject moved, or history turned out differently."""

    transition_id: Hash
    sequence: int = Field(
        ge=1, description="Counts without gaps the transitions that this subject's id has published, over all funnels."
    )
    kind: Literal["advance", "regress", "expire", "outcome", "reopen", "detour", "return", "withdraw", "merge", "erase", "notice"]
    from_: Position | None = Field(alias="from")
    to: Position | None
    skipped: list[str] = Field(description="Stages passed without being entered.")
    flags: list[str]
    stays: list[Stay] = Field(description="Stays that this move ended: one, or two where a detour is left for good.")


class Conversion(_Corrected):
    """funnelstream.conversion.v1: an event was recognised as a conversion."""

    conversion_id: Hash
    name: str
    owner: str = Field(description="Who answers for the conversion's definition.")
    count: Literal["counted", "repeat"] = Field(description="repeat: recognised, but not counted by its counting method.")
    advanced: bool = Field(description="Whether it moved the subject.")


class Spell(Record):
    """The stays of a subject in one place; each is half-open, from entry to exit. The open one is in no length."""

    entries: int = Field(ge=1)
    first_entered_at: datetime
    last_entered_at: datetime
    closed: int = Field(ge=0, description="How many stays have ended.")
    latest_seconds: float | None = Field(description="Length of the last stay that ended; null during a first one.")
    cumulative_seconds: float = Field(description="Length of all stays that ended.")


class Lead(_Published):
    """funnelstream.lead.v1: where a subject stands now. The key is grain/id/funnel; a tombstone when it is gone."""

    position: Position | None
    outcome: str | None
    furthest: str | None = Field(description="The furthest stage ever entered; outcomes are not further along.")
    flags: list[str]
    spells: dict[str, Spell]
    sequence: int = Field(description="Sequence of the last transition that is included.")
