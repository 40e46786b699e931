"""The frame of every test session: markers by folder, ../shared, the broker that was taken, and what must not be left out.

`--require-kafka` (used by `make test` and `make test-soak`) turns a session into a proof: a broker test that did not run, or
any skip but for what a machine may be without, fails it. Whoever chooses tests with `-k` or by path knows that the others did
not run. The rules are in `completeness.py`, the gathering is here: a session may run in several processes (pytest-xdist), of
which each knows what it collected and which broker it took, the first what was skipped.
"""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from tests.broker.discovery import Broker, start_broker
from tests.completeness import ABSENCES, Case, complaints
from tests.shared_material import ABSENT, SHARED

BROKER_KEY = pytest.StashKey[str]()
"""What the broker fixture took, in words for the summary: `config.stash[BROKER_KEY] = "Docker (apache/kafka:4.2.2)"`."""

_DESELECTED_KEY = pytest.StashKey[list[Case]]()
_PROCESSES_KEY = pytest.StashKey[list[dict[str, Any]]]()
"""What each process of a session has gathered."""
_FOUND_KEY = pytest.StashKey[list[str]]()
_MARKERS = {"kafka": ("kafka",), "chaos": ("kafka", "soak"), "acceptance": ("acceptance",)}

# A deadline per example is a timing assert: it fails on a busy machine and proves nothing.
settings.register_profile("funnelstream", deadline=None, print_blob=True)
settings.load_profile("funnelstream")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the whole suite."""
    group = parser.getgroup("funnelstream")
    group.addoption("--require-kafka", action="store_true", help="fail if a broker test did not run, or if anything was skipped")
    group.addoption("--kills", type=int, default=25, metavar="N", help="how many kill -9 the soak deals out (default: 25)")


def pytest_report_header() -> str:
    """Say before the first test whether the shared material is there."""
    found = SHARED.is_dir()
    return f"../shared: {SHARED}" if found else f"../shared: ABSENT, no folder {SHARED}: tests that read it are skipped"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their folder, so that none can forget its marker; a test that asks for a broker is a broker test anywhere."""
    for item in items:
        for marker in _MARKERS.get(_part(item.nodeid), ()):
            item.add_marker(marker)
        if "broker" in getattr(item, "fixturenames", ()):
            item.add_marker("kafka")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of shared cases, samples and data sets; skips the test where it is absent."""
    if not SHARED.is_dir():
        pytest.skip(ABSENT)
    return SHARED


@pytest.fixture(scope="session")
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """The real broker that the whole session shares."""
    found = start_broker()
    request.config.stash[BROKER_KEY] = found.origin
    yield found
    found.stop()


def pytest_deselected(items: list[pytest.Item]) -> None:
    """Remember what a session leaves out."""
    if items:
        items[0].config.stash.setdefault(_DESELECTED_KEY, []).extend(_cases(items))


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Another process of this session has ended: take what it gathered."""
    gathered = getattr(node, "workeroutput", {}).get("gathered")
    if gathered is not None:
        node.config.stash.setdefault(_PROCESSES_KEY, []).append(gathered)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a session that left out what it had to run."""
    config = session.config
    gathered = {
        "selected": [dataclasses.astuple(case) for case in _cases(getattr(session, "items", []))],
        "deselected": [dataclasses.astuple(case) for case in config.stash.get(_DESELECTED_KEY, [])],
        "broker": config.stash.get(BROKER_KEY, ""),
    }
    if hasattr(config, "workeroutput"):  # one of several processes: the first one judges
        config.workeroutput["gathered"] = gathered
        return
    processes = config.stash.setdefault(_PROCESSES_KEY, [])
    processes.append(gathered)
    found = (
        []
        if config.option.collectonly
        else complaints(
            _gathered(processes, "selected"),
            _gathered(processes, "deselected"),
            _skips(_stats(config)),
            shared_present=SHARED.is_dir(),
            require_kafka=config.getoption("--require-kafka"),
            chosen=bool(config.option.keyword) or config.args_source is pytest.Config.ArgsSource.ARGS,
        )
    )
    config.stash[_FOUND_KEY] = found
    if found and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what each part took, which broker it ran on, and what was left out."""
    reports = [r for found in terminalreporter.stats.values() for r in found if isinstance(r, pytest.TestReport)]
    seconds: defaultdict[str, float] = defaultdict(float)
    ran: Counter[str] = Counter()
    for report in reports:
        seconds[_part(report.nodeid)] += report.duration
        ran[_part(report.nodeid)] += report.when == "call" and not report.skipped
    terminalreporter.section("what ran")
    for part, count in sorted(ran.items()):
        terminalreporter.line(f"{part:<12}{count:>6} tests {seconds[part]:>8.1f} s")
    taken = sorted({process["broker"] for process in config.stash.get(_PROCESSES_KEY, []) if process["broker"]})
    terminalreporter.line(f"broker: {', '.join(taken) or 'none was taken'}")
    reasons = Counter(_skips(terminalreporter.stats).values())
    for name, reason in ABSENCES.items():
        if reasons[reason]:
            terminalreporter.line(f"{name}: ABSENT, {reasons[reason]} TESTS DID NOT RUN: {reason}", yellow=True, bold=True)
    for sentence in config.stash.get(_FOUND_KEY, []):
        terminalreporter.line(f"INCOMPLETE: {sentence}", red=True, bold=True)


def _part(nodeid: str) -> str:
    folders = nodeid.partition("::")[0].split("/")
    return folders[1] if folders[0] == "tests" and len(folders) > 2 else "other"


def _stats(config: pytest.Config) -> dict[str, list[object]]:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    return reporter.stats if reporter else {}


def _gathered(processes: Iterable[dict[str, Any]], what: str) -> list[Case]:
    """Every case once: each process has collected all of them."""
    return list(dict.fromkeys(Case(*case) for process in processes for case in process[what]))


def _cases(items: Iterable[object]) -> list[Case]:
    return [
        Case(
            item.nodeid,
            kafka=item.get_closest_marker("kafka") is not None,
            soak=item.get_closest_marker("soak") is not None,
            shared=item.get_closest_marker("shared") is not None or "shared" in getattr(item, "fixturenames", ()),
        )
        for item in items
        if isinstance(item, pytest.Item)
    ]


def _skips(stats: dict[str, list[object]]) -> dict[str, str]:
    """Reason by node id; an expected failure did not run to its end either, so it counts."""
    reports = [
        r
        for outcome in ("skipped", "xfailed")
        for r in stats.get(outcome, [])
        if isinstance(r, pytest.TestReport | pytest.CollectReport)
    ]
    return {report.nodeid: _reason(report) for report in reports}


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    if isinstance(report.longrepr, tuple):
        return str(report.longrepr[2]).removeprefix("Skipped: ")
    return str(getattr(report, "wasxfail", "") or report.longrepr)
