"""The journal: what happened, and where each subject stands, from the published transitions and snapshots; on disk.

Idempotent: an operation has its id, which names its cause, its subject and its revision, a snapshot its key, so reading a topic
again changes nothing. Subjects are found
by a handle that the owner of the journal makes of their identifiers, so that a page can name somebody without saying who it is.
"""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec

from schemas.instants import instant_of

_SCHEMA = """
CREATE TABLE happened (
    arrival INTEGER PRIMARY KEY, id TEXT NOT NULL, revision INTEGER NOT NULL, op TEXT NOT NULL, funnel TEXT NOT NULL,
    subject BLOB NOT NULL, effective INTEGER NOT NULL, recorded INTEGER NOT NULL, body BLOB NOT NULL,
    UNIQUE (id, subject, revision));
CREATE INDEX of_subject ON happened (subject);
CREATE INDEX newest ON happened (recorded);
CREATE TABLE stands (key BLOB PRIMARY KEY, subject BLOB NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
CREATE INDEX of_standing ON stands (subject);
CREATE TABLE tally (
    funnel TEXT, grain TEXT, origin TEXT, target TEXT, kind TEXT, op TEXT, count INTEGER NOT NULL,
    PRIMARY KEY (funnel, grain, origin, target, kind, op)) WITHOUT ROWID;
CREATE TABLE violation (
    funnel TEXT, grain TEXT, policy TEXT, announced INTEGER NOT NULL, retracted INTEGER NOT NULL,
    PRIMARY KEY (funnel, grain, policy)) WITHOUT ROWID;
"""
_VIOLATION = "policy_violation:"


class _Place(msgspec.Struct):
    stage: str | None = None
    outcome: str | None = None
    detour: str | None = None

    @property
    def name(self) -> str:
        return self.stage or self.outcome or self.detour or ""


class _Subject(msgspec.Struct):
    kind: str
    id: str


class Transition(msgspec.Struct):
    """What the journal reads of a transition, and the record itself."""

    transition_id: str
    revision: int
    op: str
    kind: str
    funnel: str
    subject: _Subject
    deal: str | None
    effective_at: datetime
    recorded_at: datetime
    from_: _Place | None = msgspec.field(name="from")
    to: _Place | None
    flags: list[str] = []

    @property
    def violated(self) -> set[str]:
        """The policies that it violates, without the prefix of their flags."""
        return {flag.removeprefix(_VIOLATION) for flag in self.flags if flag.startswith(_VIOLATION)}


class Lead(msgspec.Struct):
    """What the journal reads of a snapshot."""

    subject: _Subject
    funnel: str


decode_transition = msgspec.json.Decoder(Transition).decode
decode_lead = msgspec.json.Decoder(Lead).decode
"""A body as far as the journal reads it; `msgspec.ValidationError` where it is none."""


class Happening(NamedTuple):
    """A published operation; `arrival` numbers them as they were read, `body` is the record."""

    arrival: int
    body: bytes


class Tallied(NamedTuple):
    """How many operations of one kind between two places were published; '' is no place."""

    funnel: str
    grain: str
    origin: str
    target: str
    kind: str
    op: str
    times: int


class Violated(NamedTuple):
    """How many moves were published as violations of a policy, and of how many of them that was taken back."""

    funnel: str
    grain: str
    policy: str
    announced: int
    retracted: int


class Journal:
    """Transitions and snapshots, by subject and by time."""

    def __init__(self, handle: Callable[[str], bytes], path: str = ":memory:") -> None:
        """Begin empty.

        Args:
            handle: What a subject is found by, made of its identifier.
            path: Of a file that does not exist yet.
        """
        self._handle = handle
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._connection.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -8000;" + _SCHEMA
        )

    def close(self) -> None:
        """Give back the file or the memory."""
        self._connection.close()

    def put_transitions(self, transitions: Iterable[tuple[Transition, bytes]]) -> None:
        """Take transitions, each with its body, in the order of their topic."""
        self._connection.execute("BEGIN")
        for transition, body in transitions:
            self._put_transition(transition, body)
        self._connection.execute("COMMIT")

    def put_leads(self, records: Iterable[tuple[bytes, Lead | None, bytes]]) -> None:
        """Take snapshots by key, each with its body, in the order of their topic; None is gone."""
        self._connection.execute("BEGIN")
        for key, lead, body in records:
            if lead is None:
                self._connection.execute("DELETE FROM stands WHERE key = ?", (key,))
            else:
                row = (key, self._handle(lead.subject.id), body)
                self._connection.execute("INSERT OR REPLACE INTO stands VALUES (?, ?, ?)", row)
        self._connection.execute("COMMIT")

    def snapshots(self, subject: bytes) -> list[bytes]:
        """Where a subject stands, in each funnel and grain."""
        found = self._connection.execute("SELECT body FROM stands WHERE subject = ? ORDER BY key LIMIT 500", (subject,))
        return [body for (body,) in found]

    def path(self, subject: bytes, limit: int) -> list[bytes]:
        """What holds of a subject's transitions as known now, by time: of each the newest revision, unless it was taken back."""
        found = self._connection.execute(
            "SELECT body FROM happened AS one WHERE subject = ? AND op != 'retract' AND revision ="
            " (SELECT MAX(revision) FROM happened AS other WHERE other.id = one.id AND other.subject = one.subject)"
            " ORDER BY effective DESC, arrival DESC LIMIT ?",
            (subject, limit),
        )
        return [body for (body,) in found][::-1]

    def recent(self, limit: int, funnel: str | None = None) -> list[Happening]:
        """The newest operations by the time they were recorded, newest first."""
        where, values = ("WHERE funnel = ?", [funnel]) if funnel is not None else ("", [])
        query = f"SELECT arrival, body FROM happened {where} ORDER BY recorded DESC, arrival DESC LIMIT ?"
        return self._happenings(query, [*values, limit])

    def after(self, arrival: int, limit: int, funnel: str | None = None) -> list[Happening]:
        """Operations that were read after another, oldest first."""
        where, values = ("AND funnel = ?", [funnel]) if funnel is not None else ("", [])
        query = f"SELECT arrival, body FROM happened WHERE arrival > ? {where} ORDER BY arrival LIMIT ?"
        return self._happenings(query, [arrival, *values, limit])

    def last_arrival(self) -> int:
        """The number of the operation that was read last; 0: none was."""
        [(last,)] = self._connection.execute("SELECT COALESCE(MAX(arrival), 0) FROM happened")
        return int(last)

    def tallies(self) -> list[Tallied]:
        """How many operations there were."""
        return [Tallied(*row) for row in self._connection.execute("SELECT * FROM tally")]

    def violations(self) -> list[Violated]:
        """How many moves violated a policy; those that none did are left out."""
        return [Violated(*row) for row in self._connection.execute("SELECT * FROM violation")]

    def _put_transition(self, read: Transition, body: bytes) -> None:
        row = (
            read.transition_id,
            read.revision,
            read.op,
            read.funnel,
            self._handle(read.subject.id),
            instant_of(read.effective_at),
            instant_of(read.recorded_at),
            body,
        )
        put = self._connection.execute("INSERT OR IGNORE INTO happened VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?)", row)
        if put.rowcount:
            grain = "deal" if read.deal is not None else read.subject.kind
            origin, target = (place.name if place is not None else "" for place in (read.from_, read.to))
            self._connection.execute(
                "INSERT INTO tally VALUES (?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1",
                (read.funnel, grain, origin, target, read.kind, read.op),
            )
            self._put_violations(read, grain)

    def _put_violations(self, read: Transition, grain: str) -> None:
        announced, retracted = self._flagged(read)
        for policy in announced | retracted:
            self._connection.execute(
                "INSERT INTO violation VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
                " announced = announced + excluded.announced, retracted = retracted + excluded.retracted",
                (read.funnel, grain, policy, int(policy in announced), int(policy in retracted)),
            )

    def _flagged(self, read: Transition) -> tuple[set[str], set[str]]:
        """The policies that an operation says are violated, and those of which it takes that back.

        An amendment is held against the revision before; where that is no longer on the topic, it counts for nothing.
        """
        if read.op == "announce":
            return read.violated, set()
        if read.op == "retract":
            return set(), read.violated
        query = "SELECT body FROM happened WHERE id = ? AND subject = ? AND revision = ?"
        one = read.transition_id, self._handle(read.subject.id), read.revision - 1
        before = self._connection.execute(query, one).fetchone()
        known = read.violated if before is None else decode_transition(before[0]).violated
        return read.violated - known, known - read.violated

    def _happenings(self, query: str, values: Sequence[object]) -> list[Happening]:
        return [Happening(*row) for row in self._connection.execute(query, values)]
