"""The ledger: what was published of every subject, net: of each id the last operation, of each subject the last snapshot.

It lies in SQLite, so that a recount takes one subject after the other and no more memory for many of them.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Literal, NamedTuple

import msgspec

from processors.projection.published import Conversion, Lead, Transition

Topic = Literal["transitions", "conversions", "leads"]
TOPICS: tuple[Topic, ...] = ("transitions", "conversions", "leads")

_DECODERS: Mapping[str, msgspec.json.Decoder[Transition] | msgspec.json.Decoder[Conversion] | msgspec.json.Decoder[Lead]] = {
    "transitions": msgspec.json.Decoder(Transition),
    "conversions": msgspec.json.Decoder(Conversion),
    "leads": msgspec.json.Decoder(Lead),
}
_SCHEMA = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
CREATE TABLE entry (id PRIMARY KEY, topic, owner, revision, body) WITHOUT ROWID;
"""
_PUT = """
INSERT INTO entry VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, revision = excluded.revision,
body = excluded.body WHERE excluded.revision >= entry.revision
"""
_NET = "SELECT owner, topic, body FROM entry WHERE body IS NOT NULL ORDER BY owner"


class Published(NamedTuple):
    """What stands of one position: a subject's in a funnel, or one of its deals'.

    Attributes:
        funnel: Its name.
        grain: Of the subject, or deal.
        transitions: In no order.
        conversions: In no order.
        lead: Where it stands; None: it is gone, or never was anywhere.
    """

    funnel: str
    grain: str
    transitions: list[Transition]
    conversions: list[Conversion]
    lead: Lead | None


class Entry(NamedTuple):
    """A record as the ledger keeps it.

    Attributes:
        id: Of what it says something; the last revision of one stands.
        topic: Where it was published.
        owner: The position it is about: grain/id/funnel, as the keys of snapshots are.
        revision: Of the id; of snapshots the last one stands.
        body: The record's value; None where nothing stands any more.
    """

    id: str
    topic: Topic
    owner: str
    revision: int
    body: bytes | None


def entry_of(topic: Topic, key: str, value: bytes | None) -> Entry:
    """A record, key and value, as an entry.

    Raises:
        msgspec.ValidationError: The value is none of that topic.
    """
    if value is None:
        return Entry(key, topic, key, 0, None)
    body = _DECODERS[topic].decode(value)
    if isinstance(body, Lead):
        return Entry(key, topic, key, 0, value)
    owner = f"{body.subject.kind}/{body.deal or body.subject.id}/{body.funnel}"
    identity = body.transition_id if isinstance(body, Transition) else body.conversion_id
    # An id says what caused it, not whom it is about: a source may send one fact of two leads.
    return Entry(f"{topic} {identity} {owner}", topic, owner, body.revision, value if body.op != "retract" else None)


class Ledger:
    """What was published, net."""

    def __init__(self, path: str = "") -> None:
        """Begin empty.

        Args:
            path: Of a file that does not exist yet; by default one of SQLite's own, which goes when it is closed.
        """
        self._connection = sqlite3.connect(path, isolation_level=None)
        self._connection.executescript(_SCHEMA)

    def close(self) -> None:
        """Give back the memory and the file."""
        self._connection.close()

    def put(self, entries: Iterable[Entry]) -> None:
        """Take entries in the order of their topics; again is as good as once."""
        self._connection.execute("BEGIN")
        self._connection.executemany(_PUT, entries)
        self._connection.execute("COMMIT")

    def net(self) -> Iterator[Published]:
        """What stands, position by position."""
        for owner, entries in groupby(self._connection.execute(_NET), key=lambda entry: entry[0]):
            found = Published(owner.rpartition("/")[2], owner.partition("/")[0], [], [], None)
            for _, topic, body in entries:
                match _DECODERS[topic].decode(body):
                    case Transition() as transition:
                        found.transitions.append(transition)
                    case Conversion() as conversion:
                        found.conversions.append(conversion)
                    case Lead() as lead:
                        found = found._replace(lead=lead)
            yield found
