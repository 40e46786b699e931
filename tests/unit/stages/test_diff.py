"""What is announced, amended and retracted between what was published and what the timeline is (design, invariant 3)."""

import pytest

from processors.stages.diff import Identity, Publication, announce, diff, identity_of, publication_id
from processors.stages.timeline import Match, Move, MoveKind, Point

FUNNEL = "prospecting"


def match(fact: str, at: int = 0, *, counted: bool = True, name: str = "demo") -> Match:
    return Match(name=name, fact=fact.encode(), effective_at=at, version=1, counted=counted, advanced=False, read={})


def move(
    kind: MoveKind,
    target: str | None,
    fact: str = "f",
    *,
    at: int = 0,
    flags: tuple[str, ...] = (),
    version: int = 1,
    deal: str = "",
) -> Move:
    return Move(
        kind=kind,
        source=None,
        target=Point("stage", target, at, 1) if target else None,
        effective_at=at,
        rule="stages.x",
        read={},
        cause=fact.encode(),
        instant=at,
        version=version,
        flags=flags,
        deal=deal,
    )


def known(*contents: tuple[Match | Move, int, bool]) -> dict[Identity, Publication]:
    """Publications by identity: content, revision, whether it stands."""
    found = {}
    for content, revision, live in contents:
        change = announce(content, FUNNEL)
        change.publication.revision, change.publication.live = revision, live
        found[change.identity] = change.publication
    return found


def changes(published: dict[Identity, Publication], *now: Match | Move) -> list[tuple[str, int, bool, str]]:
    found = diff(published, now, FUNNEL)
    return [(c.operation, c.publication.revision, c.publication.live, c.identity.cause.decode()) for c in found]


@pytest.mark.parametrize(
    ("case", "published", "now", "expected"),
    [
        ("new", [], [match("f")], [("announce", 1, True, "f")]),
        ("the same", [(match("f"), 1, True)], [match("f")], []),
        ("other content", [(match("f"), 1, True)], [match("f", counted=False)], [("amend", 2, True, "f")]),
        ("other time", [(match("f"), 4, True)], [match("f", 9)], [("amend", 5, True, "f")]),
        ("gone", [(match("f"), 1, True)], [], [("retract", 2, False, "f")]),
        ("gone before", [(match("f"), 2, False)], [], []),
        ("back again", [(match("f"), 2, False)], [match("f")], [("announce", 3, True, "f")]),
        ("back and other", [(match("f"), 2, False)], [match("f", 9)], [("announce", 3, True, "f")]),
        (
            "retractions first, by time; then the timeline's order",
            [(match("late", 9), 1, True), (match("early", 2), 1, True), (match("kept", 5), 1, True)],
            [match("kept", 4), match("new", 1)],
            [
                ("retract", 2, False, "early"),
                ("retract", 2, False, "late"),
                ("amend", 2, True, "kept"),
                ("announce", 1, True, "new"),
            ],
        ),
    ],
)
def test_diff(case: str, published: list, now: list, expected: list) -> None:
    assert changes(known(*published), *now) == expected, case


def test_a_retraction_carries_what_was_published() -> None:
    """Consumers see what is taken back."""
    (change,) = diff(known((match("f", 7, counted=False), 3, True)), (), FUNNEL)
    assert change.publication.content == match("f", 7, counted=False)


def test_an_identity_is_what_it_is_and_its_cause() -> None:
    """R8: funnel, version, kind, target and causing fact; time, entry, skipped and the other facts may differ."""
    kinds: list[Match | Move] = [
        match("f"),
        match("f", name="trial"),
        match("g"),
        move("advance", "demo"),
        move("advance", "sql"),
        move("regress", "sql"),
        move("regress", None),
        move("withdraw", None),
        move("advance", "sql", "g"),
        move("notice", "sql", flags=("criteria_lapsed",)),
        move("notice", "sql", flags=("sla_missed",)),
        move("advance", "sql", deal="deal:1"),
    ]
    identities = {identity_of(content, FUNNEL) for content in kinds}
    assert len(identities) == len(kinds)
    assert identity_of(move("advance", "sql"), FUNNEL) == identity_of(move("advance", "sql", at=9, flags=("x",)), FUNNEL)
    funnels = ((FUNNEL, 1), (FUNNEL, 2), ("other", 1))
    others = {identity_of(move("advance", "sql", version=version), funnel) for funnel, version in funnels}
    assert len({publication_id(identity, grain) for identity in others for grain in ("lead", "visitor")}) == 6


def test_ids_are_what_they_were_in_every_release() -> None:
    """A changed formula would announce everything again, under other ids."""
    identity = Identity("prospecting", 1, "advance:sql", bytes(range(16)))
    assert publication_id(identity, "lead") == "aca502de62ae68ea68283bd1487d8fcc"
    deal = Identity("prospecting", 1, "advance:sql", bytes(range(16)), "hubspot.deal:7")
    assert publication_id(deal, "lead") == publication_id(deal, "deal") == "5b23379ee874bd1598c8eac4893c77c3"
