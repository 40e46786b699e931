"""PromQL expressions against the series that there are: what they read must exist, and labels must be where they are used.

Prometheus refuses neither a metric nor a label that does not exist: the alert never fires, the panel stays empty. `Series` says
which there are: those of a worker and of insights, scraped, besides Prometheus' own and those that recording rules make.
`labels` infers the labels of an expression's result, and raises where something cannot be.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

import promql_parser as promql
from ruamel.yaml import YAML

from tests.scraped import of_a_worker, of_insights
from tests.shared_material import ROOT

Labels = frozenset[str]

RULES = ROOT / "deploy/prometheus/rules.yml"
PROMETHEUS = ROOT / "deploy/prometheus/prometheus.yml"
WORKER, INSIGHTS = "funnelstream-worker", "funnelstream-insights"
"""The jobs that read them."""

_KEEP_LABELS = {"deriv", "increase", "min_over_time", "rate", "sort_desc", "time"}
"""The functions in use that give what they are given, under its labels."""


class Impossible(AssertionError):
    """An expression that can never give what it was written for."""


class Series:
    """The series that exist: the labels of each metric, and the values that labels have."""

    def __init__(self, samples: Iterable[tuple[str, Mapping[str, str]]]) -> None:
        self._labels: dict[str, Labels] = {}
        self._values: dict[tuple[str, str], set[str]] = {}
        for name, labels in samples:
            self._labels[name] = self._labels.get(name, frozenset()) | labels.keys()
            for label, value in labels.items():
                self._values.setdefault((name, label), set()).add(value)

    def record(self, name: str, expression: str) -> None:
        """Add what a recording rule makes."""
        found = self.labels(expression)
        if found is None:
            raise Impossible(f"{name} records no series: {expression}")
        self._labels[name] = found

    def labels(self, expression: str) -> Labels | None:
        """The labels of the series that an expression gives, or None if it gives a number or a text.

        Raises:
            ValueError: The expression is no PromQL.
            Impossible: It reads a metric, a label or a value that does not exist, groups by a label that is not there, or
                pairs series that can never have the same labels.
        """
        return self._infer(promql.parse(expression))

    def _infer(self, expression: object) -> Labels | None:
        match expression:
            case promql.VectorSelector():
                return self._select(expression)
            case promql.MatrixSelector():
                return self._select(expression.vector_selector)
            case promql.AggregateExpr():
                return self._aggregate(expression)
            case promql.BinaryExpr():
                return self._pair(expression)
            case promql.Call():
                return self._call(expression)
            case promql.NumberLiteral() | promql.StringLiteral():
                return None
            case promql.ParenExpr() | promql.SubqueryExpr() | promql.UnaryExpr():
                return self._infer(expression.expr)
        raise NotImplementedError(f"no rule for the labels of {type(expression).__name__}")

    def _select(self, selector: promql.VectorSelector) -> Labels:
        if selector.name not in self._labels:
            raise Impossible(f"there is no metric {selector.name}")
        there = self._labels[selector.name]
        for matcher in selector.matchers.matchers:
            if matcher.name not in there:
                raise Impossible(f"{selector.name} has no label {matcher.name}")
            values = self._values.get((selector.name, matcher.name))
            if matcher.op == promql.MatchOp.Equal and values is not None and matcher.value not in values:
                raise Impossible(f"{selector.name} never has {matcher.name}={matcher.value!r}")
        return there

    def _aggregate(self, aggregation: promql.AggregateExpr) -> Labels:
        there = self._infer(aggregation.expr)
        assert there is not None, "the parser refuses to aggregate a number"
        if aggregation.modifier is None:
            return frozenset()
        named = frozenset(aggregation.modifier.labels)
        if named - there:
            raise Impossible(f"no label {', '.join(sorted(named - there))} to group by in {aggregation.prettify()}")
        return named if aggregation.modifier.type == promql.AggModifierType.By else there - named

    def _pair(self, pair: promql.BinaryExpr) -> Labels | None:
        left, right = self._infer(pair.lhs), self._infer(pair.rhs)
        if left is None or right is None:
            return right if left is None else left
        if pair.modifier is not None and pair.modifier.matching is not None:
            raise NotImplementedError(f"no rule for the labels of `on` and `ignoring`: {pair.prettify()}")
        if left != right:
            raise Impossible(f"{sorted(left)} and {sorted(right)} never match in {pair.prettify()}")
        return left

    def _call(self, call: promql.Call) -> Labels | None:
        labels = next((found for each in call.args if (found := self._infer(each)) is not None), None)
        name = call.func.name
        if name in _KEEP_LABELS:
            return labels
        if name == "absent":
            return frozenset()
        if name == "scalar":
            return None
        if name == "histogram_quantile" and labels is not None:
            if "le" not in labels:
                raise Impossible(f"no label le to take a quantile of in {call.prettify()}")
            return labels - {"le"}
        raise NotImplementedError(f"no rule for the labels of {name}()")


@functools.cache
def series() -> Series:
    """What Prometheus has when it is started with deploy/prometheus and reads a worker and insights."""
    found = Series(chain(_scraped(), _of_prometheus()))
    for rule in rules():
        if "record" in rule:
            found.record(rule["record"], rule["expr"])
    return found


def rules() -> list[dict]:
    """The rules of deploy/prometheus, recording rules and alerts, in their order."""
    return [rule for group in YAML(typ="safe").load(RULES.read_text())["groups"] for rule in group["rules"]]


def targets() -> dict[str, dict[str, str]]:
    """The labels that the series of a program get besides its own, by job."""
    found = {}
    for job in YAML(typ="safe").load(PROMETHEUS.read_text())["scrape_configs"]:
        (static,) = job["static_configs"]
        found[job["job_name"]] = {"job": job["job_name"], "instance": static["targets"][0], **static["labels"]}
    return found


def _scraped() -> Iterator[tuple[str, dict[str, str]]]:
    for job, samples in ((WORKER, of_a_worker()), (INSIGHTS, of_insights())):
        for name, labels in samples:
            yield name, {**labels, **targets()[job]}


def _of_prometheus() -> Iterator[tuple[str, dict[str, str]]]:
    for labels in targets().values():
        yield "up", labels
        for rule in rules():
            if "alert" in rule:
                for state in ("pending", "firing"):
                    yield "ALERTS", {"alertname": rule["alert"], "alertstate": state, **rule["labels"], **labels}
