"""What an event is recognised as, whether it counts, and whether it moves anybody (semantics, rules 1 to 3)."""

import pytest

from schemas.facts import Fact
from tests.unit.stages.notation import conversions, live, path
from tests.worlds import fact

FUNNEL = """
conversions:
  - {name: demo, description: Demo., when: {event: Demo}}
  - {name: trial, description: Trial., when: {event: Signup, event.properties.plan: trial}, count: once_per_lead, exclusive: up}
  - {name: paid, description: Paid., when: {event: Signup, event.properties.seats: {above: 9}}, exclusive: up}
  - {name: signup, description: Any sign up., when: {event: [Signup, Joined]}, exclusive: up}
  - {name: asked, description: Asked while open., when: {event: Demo, if: {lead.status: open}}}
  - {name: again, description: Demo after a sign up., when: {event: Demo, if: {happened: signup}}}
stages:
  - {name: mql, when: {conversion: [demo, trial]}}
  - {name: sql, when: {event: Talk}}
policies: {skip: allow}
"""


@pytest.mark.parametrize(
    ("rule", "facts", "matches"),
    [
        ("1 an event is nothing", [fact(0, "Talk")], []),
        ("1 a conversion without a stage", [fact(0, "Joined")], ["0 signup counted"]),
        ("1 one that moves a stage", [fact(0, "Demo")], ["0 demo counted advanced"]),
        ("1 at the stage already", [fact(0, "Demo"), fact(1, "Demo")], ["0 demo counted advanced", "1 demo counted"]),
        ("1 beyond the stage", [fact(0, "Talk"), fact(1, "Demo")], ["1 demo counted"]),
        ("2 all that match fire", [fact(0, status="open"), fact(1, "Demo")], ["1 demo counted advanced", "1 asked counted"]),
        ("2 exclusive: the first in file order", [fact(0, "Signup", plan="trial", seats=20)], ["0 trial counted advanced"]),
        ("2 exclusive: the next", [fact(0, "Signup", plan="free", seats=20)], ["0 paid counted"]),
        ("2 exclusive: the last", [fact(0, "Signup")], ["0 signup counted"]),
        (
            "3 every, and once_per_lead, whose repeats are kept and keep their place in the group",
            [fact(0, "Signup", plan="trial"), fact(1, "Signup", plan="trial", seats=20), fact(2, "Joined"), fact(3, "Joined")],
            ["0 trial counted advanced", "1 trial repeat", "2 signup counted", "3 signup counted"],
        ),
        (
            "happened: matched before",
            [fact(0, "Joined"), fact(1, "Demo")],
            ["0 signup counted", "1 demo counted advanced", "1 again counted"],
        ),
        ("happened: not matched later", [fact(0, "Demo"), fact(1, "Joined")], ["0 demo counted advanced", "1 signup counted"]),
    ],
)
def test_rules_1_2_and_3_what_an_event_is(rule: str, facts: list[Fact], matches: list[str]) -> None:
    assert conversions(FUNNEL, *facts) == matches, rule


def test_a_repeat_still_moves_a_stage() -> None:
    """Counting decides what is counted, not what happened: the sign up that does not count again is a signal all the same."""
    funnel = """
conversions: [{name: trial, description: Trial., when: {event: Signup}, count: once_per_lead}]
stages: [{name: new, when: {event: Recycle}, resets: true}, {name: tried, when: {conversion: trial}}]
"""
    facts = [fact(0, "Recycle"), fact(1, "Signup"), fact(2, "Recycle"), fact(3, "Signup")]
    assert conversions(funnel, *facts) == ["1 trial counted advanced", "3 trial repeat advanced"]
    assert path(funnel, *facts)[-1] == "3 advance new>tried#2"


def test_a_condition_is_judged_on_the_state_of_the_whole_instant() -> None:
    """Evaluation: all facts of an instant are applied before conversions are matched, whatever their order."""
    for order in (0, 1):
        asked = [fact(1, "Demo", order=order), fact(1, status="open", order=1 - order)]
        assert "1 asked counted" in conversions(FUNNEL, *asked)


def test_of_two_at_one_instant_the_lower_ordered_counts() -> None:
    """Rules 3 and 18: counting goes by source order, then id."""
    twice = [fact(1, "Signup", id=f"s{order}", order=order, plan="trial") for order in (1, 0)]
    first, second = live(FUNNEL, *twice).matches
    assert (first.counted, second.counted) == (True, False)
    assert path(FUNNEL, *twice) == ["1 advance ->mql#1"]


def test_evidence_of_a_conversion_is_what_it_read() -> None:
    """Design, section 9: the event and the values of the paths that the definition reads, and no others."""
    (match,) = live(FUNNEL, fact(0, "Signup", plan="trial", seats=3, colour="red")).matches
    assert match.read == {"event": "Signup", "event.properties.plan": "trial"}
