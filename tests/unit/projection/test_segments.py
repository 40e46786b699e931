"""Segments: the first values by name, the rest folded and counted; `other` of a source is never the fold."""

import random

import pytest

from processors.projection.answers import Value
from tests.metric_records import metric, projected, split, web

SOURCE = {"source": {"value": "event.campaign.source", "rule": "first_touch", "top": 2}}


def values(counts: dict[str, int], *, label_values: int | None = None, top: int = 2) -> tuple[list[tuple[str, int]], list[int]]:
    """Labels with what they fold, and who reached `a` of each."""
    records = []
    for value, count in counts.items():
        entered = metric("entries", "a", "2026-01-05", touched_every=count, touched_first=count, reached_first=count)
        records += split("source", value, entered)
    whole = sum(counts.values())
    records.append(metric("entries", "a", "2026-01-05", touched_every=whole, touched_first=whole, reached_first=whole))
    funnel = web(segments={"source": {**SOURCE["source"], "top": top}})
    projection = projected(records, funnel, label_values=label_values)
    [outline] = projection.outlines.funnels
    found: list[Value] = projection.values(outline, outline.segments[0])
    reached = [projection.funnel(outline, value.slice, 0).places[0].restated.reached_first for value in found]
    assert sum(reached) == whole
    return [(value.label, value.folded) for value in found], reached


def test_as_many_as_are_shown_need_no_fold() -> None:
    assert values({"google": 2, "(none)": 3}) == ([("(none)", 0), ("google", 0)], [3, 2])


def test_the_rest_is_folded_and_counted() -> None:
    assert values({"a": 1, "b": 4, "c": 1, "d": 3}) == ([("b", 0), ("d", 0), ("other", 2)], [4, 3, 2])


@pytest.mark.parametrize("other", [9, 1])
def test_a_value_named_other_is_not_the_fold(other: int) -> None:
    labels, reached = values({"other": other, "b": 4, "c": 2, "d": 3})
    assert labels[-1] == ("(other)", 2)
    assert (("other", 0) in labels, sum(reached)) == (other == 9, other + 9)


def test_no_label_has_more_values_than_the_limit() -> None:
    assert values({"a": 1, "b": 4, "c": 2}, label_values=1, top=20)[0] == [("b", 0), ("other", 2)]


def test_no_value_of_a_source_is_the_fold() -> None:
    labels, _ = values({"other": 9, "(other)": 8, "c": 2, "d": 3})
    assert labels == [("other", 0), ("(other)", 0), ("((other))", 2)]


def test_many_values_fold() -> None:
    labels, reached = values({f"value {number}": 1 for number in range(2_000)})
    assert (labels[-1], reached) == (("other", 1_998), [1, 1, 1_998])


@pytest.mark.parametrize("seed", range(5))
def test_values_that_are_kept_up_to_date_are_those_of_who_asks_for_the_first_time(seed: int) -> None:
    """Records come, change, are taken back and go, of one value and of several places; in between somebody looks."""
    dice, funnel, last = random.Random(seed), web(segments=SOURCE), {}
    kept = projected([], funnel)
    [outline] = kept.outlines.funnels
    for _ in range(60):
        value, kind, name, day = (
            f"v{dice.randrange(6)}",
            dice.choice(("entries", "standing")),
            dice.choice("ab"),
            dice.randrange(1, 4),
        )
        count = {"reached_first": dice.randrange(9), "reached_first_retracted": dice.randrange(3)} if kind == "entries" else {}
        [(key, body)] = split("source", value, metric(kind, name, f"2026-01-0{day}", **count))
        key = repr((value, kind, name, day)).encode()
        last[key] = body if dice.random() < 0.6 else None
        kept.put([(key, last[key])])
        anew = projected([*last.items()], funnel)
        assert kept.values(outline, outline.segments[0]) == anew.values(outline, outline.segments[0])


def test_corrections_that_empty_a_bucket_leave_no_data() -> None:
    entered = metric("entries", "a", "2026-01-05", touched_every=1, touched_first=1, reached_first=1)
    back = {f"{field}_retracted": 1 for field in ("touched_every", "touched_first", "reached_first")}
    taken_back = metric("entries", "a", "2026-01-05", **{"recorded": "2026-01-09", "reason": "late", **back})
    projection = projected([*split("source", "google", entered, taken_back), entered, taken_back], web(segments=SOURCE))
    [outline] = projection.outlines.funnels
    [google] = projection.values(outline, outline.segments[0])
    found = projection.funnel(outline, google.slice, 0)
    assert [place.restated.reached_first for place in found.places] == [0, 0, 0, 0]
    assert [step.share.value for step in found.steps] == [None]
    assert found.win_rate.value is None
