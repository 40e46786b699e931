"""The state of one subject in one funnel, from which the next instant continues: its records, its walks, what is remembered.

All are msgspec structs written as arrays: the state is part of the head row of the store. Like moves and matches they hold
nothing that depends on arrival.
"""

import msgspec

from processors.stages.timeline import OWN, Money, Place, Point
from schemas.facts import Value
from schemas.instants import FIRST


class Spells(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The stays of a subject in one place, half-open from entry to exit (rule 9); times in microseconds.

    Attributes:
        count: How often it was entered.
        first_at: First entry.
        last_at: Last entry.
        closed: How many stays have ended. A detour interrupts a stay; it ends where the subject does not come back to it.
        latest: Length of the last one that ended, without detours.
        total: Length of all that ended.
        carried: Of a stay that a detour interrupts, how long it lasted before.
    """

    count: int
    first_at: int
    last_at: int
    closed: int = 0
    latest: int = 0
    total: int = 0
    carried: int = 0


class Entry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A first entry into a place: when (microseconds), the segment values then, and whether its time is known."""

    at: int
    segments: dict[str, str]
    known: bool = True


class First(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How a subject first came to a place: what rates are counted from (rules 8, 24).

    Attributes:
        touched: When it was entered.
        passed: When it was passed, if that came first: reached, but not touched (rule 5).
        expired_at: When it first ended by time, in microseconds: what follows is no credit of this entry.
        carried: Whether it was another stage then, which this one has replaced (rule 23): it is counted under that name.
        place: Of what kind the place is.
    """

    touched: Entry | None = None
    passed: Entry | None = None
    expired_at: int | None = None
    carried: bool = False
    place: Place = "stage"

    @property
    def reached(self) -> Entry | None:
        """The entry, or the passing that came before it."""
        return self.passed or self.touched


class Track(msgspec.Struct, array_like=True, gc=False):
    """What is known of one record, the subject's own or one of its deals', and what holds of it.

    Attributes:
        values: Property values, last writer in event time. A field under authority is also kept per source, as `field@source`.
        deleted: Whether the record is deleted (rule 16).
        latches: Rule whose `when` fired: first and last time, in microseconds.
        kept: Stages with `lapse: keep` that were true once: whether their `while` holds now.
        outcome: The outcome whose rule is true and since when.
        gap_at: When a source last told of a gap, by its record's Kafka time in microseconds: what came after counts (rule 21).
        whole_at: When the whole record last came.
        armed: Rule whose latch ends by itself, or field that a rule waits for to pass: key of the fact that set it, until the
            timer has fired.
    """

    values: dict[str, Value] = {}
    deleted: bool = False
    latches: dict[str, tuple[int, int]] = {}
    kept: dict[str, bool] = {}
    outcome: tuple[str, int] | None = None
    armed: dict[str, bytes] = {}
    gap_at: int = 0
    whole_at: int = 0

    @property
    def stale(self) -> bool:
        """Whether a source has told of a gap and sent no whole record since."""
        return self.gap_at > self.whole_at


class Deadline(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """When the stay in a stage misses its service level (rule 29): the stage, the instant, and the fact that armed it."""

    stage: str
    due: int
    cause: bytes


class Walk(msgspec.Struct, array_like=True, gc=False):
    """A position on a funnel's path, the subject's or one deal's, and where it has been.

    Attributes:
        position: Where it stands.
        moved_at: Effective time of the last move: no entry lies before it.
        left: The stage that was left for a detour.
        furthest: Index of the furthest stage ever entered; -1 for none. Outcomes do not count (rule 11).
        spells: Stays by place name.
        deadline: Of the stage it stands in, until it was missed or left.
        missed: The stage whose service level the stay has missed, by its name then; empty for none.
        entered: Segment values at the entry of the stay, which a detour only interrupts.
        segments: Segment values at the last move.
        value: Amount and currency at the last move.
        firsts: First entries by place name.
    """

    position: Point | None = None
    moved_at: int | None = None
    left: Point | None = None
    furthest: int = -1
    spells: dict[str, Spells] = {}
    deadline: Deadline | None = None
    missed: str = ""
    entered: dict[str, str] = {}
    segments: dict[str, str] = {}
    value: Money | None = None
    firsts: dict[str, First] = {}

    @property
    def moved(self) -> bool:
        """Whether it was ever anywhere, be it in places that a later version has removed (rule 23)."""
        return self.moved_at is not None


class Deal(msgspec.Struct, array_like=True, gc=False):
    """One deal of a subject; it walks where a funnel publishes deals."""

    track: Track = msgspec.field(default_factory=Track)
    walk: Walk = msgspec.field(default_factory=Walk)


class FunnelState(msgspec.Struct, array_like=True, gc=False):
    """All that the fold must remember of one subject in one funnel after a step; bounded by the definition and the deals.

    Attributes:
        stepped: Instant of the last step, of facts or of a timer, in microseconds; every timer that is armed is due later.
        version: Number of the version that the last facts were judged by; 0 before any.
        own: The subject's own record.
        walk: The subject's position.
        memory: See `rules.Memory`.
        deals: By the deal's identifier (rule 13).
        reentered: Instant of the last re-entry; outcomes that began before it are over.
        touches: Segment to its value at the first or last touch.
    """

    stepped: int = FIRST - 1
    version: int = 0
    own: Track = msgspec.field(default_factory=Track)
    walk: Walk = msgspec.field(default_factory=Walk)
    memory: dict[str, int] = {}
    deals: dict[str, Deal] = {}
    reentered: int | None = None
    touches: dict[str, str] = {}

    @property
    def tracks(self) -> "list[tuple[str, Track]]":
        """The subject's own track and those of its deals, by the deal's identifier: ties are broken by it, never by arrival."""
        own = [(OWN, self.own)]
        return [*own, *((name, self.deals[name].track) for name in sorted(self.deals))] if self.deals else own

    @property
    def walks(self) -> "list[tuple[str, Walk]]":
        """The subject's own walk and those of its deals, with the deal's identifier."""
        own = [(OWN, self.walk)]
        return [*own, *((name, self.deals[name].walk) for name in sorted(self.deals))] if self.deals else own

    @property
    def armers(self) -> set[bytes]:
        """Keys of the facts that armed a timer which has not fired."""
        found = {key for _, track in self.tracks for key in track.armed.values()}
        found.update(walk.deadline.cause for _, walk in self.walks if walk.deadline is not None)
        return found


class Glance(msgspec.Struct, array_like=True, gc=False):
    """A `FunnelState` at a glance: the same array, of which the walk is not read, and is written as it was."""

    stepped: int
    version: int
    own: Track
    walk: msgspec.Raw
    memory: dict[str, int]
    deals: dict[str, Deal]
    reentered: int | None
    touches: dict[str, str]
