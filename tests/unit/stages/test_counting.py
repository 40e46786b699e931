"""How matches of a conversion are counted; what is not counted is a repeat, and never dropped (semantics, rule 3)."""

import pytest

from schemas.facts import Fact
from schemas.instants import DAY
from tests.given_expect import assert_any_order
from tests.unit.stages.notation import conversions, path, world
from tests.worlds import START, fact

FUNNEL = """
conversions:
  - {name: asked, description: Asked., when: {event: Ask}, count: %s}
stages: [{name: a, when: {conversion: asked}}, {name: b, while: {deal.stage: {exists: true}}}]
"""
EVERY, ONCE, WINDOW, DEAL, SESSION = (
    FUNNEL % way for way in ("every", "once_per_lead", "{once_per_window: 2h}", "once_per_deal", "once_per_session")
)


def ask(at: float, *, deal: str = "", session: str | None = None) -> Fact:
    said = fact(at, "Ask", deal=deal, id=f"{at}{deal}{session}")
    if session is not None:
        said.values["event.session_id"] = session
    return said


def counts(funnel: str, *facts: Fact) -> str:
    """`1 counted; 2 repeat`; of every order of arrival."""
    assert_any_order(world(funnel), facts, START + DAY, 5)
    return "; ".join(said.replace(" asked", "").replace(" advanced", "") for said in conversions(funnel, *facts))


@pytest.mark.parametrize(
    ("rule", "funnel", "facts", "counted"),
    [
        ("every", EVERY, [ask(0), ask(1)], "0 counted; 1 counted"),
        ("once_per_lead", ONCE, [ask(0), ask(1), ask(99)], "0 counted; 1 repeat; 99 repeat"),
        ("window, half-open", WINDOW, [ask(0), ask(1.99), ask(2)], "0 counted; 1.99 repeat; 2 counted"),
        (
            "window, from the last that counted and not from a repeat",
            WINDOW,
            [ask(0), ask(1.5), ask(2.5), ask(4)],
            "0 counted; 1.5 repeat; 2.5 counted; 4 repeat",
        ),
        (
            "per deal",
            DEAL,
            [ask(0, deal="A"), ask(1, deal="B"), ask(2, deal="A"), ask(3), ask(4)],
            "0 counted; 1 counted; 2 repeat; 3 counted; 4 repeat",
        ),
        (
            "per session",
            SESSION,
            [ask(0, session="s"), ask(1, session="t"), ask(2, session="s")],
            "0 counted; 1 counted; 2 repeat",
        ),
        ("per session, without one there is nothing to repeat in", SESSION, [ask(0), ask(1)], "0 counted; 1 counted"),
        ("per session, an empty one is none", SESSION, [ask(0, session=""), ask(1, session="")], "0 counted; 1 counted"),
    ],
)
def test_rule_3_what_counts(rule: str, funnel: str, facts: list[Fact], counted: str) -> None:
    assert counts(funnel, *facts) == counted, rule


def test_rule_3_an_event_belongs_to_the_only_deal_there_is() -> None:
    """An event that names no deal, where the lead has one."""
    deal = fact(0, deal="A", stage="open")
    assert counts(DEAL, deal, ask(1), ask(2, deal="A")) == "1 counted; 2 repeat"


def test_rules_3_and_19_a_late_match_takes_over_the_count() -> None:
    """Which one counts follows from the order of events, so the earlier counts and the later becomes a repeat."""
    early = fact(0, "Ask", id="early", late_by=5)
    assert counts(ONCE, ask(1), early) == "0 counted; 1 repeat"
    assert counts(WINDOW, ask(1), early, ask(2.5)) == "0 counted; 1 repeat; 2.5 counted"


def test_rule_1_a_repeat_latches_all_the_same() -> None:
    assert path(WINDOW, ask(0), ask(1)) == ["0 advance ->a#1"]
