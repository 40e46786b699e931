"""Which changes of a definition are changes of what it does, and which leave running applications alone."""

from collections.abc import Callable
from typing import Any

import pytest

from processors.topology.definition_digests import Definitions
from processors.topology.program import Program
from schemas.definitions import Funnel, Library
from tests.worlds import application, program

WEB: dict[str, Any] = {
    "funnel": "web",
    "version": 1,
    "owner": "o",
    "reason": "r",
    "effective_from": 5,
    "subject": "lead",
    "conversions": [{"name": "demo", "description": "d", "when": {"event": "Demo"}}],
    "stages": [{"name": "asked", "when": {"conversion": "demo"}}, {"name": "rich", "while": {"lead.score": {"above": 5}}}],
    "segments": {"source": {"value": "lead.plan", "rule": "at_entry", "top": 5}},
}
OTHER = {**WEB, "funnel": "other", "stages": [{"name": "a", "when": {"event": "A"}}], "segments": {}}


def digests(*funnels: dict[str, Any], **changes: Any) -> dict[str, str]:
    return program(*funnels, **changes).definitions.versions


def lent(*names: str, event: str = "Lent", owner: str = "o") -> Definitions:
    """A funnel that uses the conversion `lent` of a library with these conversions."""
    conversions = [{"name": name, "description": "d", "when": {"event": event if name == "lent" else name}} for name in names]
    library = Library.model_validate({"owner": owner, "version": 1, "conversions": conversions}).named("shared")
    funnel = Funnel.model_validate({**OTHER, "stages": [{"name": "a", "when": {"conversion": "lent"}}]})
    return Program([funnel.using([library])], application()).definitions


def test_each_version_has_its_digest_and_start_and_the_set_has_one() -> None:
    later = {**WEB, "version": 2, "effective_from": 9, "policies": {"skip": "allow"}}
    both = program(later, WEB).definitions
    assert [*both.versions] == ["web/1", "web/2"]
    assert (both.starts, len({*both.versions.values()})) == ({"web/1": 5, "web/2": 9}, 2)
    assert digests(WEB)["web/1"] == both.versions["web/1"]
    assert both == program(WEB, later).definitions
    assert both.digest not in (program(WEB).definitions.digest, program(later).definitions.digest)


@pytest.mark.parametrize(
    "changed",
    [
        {"reason": "another", "owner": "another", "rates": [{"from": "asked", "to": "rich"}]},
        {"conversions": [{"name": "demo", "description": "another", "owner": "x", "when": {"event": "Demo"}}]},
        {"segments": {"source": {"value": "lead.plan", "rule": "at_entry", "top": 50}}},
    ],
    ids=["reason, owner, rates", "description", "how many values are shown"],
)
def test_what_is_only_said_changes_nothing(changed: dict[str, Any]) -> None:
    assert digests({**WEB, **changed}) == digests(WEB)


@pytest.mark.parametrize(
    "changed",
    [
        {"effective_from": 6},
        {"policies": {"backward": "ignore"}},
        {"stages": [{"name": "asked", "when": {"conversion": "demo"}}]},
        {"segments": {"source": {"value": "lead.plan", "rule": "current"}}},
    ],
    ids=["start", "policies", "stages", "rule of a segment"],
)
def test_what_is_published_changes_it(changed: dict[str, Any]) -> None:
    assert digests({**WEB, **changed}) != digests(WEB)


def test_types_and_authority_count_where_they_are_read() -> None:
    """`other` reads no field, so nothing that happens to `lead.score` concerns it."""
    before = digests(WEB, OTHER, authority={"lead.score": ["web", "crm"]})
    after = digests(WEB, OTHER, authority={"lead.score": ["crm", "web"]})
    assert (before["web/1"] == after["web/1"], before["other/1"] == after["other/1"]) == (False, True)


@pytest.mark.parametrize(
    ("again", "same"),
    [
        (lambda: lent("lent", "more"), True),
        (lambda: lent("lent", owner="another"), True),
        (lambda: lent("lent", event="Other"), False),
    ],
    ids=["a further conversion", "another owner", "another event"],
)
def test_of_a_library_counts_what_is_used(again: Callable[[], Definitions], same: bool) -> None:
    assert (again().versions == lent("lent").versions) is same
