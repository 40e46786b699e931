"""What numbers are called: names in the order of the newest version, then what only earlier ones had."""

from processors.metrics.outlines import outline_funnels
from tests.metric_records import web


def stages(*names: str) -> list[dict[str, object]]:
    return [{"name": name, "when": {"event": "A"}} for name in names]


def test_versions_of_one_funnel_are_one_with_what_only_earlier_ones_had() -> None:
    first = web(stages=stages("mql", "sal", "sql"))
    second = web(version=2, effective_from="2026-03-01", stages=stages("lead", "sql"), retired={"mql": "lead", "sal": "remove"})
    [outline] = outline_funnels([second, first])
    assert (outline.funnel, outline.version, outline.stages) == ("web", 2, ["lead", "sql", "mql", "sal"])
    assert [place.name for place in outline.places if place.kind == "outcome"] == ["won", "lost"]
    assert [version.number for version in outline.versions] == [1, 2]


def test_rule_13_leads_and_deals_are_counted_apart() -> None:
    rates = [{"from": "a", "to": "b"}, {"from": "a", "to": "won", "grain": "deal"}]
    leads, deals = outline_funnels([web(also=["deal"], rates=rates)])
    assert [(each.grain, each.conversions, [rate.name for rate in each.rates]) for each in (leads, deals)] == [
        ("lead", ["demo"], ["a->b"]),
        ("deal", [], ["a->won"]),
    ]


def test_a_shadow_has_no_official_number() -> None:
    assert outline_funnels([web(effective_from=None, shadow=True)]) == []
