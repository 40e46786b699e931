"""The acceptance scenarios a to o, r, s and t (semantics, 1.1), each with the rules it shows, over the funnels that ship.

Of each the history is what `fold` says, and what stands after any arrival order, with duplicates and the clock going on in
between, is the same. (p, q and u need merges, identities and rates.)
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from processors.stages.timeline import Move
from processors.topology.program import Program
from schemas.facts import Coordinates, Fact, Value
from schemas.instants import DAY
from tests.given_expect import ENTITY, assert_any_order, in_time, load, world_of
from tests.shared_material import ROOT
from tests.unit.stages.notation import line_of
from tests.worlds import START, History

ORDERS = 100


def _shipped(name: str, **changes: Any) -> dict[str, Any]:
    return {**load(ROOT / "funnels" / f"{name}.yml"), **changes}


PROSPECTING, DREAMDATA, LEADSQUARED = (world_of(_shipped(name)) for name in ("prospecting", "dreamdata-lead", "leadsquared"))


def _fact(at: float, kind: str, arrives: float | None, name: str, deal: str, values: dict[str, Value]) -> Fact:
    said = f"{at} {kind} {name} {deal} {sorted(values)}"
    return Fact(
        kind=kind,  # type: ignore[arg-type]  # the callers' words
        entity=ENTITY,
        occurred_at=_at(at),
        source="web",
        id=said,
        fingerprint=said.encode(),
        name=name,
        values=values,
        broker_time=_at(at if arrives is None else arrives),
        coordinates=Coordinates("web", 0, round(at * 100)),
        deal=deal and f"deal:{deal}",
    )


def _at(day: float) -> int:
    return START + round(day * DAY)


def event(at: float, name: str, arrives: float | None = None) -> Fact:
    """Something happened on that day."""
    return _fact(at, "event", arrives, name, "", {})


def mention(at: float, arrives: float | None = None) -> Fact:
    """Somebody mentioned the prospect."""
    return event(at, "Mention Recorded", arrives)


def lead(at: float, **fields: Value) -> Fact:
    """The CRM says something of the lead."""
    return _fact(at, "change", None, "", "", {f"lead.{name}": value for name, value in fields.items()})


def deal(at: float, stage: str = "", arrives: float | None = None, of: str = "A", **fields: Value) -> Fact:
    """The CRM says something of a deal."""
    said = {"stage": stage, **fields} if stage else fields
    return _fact(at, "change", arrives, "", of, {f"deal.{name}": value for name, value in said.items()})


def lived(world: Program, facts: Sequence[Fact], as_of: float, of: str = "") -> list[str]:
    """The path of the lead, or of one deal, a move a line, in days; holds every arrival order against it first."""
    assert_any_order(world, facts, _at(as_of), ORDERS)
    (lineage,) = world.funnels
    return [line(move) for move in world.timeline(lineage, facts, _at(as_of)).moves if move.deal == (of and f"deal:{of}")]


def line(move: Move) -> str:
    """`10 advance identified>mql#1`: on day 10."""
    return line_of(move, DAY)


def published(world: Program, facts: Sequence[Fact], as_of: float) -> list[str]:
    """Operations on transitions of the lead as records arrive: `retract expire`."""
    bodies = in_time(world, sorted(facts, key=lambda fact: fact.broker_time), _at(as_of)).bodies("transitions")
    return [f"{body['op']} {body['kind']}" for body in bodies if body["deal"] is None]


def test_a_a_mention_lapses_after_exactly_thirty_days() -> None:
    """Rule 10: half-open, so at thirty days it is over."""
    assert lived(PROSPECTING, [mention(0)], 29.99) == ["0 advance ->identified#1"]
    assert lived(PROSPECTING, [mention(0)], 30) == ["0 advance ->identified#1", "30 expire identified>-"]


def test_b_another_mention_slides_the_window() -> None:
    """Rules 4 and 10: one entry, and the window counts from the last mention."""
    assert lived(PROSPECTING, [mention(0), mention(20)], 60) == ["0 advance ->identified#1", "50 expire identified>-"]


def test_c_a_late_mention_takes_the_expiry_back() -> None:
    """Rules 10 and 19: what was published is superseded."""
    late = [mention(0), mention(20, arrives=35)]
    assert lived(PROSPECTING, late, 60) == ["0 advance ->identified#1", "50 expire identified>-"]
    assert published(PROSPECTING, late, 60) == ["announce advance", "announce expire", "retract expire", "announce expire"]


def test_d_selected_within_the_window() -> None:
    """Rule 10: promotion cancels the timer."""
    assert lived(PROSPECTING, [mention(0), deal(10, "lead_in")], 90) == [
        "0 advance ->identified#1",
        "10 advance identified>mql#1",
    ]


def test_e_selected_after_the_window() -> None:
    """Rules 5 and 10: a fresh path without credit for the expired stage, which is no skip either."""
    assert lived(PROSPECTING, [mention(0), deal(40, "lead_in")], 90) == [
        "0 advance ->identified#1",
        "30 expire identified>-",
        "40 advance ->mql#1",
    ]


def test_f_the_whole_way() -> None:
    """Rules 4 and 11: five entries, no skips."""
    way = [deal(0, "lead_in"), deal(1, owner="kim"), deal(2, "validated"), deal(3, "in_progress"), deal(4, "won")]
    assert lived(PROSPECTING, way, 9) == [
        "0 advance ->mql#1",
        "1 advance mql>sal#1",
        "2 advance sal>sql#1",
        "3 advance sql>sqo#1",
        "4 outcome sqo>won#1",
    ]


def test_g_unassigned_straight_to_validated() -> None:
    """Rules 5 and 7: one transition that lists SAL, accepted and flagged."""
    assert lived(PROSPECTING, [deal(0, "lead_in"), deal(2, "validated")], 9)[1:] == ["2 advance mql>sql#1 skipped sal !skip"]


def test_h_lost_from_the_backlog() -> None:
    """Rules 5 and 11: an outcome is not further along, and a loss infers nothing."""
    facts = [deal(0, "lead_in"), deal(2, "lost")]
    assert lived(PROSPECTING, facts, 9) == ["0 advance ->mql#1", "2 outcome mql>lost#1"]
    bodies = in_time(PROSPECTING, facts, _at(9)).bodies("leads")
    assert [body["furthest"] for body in bodies if body["subject"]["kind"] == "lead"][-1] == "mql"


def test_i_a_step_back_of_the_deal_within_one_stage() -> None:
    """Rule 6: the deal's own stage fell back, the funnel's did not."""
    assert lived(PROSPECTING, [deal(0, "proposal"), deal(2, "contacted")], 9) == ["0 advance ->sqo#1 skipped mql,sal,sql !skip"]


def test_j_validated_and_back_to_the_backlog() -> None:
    """Rules 6 and 8: the current stage falls, the furthest stays, and the entry is SAL's second."""
    facts = [deal(0, "lead_in", owner="kim"), deal(1, "validated"), deal(2, "lead_in")]
    assert lived(PROSPECTING, facts, 4) == [
        "0 advance ->sal#1 skipped mql !skip",
        "1 advance sal>sql#1",
        "2 regress sql>sal#2",
    ]
    snapshot = [body for body in in_time(PROSPECTING, facts, _at(4)).bodies("leads") if body["subject"]["kind"] == "lead"][-1]
    assert (snapshot["position"]["stage"], snapshot["furthest"]) == ("sal", "sql")


def test_k_in_progress_arrives_before_validated() -> None:
    """Rules 5, 18 and 19: the skip is announced, then corrected: the transition keeps its id and is amended."""
    facts = [deal(0, "lead_in"), deal(2, "in_progress"), deal(1, "validated", arrives=3)]
    assert lived(PROSPECTING, facts, 9) == [
        "0 advance ->mql#1",
        "1 advance mql>sql#1 skipped sal !skip",
        "2 advance sql>sqo#1",
    ]
    assert published(PROSPECTING, facts, 9) == ["announce advance", "announce advance", "announce advance", "amend advance"]


def test_l_the_same_input_twice() -> None:
    """Rule 20: delivered twice it publishes nothing more; the log read again gives the same bytes."""
    facts = [mention(0), mention(20), deal(25, "lead_in"), deal(26, owner="kim"), deal(40, "validated"), deal(50, "lost")]
    once = in_time(PROSPECTING, facts, _at(90))
    before = len(once.published)
    assert [record for record in once.take(facts).pass_time(_at(90)).published[before:] if record.topic != "leads"] == []
    assert in_time(PROSPECTING, facts, _at(90)).published == once.published[:before]
    twice = in_time(PROSPECTING, [fact for fact in facts for _ in range(2)], _at(90))
    assert twice.net("transitions") == once.net("transitions")


def test_m_made_straight_in_the_sales_pipeline() -> None:
    """Rule 22: both true together are both entries, in the order of the funnel, at one time."""
    made = [deal(3, created_at=_at(3)), deal(3, pipeline="sales")]
    assert lived(DREAMDATA, made, 9) == ["3 advance ->sal#1 skipped mql", "3 advance sal>sql#1"]


def test_n_a_close_date_wins_nothing() -> None:
    """Rule 11: closed and not won is lost."""
    facts = [deal(1, created_at=_at(1), pipeline="sales"), deal(5, is_closed=True, is_won=False, closed_at=_at(5))]
    assert lived(DREAMDATA, facts, 9)[2:] == ["5 outcome sql>lost#1"]


def test_o_one_of_four_criteria_lapses() -> None:
    """Rule 22: entered when the last became true; kept, with a notice, when one turns false."""
    facts = [lead(1, budget=True, authority=True, need=True), lead(5, timeline=True), lead(7, need=False)]
    assert lived(LEADSQUARED, facts, 9) == [
        "5 advance ->opportunity#1 skipped names,engaged,prospect,mql,sql",
        "7 notice opportunity>opportunity#1 !criteria_lapsed",
    ]


def test_r_two_deals_of_which_one_is_lost() -> None:
    """Rule 13: the lead stands where its furthest open deal does; closing one deal closes no sibling."""
    facts = [deal(0, "proposal"), deal(1, "lead_in", of="B", owner="kim"), deal(2, "lost")]
    assert lived(PROSPECTING, facts, 3)[1:] == ["2 regress sqo>sal#1"]
    assert lived(PROSPECTING, facts, 3, of="A")[1:] == ["2 outcome sqo>lost#1"]
    assert lived(PROSPECTING, facts, 3, of="B") == ["1 advance ->sal#1 skipped mql !skip"]


def test_s_won_reopened_lost() -> None:
    """Rule 12: the win stays in history, as reported; the deal counts once, as lost."""
    facts = [deal(10, "proposal"), deal(12, "won"), deal(40, "proposal"), deal(70, "lost")]
    assert lived(PROSPECTING, facts, 90)[1:] == [
        "12 outcome sqo>won#1",
        "40 reopen won>sqo#2",
        "70 outcome sqo>lost#1",
    ]
    assert published(PROSPECTING, facts, 90) == ["announce advance", "announce outcome", "announce reopen", "announce outcome"]
    snapshot = [body for body in in_time(PROSPECTING, facts, _at(90)).bodies("leads") if body["subject"]["kind"] == "lead"][-1]
    assert snapshot["position"]["outcome"] == "lost"


SECOND = _shipped(
    "prospecting",
    version=2,
    reason="Validated needs somebody who is responsible.",
    effective_from="2026-03-01T00:00:00Z",
    stages=[
        {**stage, "while": {"deal.stage": "validated", "deal.owner": {"exists": True}}} if stage["name"] == "sql" else stage
        for stage in _shipped("prospecting")["stages"]
    ],
)
MARCH = 59


def test_t_a_second_version_applies_from_its_start() -> None:
    """Rule 23: prospective. What was before keeps version 1, and the seam moves nobody until the next fact."""
    both = world_of(_shipped("prospecting"), SECOND)
    facts = [deal(1, "lead_in"), deal(5, "validated"), deal(MARCH + 10, "validated", amount="10")]
    (lineage,) = both.funnels
    assert lived(both, facts[:2], 200) == ["1 advance ->mql#1", "5 advance mql>sql#1 skipped sal !skip"]
    assert lived(both, facts, 200)[2:] == [f"{MARCH + 10} regress sql>-"]
    moves = world_moves(both, facts)
    assert [move.version for move in moves] == [1, 1, 2]
    assert {version.number: version.digest for version in lineage.versions}.keys() == {1, 2}


def test_t_preview_is_the_fold_with_the_new_version_alone() -> None:
    """Rule 23: what a restate would give, over facts from before its start too."""
    alone = world_of({**SECOND, "effective_from": "2015-01-01T00:00:00Z"})
    facts = [deal(1, "lead_in"), deal(5, "validated"), deal(7, owner="kim")]
    assert lived(alone, facts, 200) == ["1 advance ->mql#1", "5 regress mql>-", "7 advance ->sql#1 skipped mql,sal !skip"]
    assert {move.version for move in world_moves(alone, facts)} == {2}


def world_moves(world: Program, facts: Sequence[Fact]) -> list[Move]:
    """The lead's own moves."""
    (lineage,) = world.funnels
    return [move for move in world.timeline(lineage, facts, _at(200)).moves if not move.deal]


def test_the_ids_of_a_scenario_name_no_lead() -> None:
    """Design, invariant 3: another lead with the same history has the same ids, so that a merge announces nothing again."""
    facts = [mention(0), deal(10, "lead_in"), deal(12, "won")]
    other = [msgspec.structs.replace(fact, entity="user:2") for fact in facts]
    ids = [History(PROSPECTING).take(said).pass_time(_at(20)).net("transitions").keys() for said in (facts, other)]
    assert ids[0] == ids[1]
