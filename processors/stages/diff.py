"""From what was published and what the timeline is now to what must be published (invariant 3).

A publication is identified by what caused it, never by the lead's id or by arrival: the same history gives the same
identities, so a second delivery, a replay or a merge announces nothing twice.
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import Literal

import msgspec

from processors.stages.timeline import OWN, Match, Move

_encode = msgspec.msgpack.Encoder(order="deterministic").encode

Operation = Literal["announce", "amend", "retract"]


class Identity(msgspec.Struct, frozen=True, order=True, gc=False):
    """What makes a publication the same one: funnel, version, what it is, and the fact that caused it.

    `what` is `advance:sql` (kind and target) for a transition, with the instant behind it where a timer moved, since a fact that
    entered a stage may have armed the timer that enters it again. It is `=demo_request` for a conversion; `deal` names the deal
    whose position it is, and is empty for the subject's own.
    """

    funnel: str
    version: int
    what: str
    cause: bytes
    deal: str = OWN


class Publication(msgspec.Struct, array_like=True, gc=False, kw_only=True):
    """What is known of one published transition or conversion: the token that stands in the row of its causing fact.

    Attributes:
        funnel: Of the funnel.
        version: Of the funnel's definition.
        what: See `Identity`.
        revision: Of the last published operation, from 1.
        live: False once retracted; the token stays, so that a later announcement goes on counting revisions.
        move: The transition's content, or
        match: the conversion's.
    """

    funnel: str
    version: int
    what: str
    revision: int
    live: bool
    move: Move | None = None
    match: Match | None = None

    @property
    def deal(self) -> str:
        """The deal whose position it is; empty for the subject's own."""
        return self.move.deal if self.move is not None else OWN

    @property
    def content(self) -> Move | Match:
        """The published content, whichever it is."""
        content = self.move or self.match
        assert content is not None
        return content


class Change(msgspec.Struct, frozen=True, gc=False):
    """One operation to publish.

    Attributes:
        operation: Which.
        identity: Of what is published.
        content: That is announced, amended to, or taken back.
        publication: What is known of it after the operation.
        amended: What stood before an amendment.
    """

    operation: Operation
    identity: Identity
    content: Move | Match
    publication: Publication
    amended: Move | Match | None = None


def identity_of(content: Move | Match, funnel: str) -> Identity:
    """The identity of a move or match of this funnel."""
    if isinstance(content, Match):
        return Identity(funnel, content.version, f"={content.name}", content.fact)
    target = content.target.name if content.target is not None else ""
    notice = f"{content.flags[0]}:" if content.kind == "notice" else ""
    timer = f"@{content.instant}" if content.timer else ""
    return Identity(funnel, content.version, f"{content.kind}:{notice}{target}{timer}", content.cause, content.deal)


def identity_in(publication: Publication, cause: bytes) -> Identity:
    """The identity of a publication that stands in the row of the fact that caused it."""
    return Identity(publication.funnel, publication.version, publication.what, cause, publication.deal)


def publication_id(identity: Identity, grain: str) -> str:
    """The deterministic transition or conversion id: 32 hexadecimal digits.

    Args:
        identity: Of the publication.
        grain: Of the funnel's subject; a deal's own position has grain deal whatever the subject is.
    """
    grain = "deal" if identity.deal else grain
    text = f"{identity.funnel}\0{identity.version}\0{grain}\0{identity.deal}\0{identity.what}\0"
    return blake2b(text.encode() + identity.cause, digest_size=16).hexdigest()


def announce(content: Move | Match, funnel: str, known: Publication | None = None) -> Change:
    """The change that announces (or, where `known` is live, amends) a publication."""
    identity = identity_of(content, funnel)
    move, match = (content, None) if isinstance(content, Move) else (None, content)
    publication = Publication(
        funnel=funnel,
        version=content.version,
        what=identity.what,
        revision=known.revision + 1 if known is not None else 1,
        live=True,
        move=move,
        match=match,
    )
    if known is None or not known.live:
        return Change("announce", identity, content, publication)
    return Change("amend", identity, content, publication, known.content)


def diff(published: Mapping[Identity, Publication], now: Iterable[Move | Match], funnel: str) -> list[Change]:
    """What turns the published state into the present timeline.

    Args:
        published: Everything published of the funnel in the compared stretch of history, retracted ones included.
        now: The contents that should stand, in timeline order.
        funnel: Their funnel.

    Returns:
        Retractions first, in the order of their effective times, then announcements and amendments in timeline order.
    """
    changes: list[Change] = []
    standing: set[Identity] = set()
    for content in now:
        identity = identity_of(content, funnel)
        standing.add(identity)
        known = published.get(identity)
        if known is None or not known.live or _written(known.content) != _written(content):
            changes.append(announce(content, funnel, known))
    gone = [(identity, known) for identity, known in published.items() if known.live and identity not in standing]
    gone.sort(key=lambda pair: (pair[1].content.effective_at, pair[0]))
    return [_retract(identity, known) for identity, known in gone] + changes


def _written(content: Move | Match) -> bytes:
    """A content as bytes: true, 1 and 1.0 are equal in Python and not in what consumers read."""
    return _encode(content)


def _retract(identity: Identity, known: Publication) -> Change:
    after = msgspec.structs.replace(known, revision=known.revision + 1, live=False)
    return Change("retract", identity, known.content, after)
