"""Whether definitions may go on with state that others wrote: every way in which they can differ, and what is to be done."""

from typing import Any

import pytest

from processors.engine.definition_change import change, check_change
from processors.engine.findings import missing
from processors.engine.mark import Mark
from processors.engine.stop import Stop
from processors.topology.definition_digests import Definitions
from schemas.instants import DAY, HOUR, format_instant, parse_instant

REACHED = parse_instant("2026-03-01T10:00:00Z")
NOW = REACHED + HOUR
BEFORE = {"web/1": "sha256:w1", "deals/1": "sha256:d1"}


def mark(versions: dict[str, str] = BEFORE, *, reached: int = REACHED, rows: int = 2, digest: str = "sha256:before") -> Mark:
    return Mark(7, digest, 4, reached, rows, versions)


def running(*without: str, starts: int = REACHED + DAY, **more: Any) -> Definitions:
    """What wrote the marks, less some versions, with others that start in a day."""
    versions = {name: digest for name, digest in (BEFORE | more.pop("added", {})).items() if name not in without}
    return Definitions("sha256:now", 2, versions, {name: 0 if name in BEFORE else starts for name in versions})


def refused(marks: dict[str, Mark], definitions: Definitions) -> list[str]:
    return [finding.sentence for finding in missing(change(marks, definitions, NOW))]


def test_the_same_definitions_go_on_whatever_else_the_marks_say() -> None:
    same = running()
    assert change({"p0": mark(digest=same.digest, rows=1, versions={})}, same, NOW) == []
    assert change({}, same, NOW) == []


def test_a_version_that_begins_after_all_that_was_taken_in_and_a_new_funnel_are_news() -> None:
    marks = {"p0": mark(), "p1": mark(reached=0)}
    found = change(marks, running(added={"web/2": "sha256:w2", "new/1": "sha256:n1"}), NOW)
    assert [(finding.state, finding.sentence) for finding in found] == [
        ("ok", "web version 2 is new and applies from 2026-03-02T10:00:00Z"),
        ("ok", "funnel new is new and counts what comes from now on; for its history the sources must be read again"),
    ]


def test_a_version_that_begins_before_the_clock_is_news_with_a_warning_because_events_were_dropped() -> None:
    early = running(starts=REACHED + 1, added={"web/2": "sha256:w2"})
    [finding] = change({"p0": mark()}, early, NOW)
    assert finding.state == "warning"
    assert "events of since then that no version used have been dropped" in finding.sentence


def test_partitions_that_were_idle_since_a_change_make_it_no_news() -> None:
    now = running(added={"web/2": "sha256:w2"})
    assert change({"p0": mark(), "p1": mark(digest=now.digest)}, now, NOW) == []


@pytest.mark.parametrize("starts", [REACHED, REACHED - DAY], ids=["at that instant", "before"])
def test_a_version_that_begins_in_what_was_judged_is_refused_with_an_instant_that_would_do(starts: int) -> None:
    marks = {"facts partition 0": mark(reached=REACHED - DAY), "facts partition 1": mark()}
    [sentence] = refused(marks, running(starts=starts, added={"web/2": "sha256:w2"}))
    assert sentence.startswith(
        f"web version 2 is to apply from {format_instant(starts)}, but facts partition 1 has taken in what "
    )
    assert "happened up to 2026-03-01T10:00:00Z" in sentence
    assert "write effective_from: 2026-03-03T00:00:00Z, or another instant after 2026-03-01T10:00:00Z" in sentence
    proposed = running(starts=parse_instant("2026-03-03"), added={"web/2": "sha256:w2"})
    assert refused(marks, proposed) == []


def test_a_new_funnel_may_begin_in_the_past_because_it_has_published_nothing() -> None:
    assert refused({"p0": mark()}, running(starts=0, added={"new/1": "sha256:n1", "new/2": "sha256:n2"})) == []


def test_a_changed_version_is_refused_with_both_digests_and_the_next_number() -> None:
    [sentence] = refused({"p0": mark(), "p1": mark()}, running(added={"web/1": "sha256:other", "web/2": "sha256:w2"}))
    assert "web version 1 has changed: the state of p0 was written by sha256:w1, this worker has sha256:other." in sentence
    assert "take back the change" in sentence
    assert "written as version 3" in sentence


@pytest.mark.parametrize("name", ["web/1", "deals/1"])
def test_a_version_that_is_gone_is_refused(name: str) -> None:
    """The newer version does not help: what was before it is judged by the old one."""
    [sentence] = refused({"p0": mark()}, running(name, added={"web/2": "sha256:w2"}))
    funnel = name.partition("/")[0]
    assert sentence.startswith(f"{funnel} version 1 wrote the state of p0 (sha256:{funnel[0]}1) and is not among the definitions")
    assert "bring its file back" in sentence


def test_going_back_behind_a_version_that_wrote_state_is_refused() -> None:
    marks = {"p0": mark(), "p1": mark(BEFORE | {"web/2": "sha256:w2"}, digest="sha256:after")}
    [sentence] = refused(marks, running())
    assert "web version 2 wrote the state of p1" in sentence


def test_rows_of_another_format_and_marks_without_versions_are_refused_with_both_sets() -> None:
    for other in (mark(rows=1), mark(versions={})):
        [sentence] = refused({"p0": mark(), "facts partition 3": other}, running(added={"web/2": "sha256:w2"}))
        assert "facts partition 3 was written under the definitions sha256:before, this worker has sha256:now" in sentence
        assert "funnelstream reset empty" in sentence


def test_every_reason_is_said_at_once_and_the_definitions_are_at_fault() -> None:
    with pytest.raises(Stop) as stop:
        check_change({"p0": mark()}, running("deals/1", starts=0, added={"web/1": "sha256:x", "web/2": "sha256:w2"}), NOW)
    assert stop.value.code == 1
    assert [line.split(" ")[2:5] for line in stop.value.sentence.splitlines()[1:]] == [
        ["deals", "version", "1"],
        ["web", "version", "1"],
        ["web", "version", "2"],
    ]
