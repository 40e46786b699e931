"""Where a subject stands and how it got there: forward, skipped, backward, repeated (semantics, rules 4 to 8, 11, 12, 22)."""

import pytest

from processors.stages.state import Spells
from schemas.facts import Fact
from schemas.instants import HOUR
from tests.unit.stages.notation import STEPS, live, path, steps
from tests.worlds import START, fact

OPTIONAL = STEPS.replace("{name: b,", "{name: b, optional: true,")
SKIPS_ALLOWED = STEPS + "policies: {skip: allow}"
FLAGGED = STEPS + "policies: {backward: flag}"
IGNORED = STEPS + "policies: {backward: ignore}"


@pytest.mark.parametrize(
    ("rule", "funnel", "said", "moves"),
    [
        ("4 forward", STEPS, "a b", "0 advance ->a#1; 1 advance a>b#1"),
        ("4 the same stage again is no transition", STEPS, "a a a", "0 advance ->a#1"),
        ("5 one transition lists what it skips", STEPS, "a d", "0 advance ->a#1; 1 advance a>d#1 skipped b,c !skip"),
        ("5 from nowhere too", STEPS, "c", "0 advance ->c#1 skipped a,b !skip"),
        ("5 skip: allow lists, does not flag", SKIPS_ALLOWED, "a c", "0 advance ->a#1; 1 advance a>c#1 skipped b"),
        ("5 passing an optional stage is no skip", OPTIONAL, "a c", "0 advance ->a#1; 1 advance a>c#1"),
        ("5 beside an optional one the others are", OPTIONAL, "a d", "0 advance ->a#1; 1 advance a>d#1 skipped c !skip"),
        ("5 an optional stage is entered like any", OPTIONAL, "a b", "0 advance ->a#1; 1 advance a>b#1"),
        ("5 won infers what it passed, unflagged", STEPS, "a won", "0 advance ->a#1; 1 outcome a>won#1 skipped b,c,d"),
        ("5 won infers no optional stage", OPTIONAL, "a won", "0 advance ->a#1; 1 outcome a>won#1 skipped c,d"),
        ("5 lost infers nothing", STEPS, "a lost", "0 advance ->a#1; 1 outcome a>lost#1"),
        ("6 backward", STEPS, "a b a", "0 advance ->a#1; 1 advance a>b#1; 2 regress b>a#2"),
        ("6 backward out of the path", STEPS, "a gone", "0 advance ->a#1; 1 regress a>-"),
        ("7 backward: flag accepts and flags", FLAGGED, "a b a", "0 advance ->a#1; 1 advance a>b#1; 2 regress b>a#2 !backward"),
        ("6 backward: ignore stays, and goes on", IGNORED, "a b a c", "0 advance ->a#1; 1 advance a>b#1; 3 advance b>c#1"),
        ("6 backward: ignore, out of the path", IGNORED, "a gone", "0 advance ->a#1"),
        (
            "8 every entry has its number",
            STEPS,
            "a b a b",
            "0 advance ->a#1; 1 advance a>b#1; 2 regress b>a#2; 3 advance a>b#2",
        ),
        (
            "12 won, reopened, lost (scenario s)",
            STEPS,
            "a won a lost",
            "0 advance ->a#1; 1 outcome a>won#1 skipped b,c,d; 2 reopen won>a#2; 3 outcome a>lost#1",
        ),
        ("12 reopened to nowhere", STEPS, "a lost gone", "0 advance ->a#1; 1 outcome a>lost#1; 2 reopen lost>-"),
        (
            "12 lost twice has two entries",
            STEPS,
            "a lost a lost",
            "0 advance ->a#1; 1 outcome a>lost#1; 2 reopen lost>a#2; 3 outcome a>lost#2",
        ),
    ],
)
def test_rules_4_5_6_7_8_and_12_where_a_lead_goes(rule: str, funnel: str, said: str, moves: str) -> None:
    assert path(funnel, *steps(said)) == moves.split("; "), rule


def test_rule_6_and_11_furthest_stays_and_no_outcome_is_further_along() -> None:
    """The furthest stage is kept through a way back and an outcome."""
    assert live(STEPS, *steps("a lost")).state.walk.furthest == 0
    state = live(STEPS, *steps("a c a won b lost")).state.walk
    assert (state.furthest, state.position and state.position.name) == (2, "lost")
    assert state.spells["a"] == Spells(2, START, START + 2 * HOUR, closed=2, latest=HOUR, total=2 * HOUR)


def test_rule_22_two_states_true_together_are_two_entries_at_one_time() -> None:
    """Both entries, in the order of the funnel, nothing skipped (scenario m)."""
    funnel = "stages: [{name: sal, while: {lead.step: {exists: true}}}, {name: sql, while: {lead.step: sales}}]"
    assert path(funnel, fact(1, step="sales")) == ["1 advance ->sal#1", "1 advance sal>sql#1"]


DATED = """
stages:
  - {name: a, while: {lead.step: {exists: true}}, at: lead.begun_at}
  - {name: b, while: {lead.step: b}, at: lead.begun_at}
detours: [{name: parked, while: {lead.step: parked}, at: lead.begun_at}]
outcomes: [{name: won, result: won, while: {lead.step: won}, at: lead.closed_at}]
"""


def _at(hours: float) -> int:
    return START + round(hours * HOUR)


@pytest.mark.parametrize(
    ("rule", "facts", "moves"),
    [
        ("the field's time", [fact(5, step="a", begun_at=_at(2))], "2 advance ->a#1"),
        ("no later than the fact", [fact(5, step="a", begun_at=_at(9))], "5 advance ->a#1"),
        ("missing: the fact's", [fact(5, step="a", begun_at=None)], "5 advance ->a#1"),
        ("said earlier", [fact(1, begun_at=_at(0)), fact(5, step="a")], "0 advance ->a#1"),
        (
            "no earlier than the previous entry",
            [fact(5, step="a", begun_at=_at(3)), fact(6, step="b", begun_at=_at(1))],
            "3 advance ->a#1; 3 advance a>b#1",
        ),
        ("of two stages at once", [fact(5, step="b", begun_at=_at(3))], "3 advance ->a#1; 3 advance a>b#1"),
        ("of a detour", [fact(5, step="a"), fact(9, step="parked", begun_at=_at(7))], "5 advance ->a#1; 7 detour a>parked#1"),
        (
            "of an outcome",
            [fact(5, step="a"), fact(9, step="won", closed_at=_at(7))],
            "5 advance ->a#1; 7 outcome a>won#1 skipped b",
        ),
    ],
)
def test_rule_22_at_gives_the_entry_time_clamped(rule: str, facts: list[Fact], moves: str) -> None:
    """`at` is clamped to [previous entry, the fact's time]."""
    assert path(DATED, *facts) == moves.split("; "), rule


LATCHED = """
conversions: [{name: demo, description: Demo., when: {event: Demo}}]
stages:
  - {name: recycled, when: {event: Recycle}, resets: true}
  - {name: known, when: [{event: Signup}, {conversion: demo}]}
  - {name: asked, while: {happened: demo, lead.fit: "yes"}}
policies: {skip: allow}
"""


def test_when_latches_and_while_lapses() -> None:
    """Definitions, One idea: what happened stays true, what is true now may end."""
    assert path(LATCHED, fact(0, "Demo"), fact(1, fit="yes"), fact(2, fit="no"), fact(3, "Demo")) == [
        "0 advance ->known#1 skipped recycled",
        "1 advance known>asked#1",
        "2 regress asked>known#2",
    ]


def test_happened_is_true_from_the_match_on() -> None:
    """Operators: `happened` is a state, so it holds whichever of its two facts comes first."""
    assert path(LATCHED, fact(0, fit="yes"), fact(1, "Signup"), fact(2, "Demo"))[-1] == "2 advance known>asked#1"


def test_resets_drops_the_latches_of_later_stages_only() -> None:
    """Stage `resets`: recycled; what is still true or fires at the same instant holds."""
    signed = [fact(0, "Recycle"), fact(1, "Signup")]
    assert path(LATCHED, *signed, fact(2, "Recycle"))[-1] == "2 regress known>recycled#2"
    assert path(LATCHED, *signed, fact(2, "Recycle"), fact(2, "Signup")) == path(LATCHED, *signed)
    asked = [fact(0, "Demo"), fact(0, fit="yes"), fact(2, "Recycle")]
    assert path(LATCHED, *asked) == ["0 advance ->known#1 skipped recycled", "0 advance known>asked#1"]


def test_recycled_latches_count_from_their_new_first_time() -> None:
    """A latch is (first, last); a reset forgets the first, of later stages only."""
    signed = [fact(0, "Signup"), fact(1, "Signup")]
    lived = live(LATCHED, *signed, fact(1, "Recycle"), fact(2, "Recycle"), fact(3, "Signup"), fact(4, "Signup"))
    assert lived.state.own.latches == {"recycled": (_at(1), _at(2)), "known": (_at(3), _at(4))}
