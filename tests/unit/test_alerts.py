"""deploy/prometheus: rules that read what the programs export, alerts that say what to do, and their given/expect cases."""

import re
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from tests.promql import PROMETHEUS, RULES, Impossible, Series, rules, series
from tests.promtool import promtool
from tests.shared_material import ROOT

CASES = sorted(RULES.parent.glob("*_test.yml"))
TOKEN = ROOT / "deploy/compose/insights-token"
OPERATIONS = (ROOT / "docs/operations.md").read_text()
ALERTS = [rule for rule in rules() if "alert" in rule]

each_alert = pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert["alert"])


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.get("record") or rule["alert"])
def test_every_rule_reads_what_there_is(rule: dict) -> None:
    assert series().labels(rule["expr"]) is not None


@each_alert
def test_an_alert_names_only_labels_that_it_has(alert: dict) -> None:
    there = series().labels(alert["expr"])
    assert there is not None
    named = re.findall(r"\$labels\.(\w+)", " ".join(alert["annotations"].values()))
    assert set(named) <= there | alert["labels"].keys()


@each_alert
def test_an_alert_says_how_bad_it_is_and_what_to_do(alert: dict) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert alert["annotations"].keys() == {"summary", "description", "runbook_url"}
    document, _, anchor = alert["annotations"]["runbook_url"].partition("#")
    assert document == "docs/operations.md"
    (row,) = re.findall(rf'^\| <a id="{anchor}"></a>`(\w+)` \|', OPERATIONS, re.MULTILINE)
    assert row == alert["alert"]


def test_the_documents_have_no_alert_that_is_not_there() -> None:
    assert re.findall(r'^\| <a id="alert-[\w-]+"></a>`(\w+)` \|', OPERATIONS, re.MULTILINE) == [a["alert"] for a in ALERTS]


@each_alert
def test_an_alert_is_shown_firing_and_not_firing(alert: dict) -> None:
    shown = [
        bool(case.get("exp_alerts"))
        for cases in CASES
        for test in YAML(typ="safe").load(cases.read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["alertname"] == alert["alert"]
    ]
    assert {*shown} == {True, False}


def test_promtool_accepts_the_configuration_and_the_rules(tmp_path: Path) -> None:
    """With the token where the configuration expects it, which is within the container."""
    written = PROMETHEUS.read_text()
    assert "/run/secrets/insights-token" in written
    config = tmp_path / PROMETHEUS.name
    config.write_text(written.replace("/run/secrets/insights-token", str(TOKEN)))
    (tmp_path / RULES.name).write_text(RULES.read_text())
    for arguments in (("check", "config", str(config)), ("check", "rules", "--lint=all", "--lint-fatal", str(RULES))):
        done = promtool(*arguments)
        assert done.returncode == 0, done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("cases", CASES, ids=lambda cases: cases.stem)
def test_the_cases_of_the_alerts_hold(cases: Path) -> None:
    done = promtool("test", "rules", str(cases))
    assert done.returncode == 0, done.stdout


def test_a_missing_promtool_is_a_skip_or_a_failure_as_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("FUNNELSTREAM_REQUIRE_PROMTOOL", raising=False)
    with pytest.raises(pytest.skip.Exception):
        promtool("--version")
    monkeypatch.setenv("FUNNELSTREAM_REQUIRE_PROMTOOL", "1")
    with pytest.raises(pytest.fail.Exception):
        promtool("--version")


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("rate(a_totl[5m])", "no metric a_totl"),
        ('a_total{kid="x"}', "no label kid"),
        ('a_total{kind="z"}', "never has kind='z'"),
        ("sum by (topic) (a_total)", "no label topic to group by"),
        ("sum(a_total) and a_total", "never match"),
        ("histogram_quantile(0.5, sum(b_bucket))", "no label le"),
    ],
)
def test_what_can_never_be_is_found(expression: str, said: str) -> None:
    """The checker of the tests above."""
    there = Series([("a_total", {"kind": "x"}), ("a_total", {"kind": "y"}), ("b_bucket", {"le": "1"})])
    assert there.labels('sum by (kind) (rate(a_total{kind="x"}[5m])) > 0') == frozenset({"kind"})
    with pytest.raises(Impossible, match=said):
        there.labels(expression)
