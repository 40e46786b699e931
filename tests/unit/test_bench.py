"""What the benchmark makes of its runs: ratios within a round, wrong results in sight, figures in their place on the page."""

from typing import Any

import msgspec
import pytest

from bench.crowd import EVENTS, STAGES, Crowd
from bench.job import program, written
from bench.lived import VISIT, Lived, fact, walk
from bench.page import PAGE, placed
from bench.race import runs_of
from bench.results import Result, parse, tables


def result(engine: str, number: int, ev_per_cpu_s: int, *, mode: str = "throughput", ok: bool = True) -> Result:
    line = (
        f"RESULT mode=throughput engine={engine} ok={ok} events=300000 wall_s=9.00 cpu_s={300_000 / ev_per_cpu_s:.2f} "
        f"ev_per_cpu_s={ev_per_cpu_s} ev_per_s=33333 peak_mb=120 broker_cpu_s=1.5 round={number} resume_s=2.5"
    )
    return {**parse(line + ("" if ok else " faults=1:_u-1_is_missing")), "mode": mode}


def test_ratios_are_taken_within_a_round() -> None:
    """The machine was twice as fast in the second round: of the ratio nothing is seen of that."""
    runs = [result("raw-pydantic", 1, 50_000), result("funnelstream", 1, 25_000)]
    runs += [result("raw-pydantic", 2, 100_000), result("funnelstream", 2, 60_000)]
    assert "| funnelstream | 2/2 | 300,000 | 42,500 (25,000-60,000) | 0.55 (0.50-0.60) |" in tables(runs)


def test_a_long_run_is_held_against_the_long_base() -> None:
    runs = [result("raw-pydantic", 1, 50_000), result("raw-pydantic-long", 1, 80_000), result("funnelstream-long", 1, 40_000)]
    assert "| funnelstream-long | 1/1 | 300,000 | 40,000 | 0.50 |" in tables(runs)


def test_warm_is_what_the_events_cost_that_the_long_run_has_more() -> None:
    short, long = result("kstreams", 1, 20_000), result("kstreams-long", 1, 40_000) | {"events": "1500000", "cpu_s": "37.5"}
    assert f"| kstreams | {1_200_000 / 22.5:,.0f} | - |" in tables([short, long])


def test_a_wrong_result_is_in_sight() -> None:
    written = tables([result("quixstreams", 1, 40_000, ok=False)])
    assert "| quixstreams | 0/1 |" in written
    assert "- quixstreams, throughput, round 1: 1:_u-1_is_missing" in written


def test_a_killed_run_is_no_figure_of_throughput() -> None:
    written = tables([result("kstreams", 1, 9_000, mode="crash, disk gone"), result("kstreams", 1, 20_000)])
    assert "| kstreams | 1/1 | 300,000 | 20,000 |" in written
    assert "| kstreams | gone | 1/1 | 2.5 | 120 |" in written


def test_only_short_runs_are_made_of_an_engine_in_the_other_modes() -> None:
    runs = runs_of(("throughput", "latency", "crash"), ("funnelstream", "funnelstream-long"), 1_000)
    assert [(run.engine, run.mode, run.events) for run in runs if run.mode != "latency"] == [
        ("funnelstream", "throughput", 1_000),
        ("funnelstream-long", "throughput", 5_000),
        ("funnelstream", "crash, disk kept", 1_000),
        ("funnelstream", "crash, disk gone", 1_000),
    ]


@pytest.mark.parametrize("name", ["race", "workers", "numbers", "leads", "insights", "history"])
def test_every_part_has_its_place_on_the_page(name: str) -> None:
    written = placed(PAGE.read_text(), name, "| a | b |")
    assert f"<!-- {name} -->\n\n| a | b |\n\n<!-- /{name} -->" in written
    assert placed(written, name, "| a | b |") == written
    with pytest.raises(ValueError, match="0 places named lead"):
        placed(written, "lead", "")


@pytest.mark.parametrize(
    ("what", "hour", "event", "published"),
    [
        ("a move, and the conversion that moved it", 100, "Signed Up", 2),
        ("a visit moves nothing", 100, VISIT, 1),
        ("a late visit changes nothing behind it", 52.5, VISIT, 1),
        ("a late sign-up, and every later one and the way out of it, which are other entries now", 2.5, "Signed Up", 41),
    ],
)
def test_what_is_tried_on_a_long_history_is_what_it_is_called(what: str, hour: float, event: str, published: int) -> None:
    lead = Lived(program(written("history.yml")))
    lead.take(walk(0, 100))
    assert lead.attempt(fact(hour, event)).published == published, what
    assert lead.attempt(fact(hour, event)).published == published, "and nothing of it was kept"


LEADS = 7
CROWD = Crowd(LEADS)


def published(number: int, *, op: str = "announce", sequence: int | None = None, **changes: Any) -> bytes:
    """What a right worker publishes of an event of the crowd, as a conversion and a transition at once."""
    said = {"op": op, "cause": {"facts": [{"id": f"e-{number}"}]}, "sequence": sequence or number // LEADS + 1}
    return msgspec.json.encode({**said, "to": {"stage": STAGES[number // LEADS % 4]}, **changes})


def test_the_events_of_a_crowd_are_spread_evenly_and_walk_round_the_stages() -> None:
    sent = [msgspec.json.decode(CROWD.event(number)) for number in range(5 * LEADS)]
    rounds = [sent[start : start + LEADS] for start in range(0, len(sent), LEADS)]
    assert [len({event["userId"] for event in events}) for events in rounds] == [LEADS] * 5
    assert [{event["event"] for event in events} for events in rounds] == [{name} for name in (*EVENTS, EVENTS[0])]


@pytest.mark.parametrize(
    ("fault", "conversions", "transitions"),
    [
        ("", [], []),
        ("1 events do not stand as one conversion", [published(3)], []),
        ("1 events do not stand as one conversion", [published(3, op="retract")], []),
        ("1 transitions lead to another stage", [], [published(3, op="amend", sequence=2, to={"stage": "trial"})]),
        ("1 transitions have a gap in the sequence before them", [], [published(3, op="amend", sequence=3)]),
    ],
)
def test_what_is_wrong_with_the_published_crowd_is_found(fault: str, conversions: list[bytes], transitions: list[bytes]) -> None:
    right = [published(number) for number in range(LEADS)]
    assert CROWD.faults([*right, *conversions], [*right, *transitions], LEADS) == ([fault] if fault else [])


def test_a_lost_transition_is_found() -> None:
    right = [published(number) for number in range(LEADS)]
    assert CROWD.faults(right, right[1:], LEADS) == ["1 events do not stand as one transition"]
