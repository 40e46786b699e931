"""What one history adds to each number: each line is a published sum, as it is known now or as it was reported."""

from collections.abc import Iterable
from decimal import Decimal

import pytest
from msgspec.structs import replace

from processors.metrics.cells import RETRACTED, Cell, Part, Sum, read_record, restated
from processors.metrics.lengths import bucket_of
from processors.state.overlay import Overlay
from processors.topology.effects import FactsRecord
from processors.topology.publishing import Publisher
from processors.topology.sums import Sums
from schemas.facts import Fact
from schemas.instants import DAY, HOUR
from tests.unit.stages.notation import STEPS, definition, steps
from tests.worlds import START, History, fact, program

FIRST_DAY = START // DAY


def numbers(text: str, *facts: Fact, until: int = 0, **keys: object) -> list[str]:
    """`entries sql d0: reached_first 1, touched_every 1` of each sum that is not split by a segment, sorted."""
    run = lived(text, *facts, until=until, **keys)
    return sorted(line(cell, found) for cell, found in run.numbers().items() if cell.segment is None)


def lived(text: str, *facts: Fact, until: int = 0, **keys: object) -> History:
    run = History(program(definition(text, **keys))).take(facts)
    return run.pass_time(until) if until else run


def line(cell: Cell, found: Sum) -> str:
    grain = "" if cell.grain == "lead" else f" of {cell.grain}"
    counts = [f"{name} {count}" for name, count in sorted(found.counts.items()) if not name.endswith("_us")]
    money = [f"{name} {amount:f} {currency}" for name, sums in sorted(found.money.items()) for currency, amount in sums.items()]
    return f"{cell.kind} {cell.name}{grain} d{(cell.day or 0) - FIRST_DAY}: {', '.join([*counts, *money])}"


def about(kind: str, lines: Iterable[str]) -> list[str]:
    return [each for each in lines if each.startswith(kind)]


def reported(run: History, field: str, grain: str = "lead") -> list[tuple[str, str, int]]:
    """Name, reason and how much more (or less) of each cell of entries, whatever the day."""
    last = {record.key: record for record in run.published if record.topic == "metrics" and record.value is not None}
    found = []
    for key, record in sorted(last.items(), key=str):
        cell, total = read_record(key or b"", record.value or b"")
        if cell.kind == "entries" and cell.grain == grain and cell.segment is None:
            amounts = total.counts.get(field, 0), -total.counts.get(field + RETRACTED, 0)
            found += [(cell.name, str(cell.reason), amount) for amount in amounts if amount]
    return sorted(found, key=lambda each: (each[0], -each[2]))


def test_rule_5_who_passes_a_stage_has_reached_and_not_touched_it() -> None:
    """MQL to SQL to Won: touched SAL 0, reached SAL 1."""
    assert about("entries", numbers(STEPS, *steps("a c won"))) == [
        "entries a d0: reached_first 1, touched_every 1, touched_first 1",
        "entries b d0: inferred 1, reached_first 1",
        "entries c d0: reached_first 1, touched_every 1, touched_first 1",
        "entries d d0: inferred 1, reached_first 1",
        "entries won d0: reached_first 1, touched_every 1, touched_first 1",
    ]


def test_rule_11_a_loss_infers_nothing_and_is_not_further_along() -> None:
    found = numbers(STEPS, *steps("a lost"))
    assert about("entries", found) == [
        "entries a d0: reached_first 1, touched_every 1, touched_first 1",
        "entries lost d0: reached_first 1, touched_every 1, touched_first 1",
    ]
    assert about("standing", found) == ["standing a d0: furthest 1", "standing lost d0: standing 1"]


def test_rule_8_first_and_every_entry() -> None:
    """A, B, A, B: first(B) = 1, every(B) = 2."""
    found = numbers(STEPS, *steps("a b a b"))
    assert "entries b d0: reached_first 1, touched_every 2, touched_first 1" in found


def test_rule_6_where_one_stands_is_not_how_far_one_came() -> None:
    assert about("standing", numbers(STEPS, *steps("a c b"))) == ["standing b d0: standing 1", "standing c d0: furthest 1"]


def test_rule_9_a_stay_counts_once_it_has_ended() -> None:
    run = lived(STEPS, fact(0, step="a"), fact(30, step="c"), fact(90, step="d"))
    found = {(cell.kind, cell.name, (cell.day or 0) - FIRST_DAY): each.counts for cell, each in run.numbers().items()}
    assert found["stays", "a", 1] == {"ended": 1, "timed": 1, "total_us": 30 * HOUR}
    assert found["stays", "c", 3] == {"ended": 1, "timed": 1, "total_us": 60 * HOUR}
    assert found["lengths", "c", 3] == {str(bucket_of(60 * HOUR)): 1}
    assert ("stays", "d", 3) not in found


def test_rule_12_a_win_that_was_reopened_is_reported_and_is_no_more() -> None:
    """Scenario s: won on the first day, reopened on the second, lost on the third."""
    found = numbers(STEPS, fact(0, step="won"), fact(24, step="a"), fact(48, step="lost"))
    assert about("standing", found) == ["standing a d0: furthest 1", "standing lost d2: standing 1"]
    assert "entries won d0: reached_first 1, touched_every 1, touched_first 1" in found


DEALS = """
also: [deal]
stages: [{name: seen, when: {event: Seen}}, {name: open, while: {deal.stage: open}}]
outcomes: [{name: won, result: won, while: {deal.stage: won}}]
value: {amount: deal.amount, currency: deal.currency}
rates: [{from: open, to: won, grain: deal}, {from: seen, to: won}]
"""


def test_rule_13_deals_and_leads_are_counted_apart() -> None:
    found = numbers(DEALS, fact(0, "Seen"), *(fact(hour, deal=deal, stage="open") for hour, deal in ((1, "A"), (2, "B"))))
    assert "entries open d0: reached_first 1, touched_every 1, touched_first 1" in found
    assert "entries open of deal d0: reached_first 2, touched_every 2, touched_first 2" in found
    assert "standing open of deal d0: furthest 2, standing 2" in found


def test_rule_16_a_deleted_deal_counts_nowhere_until_it_is_restored() -> None:
    said = [fact(1, deal="A", stage="open", amount="5", currency="EUR"), fact(2, deal="A", stage="won")]
    run = lived(DEALS, *said, fact(3, "delete", deal="A"))
    assert [cell for cell in run.numbers() if cell.grain == "deal"] == []
    assert reported(run, "touched_every", "deal") == [
        ("open", "live", 1),
        ("open", "deletion", -1),
        ("won", "live", 1),
        ("won", "deletion", -1),
    ]
    restored = numbers(DEALS, *said, fact(3, "delete", deal="A"), fact(4, "restore", deal="A"))
    assert "entries won of deal d0: reached_first 1, touched_every 2, touched_first 1, amounts 10 EUR" in restored
    assert (
        "rate open->won of deal d0: converted 1, started 1, timed 1, amounts_converted 5 EUR, amounts_started 5 EUR" in restored
    )


def test_rule_19_a_correction_stands_beside_what_was_reported() -> None:
    """The late b is announced for the reason that it came late; c, which was entered all the same, is not taken back."""
    run = lived(STEPS, fact(0, step="a"), fact(30, step="c"), fact(26, step="b"))
    assert reported(run, "touched_every") == [("a", "live", 1), ("b", "late", 1), ("c", "live", 1)]
    assert reported(run, "inferred") == [("b", "live", 1), ("b", "late", -1)]
    late = lived(STEPS, fact(30, step="c"), fact(26, step="won"), fact(25, step="lost"))
    assert reported(late, "touched_every")[-1:] == [("won", "late", 1)]


RATES = """
stages:
  - {name: a, when: {event: A}, expires: {after: 3d, anchor: last}}
  - {name: b, when: {event: B}}
rates: [{from: a, to: b, within: 2d}, {from: a, to: b}]
"""


@pytest.mark.parametrize(
    ("hours", "said"),
    [
        (47, ["converted 1, started 1, timed 1", "converted 1, started 1, timed 1"]),
        (48, ["converted 1, started 1, timed 1", "converted 1, started 1, timed 1"]),
        (49, ["converted 1, started 1, timed 1", "started 1"]),
        (72, ["started 1", "started 1"]),
    ],
)
def test_rule_24_a_cohort_counts_who_came_in_time(hours: float, said: list[str]) -> None:
    """At 72 hours a has expired (scenario e): what comes then is no credit of it."""
    whenever, within = said
    found = about("rate", numbers(RATES, fact(0, "A"), fact(hours, "B")))
    assert found == [f"rate a->b d0: {whenever}", f"rate a->b within 2d d0: {within}"]


def test_rule_24_who_came_before_or_by_passing_converts_in_no_time() -> None:
    found = numbers(STEPS + "rates: [{from: a, to: c}, {from: b, to: c, count: touched}]", *steps("c a c"))
    assert about("rate", found) == ["rate a->c d0: converted 1, started 1"]


def test_rule_29_a_missed_service_level_and_its_end() -> None:
    text = "stages: [{name: a, when: {event: A}, sla: 1d}, {name: b, when: {event: B}}]"
    until = START + 2 * DAY
    assert "entries a d1: sla_missed 1" in numbers(text, fact(0, "A"), until=until)
    found = numbers(text, fact(0, "A"), fact(60, "B"), until=until)
    assert about("entries a d1", found) + about("entries a d2", found) == [
        "entries a d1: sla_missed 1",
        "entries a d2: sla_recovered 1",
    ]


def test_rule_26_every_number_is_split_by_every_segment() -> None:
    text = STEPS + "segments: {plan: {value: lead.plan, rule: at_entry}}"
    run = lived(text, fact(0, step="a", plan="pro"), fact(1, step="b", plan="free"))
    by_plan = {
        (cell.kind, cell.name, cell.value): found.counts for cell, found in run.numbers().items() if cell.segment == "plan"
    }
    assert by_plan["entries", "a", "pro"]["touched_first"] == by_plan["entries", "b", "free"]["touched_first"] == 1
    assert ("entries", "a", "free") not in by_plan
    assert by_plan["standing", "b", "free"]["standing"] == 1


def test_days_that_are_no_longer_kept_become_one_sum() -> None:
    """`topics.keep_metrics`: whatever was or is posted of them nets in the sum of all earlier days, and nothing is lost."""
    world = program(definition(STEPS), topics={"keep_metrics": "2d"})
    late = fact(60, step="b", late_by=0)
    whole = History(program(definition(STEPS))).take([fact(0, step="a"), fact(75, step="c"), late])
    run = History(world).take([fact(0, step="a")])
    run.now = START + 6 * DAY
    run.take([fact(75, step="c"), late])
    days = {cell.day for cell in run.numbers() if cell.kind != "standing"}
    assert days == {None}
    standing = {cell: found for cell, found in whole.numbers().items() if cell.kind == "standing"}
    assert {cell: found for cell, found in run.numbers().items() if cell.kind == "standing"} == standing
    assert restated((replace(cell, day=None), found) for cell, found in run.numbers().items()) == restated(
        (replace(cell, day=None), found) for cell, found in whole.numbers().items()
    )
    tombs = [record for record in run.published if record.topic == "metrics" and record.value is None]
    assert tombs, "what was published of the day is taken away"


def test_rule_23_a_rate_of_a_later_version_begins_with_it() -> None:
    """Who had entered before counts in none of its cohorts, looked at again or not; those of the version before go on."""
    before = definition(RATES)
    after = {**before, "version": 2, "effective_from": START + 2 * HOUR, "rates": [{"from": "a", "to": "b", "within": "4d"}]}
    run = History(program(before, after)).take([fact(0, "A"), fact(3, "A")])
    rates = {cell.name: found.counts for cell, found in run.numbers().items() if cell.kind == "rate"}
    assert rates == {name: {"started": 1} for name in ("a->b", "a->b within 2d")}


def test_rule_13_a_customer_who_begins_again_has_converted() -> None:
    """The win counts at the time it first came, whatever deal is open or won since."""
    deals = [fact(1, deal="A", stage="open"), fact(2, deal="A", stage="won"), fact(50, deal="B", stage="open")]
    found = numbers(DEALS, fact(0, "Seen"), *deals)
    assert "rate seen->won d0: converted 1, started 1, timed 1" in found
    assert "standing open d2: standing 1" in found
    later = lived(DEALS, fact(0, "Seen"), *deals, fact(60, deal="B", stage="lost")).numbers()
    assert [each.counts["total_us"] for cell, each in later.items() if (cell.kind, cell.grain) == ("rate", "lead")] == [2 * HOUR]


def test_rule_26_each_subject_is_in_one_bucket_of_its_first_touch() -> None:
    """Also who was somewhere before it: parts add up to the whole."""
    text = STEPS + "segments: {by: {value: event.properties.medium, rule: first_touch, touch: {event: Seen}}}"
    run = lived(text, fact(0, step="a"), fact(1, step="b"), fact(2, "Seen", medium="ad"), fact(3, "Seen", medium="mail"))
    split = [(cell, found) for cell, found in run.numbers().items() if cell.segment == "by"]
    assert {cell.value for cell, _ in split} == {"ad"}
    whole = {cell: found for cell, found in run.numbers().items() if cell.segment is None}
    assert {replace(cell, segment=None, value=None): found for cell, found in split} == whole


def test_rule_29_a_stay_that_was_overdue_recovers_where_it_was_missed() -> None:
    """By the rep of its entry, whoever has taken over, and by the name of its stage then."""
    text = """
stages: [{name: a, when: {event: A}, sla: 1d}, {name: b, when: {event: B}}]
segments: {rep: {value: lead.owner, rule: at_entry}}
"""
    run = History(program(definition(text))).take([fact(-1, owner="ann"), fact(0, "A"), fact(30, owner="bob")])
    run.pass_time(START + 2 * DAY).take([fact(60, "B")])
    overdue: dict[str | None, int] = {}
    for cell, found in run.numbers().items():
        if cell.segment == "rep" and cell.name == "a":
            counts = found.counts
            overdue[cell.value] = overdue.get(cell.value, 0) + counts.get("sla_missed", 0) - counts.get("sla_recovered", 0)
    assert overdue == {"ann": 0}


def test_sums_of_money_and_of_time_are_exact_whatever_their_size() -> None:
    """28 digits are no bound of an amount, and 64 bits are none of a sum of lengths."""
    amount = "0." + "9" * 28
    run = History(program(definition(STEPS)))
    part = Part(Cell("stays", "test", "lead", "a", 0, "stage"), (), (("ended", 1),), (("amounts", amount, "EUR"),), 10**17)
    effects = Sums(Publisher("test")).post([(part, 1)] * 1000, Overlay(run.store, 0), FactsRecord(b"", 0, 0, START))
    run.store.apply({0: effects.rows}, {})
    more = Sums(Publisher("test")).post([(part, -1)] * 999, Overlay(run.store, 0), FactsRecord(b"", 0, 1, START))
    (_, total), *_ = [read_record(each.key or b"", each.value or b"") for each in more.published]
    assert (total.counts["total_us"], total.money["amounts"]["EUR"]) == (10**17, Decimal(amount))
