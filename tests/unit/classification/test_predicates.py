"""The operators, on values with a type and on values as an event sent them (definitions, Operators)."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.classification.predicates import compile_condition, compile_test
from schemas.conditions import AllOf, AnyOf, Condition, FieldTest, Happened, Not
from schemas.fields import typed
from schemas.grammar import read_conditions
from schemas.instants import parse_instant

ORDERINGS = {"steps": ("new", "open", "done"), "sizes": ("1", "2")}
TYPES = {"lead.text": "text", "lead.flag": "bool", "lead.count": "number", "lead.sum": "decimal", "lead.seen_at": "time"}
APRIL = parse_instant("2026-04-01")
NOW = parse_instant("2026-06-01")


def passes(written: dict[str, Any], **values: Any) -> bool:
    """Whether a condition holds; `seen_at=x` is lead.seen_at, and a field of no known type is read as an event's path is."""
    (condition,) = read_conditions(written)
    return compile_condition(condition, ORDERINGS, TYPES.get)({f"lead.{name}": value for name, value in values.items()}, {}, NOW)


@pytest.mark.parametrize(
    ("test", "true_of", "false_of"),
    [
        ("a", ["a"], ["A", "ab", 1, True]),
        ("5", ["5", 5], ["5.0", 5.0, True]),
        ("true", ["true", True], ["True", 1, False]),
        (5, [5, 5.0, "5", " 5.00 ", "5e0"], ["five", True, 5.1, "5,0"]),
        (0, [0, -0.0, "0"], [False, "", "-"]),
        (True, [True, "true", "TRUE "], [1, "1", "yes", False]),
        (False, [False, "false"], [0, "0", "no", True]),
        (["a", 5, True], ["a", 5, "5", True, "true"], ["b", 6, False]),
        ({"exists": True}, ["x", 0, False, " "], []),
        ({"at_least": 3}, [3, 3.5, "3", " 4 ", "1e1"], [2.9, "two", True, "3 apples"]),
        ({"at_most": 3}, [3, "-7", 0], [3.01, "x"]),
        ({"above": 3}, [4, "3.0000000000000000000000001"], [3, "3"]),
        ({"below": 3}, [2, "2.9999999999999999999999999"], [3, "3", False]),
        ({"above": 0.1}, [0.2, "0.11"], [0.1, "0.1"]),
        (
            {"before": "2026-04-01"},
            ["2026-03-31T23:59:59.999Z", "2026-04-01T01:00:00+02:00", 1774915200000],
            ["2026-04-01", "soon"],
        ),
        ({"after": "2026-04-01"}, ["2026-04-01", "1775001600000", "2026-04-01T02:00:00+02:00"], ["2026-03-31", 1.5e12, True]),
        ({"matches": "^a+$"}, ["a", "aaa"], ["b", "ab", 1]),
        ({"matches": "[0-9]"}, ["x1", 5, "5"], ["x", True]),
        ({"matches": "rue"}, [True, "true"], [False]),
        ({"at_least": "open", "of": "steps"}, ["open", "done"], ["new", "lost", "Open", 1]),
        ({"below": "done", "of": "steps"}, ["new", "open"], ["done", "won"]),
        ({"above": "1", "of": "sizes"}, ["2", 2], ["1", 1, "3"]),
        ({"at_least": 2, "below": 4}, [2, "3"], [1, 4]),
    ],
)
def test_values_as_an_event_sent_them(test: Any, true_of: list[Any], false_of: list[Any]) -> None:
    """Without a type the test says how the value is read: numbers and bools also as text. Missing passes nothing."""
    assert [value for value in true_of if not passes({"lead.x": test}, x=value)] == []
    assert [value for value in [*false_of, None, ""] if passes({"lead.x": test}, x=value)] == []
    assert not passes({"lead.x": test})


@pytest.mark.parametrize(
    ("written", "true_of", "false_of"),
    [
        ({"lead.text": "5"}, ["5"], ["5.0"]),
        ({"lead.text": 5}, ["5"], ["5.0", "05"]),
        ({"lead.text": True}, ["true"], ["True", "yes"]),
        ({"lead.flag": True}, [True], [False]),
        ({"lead.flag": "true"}, [True], [False]),
        ({"lead.count": "5"}, [5, 5.0], [6]),
        ({"lead.count": [1, 2.5]}, [1, 2.5], [2]),
        ({"lead.sum": 5}, ["5", "5.00"], ["5.01"]),
        ({"lead.sum": {"above": 0.1}}, ["0.100000000000000000001"], ["0.1"]),
        ({"lead.seen_at": "2026-04-01"}, [APRIL], [APRIL + 1]),
        ({"lead.seen_at": {"before": "2026-04-01"}}, [APRIL - 1, 0], [APRIL, APRIL + 1]),
        ({"lead.seen_at": {"after": "2026-04-01"}}, [APRIL, APRIL + 1], [APRIL - 1]),
        ({"lead.text": {"matches": "^.$"}}, ["é", "a"], ["ab"]),
    ],
)
def test_values_with_a_type(written: dict[str, Any], true_of: list[Any], false_of: list[Any]) -> None:
    """A field carries its values typed already; the literal is read as the field's type."""
    name = next(iter(written)).removeprefix("lead.")
    assert [value for value in true_of if not passes(written, **{name: value})] == []
    assert [value for value in [*false_of, None, ""] if passes(written, **{name: value})] == []
    assert not passes(written)


@pytest.mark.parametrize("missing", [{}, {"x": None}, {"x": ""}], ids=["never set", "null", "empty"])
def test_only_exists_false_is_true_of_a_missing_value(missing: dict[str, Any]) -> None:
    """Logic is two-valued: unknown is never true, so its negation is."""
    assert passes({"lead.x": {"exists": False}}, **missing)
    assert passes({"not": {"lead.x": "a"}}, **missing)
    assert not passes({"not": {"lead.x": {"exists": False}}}, **missing)
    assert not any(passes({"lead.x": {"exists": False}}, x=value) for value in ("a", 0, False, " "))


@pytest.mark.parametrize(
    ("written", "holds"),
    [
        ({"lead.a": 1, "lead.b": 2}, {(1, 2)}),
        ({"all": [{"lead.a": 1}, {"lead.b": 2}]}, {(1, 2)}),
        ({"any": [{"lead.a": 1}, {"lead.b": 2}]}, {(1, 2), (1, 3), (4, 2)}),
        ({"not": {"any": [{"lead.a": 1}, {"lead.b": 2}]}}, {(4, 3)}),
        ({"not": {"lead.a": 1, "lead.b": 2}}, {(1, 3), (4, 2), (4, 3)}),
        ({"lead.a": 1, "not": {"lead.b": 2}}, {(1, 3)}),
    ],
)
def test_combinations(written: dict[str, Any], holds: set[tuple[int, int]]) -> None:
    """Several keys are all of them."""
    assert {(a, b) for a in (1, 4) for b in (2, 3) if passes(written, a=a, b=b)} == holds


def test_happened_asks_the_memory_for_any_of_its_conversions() -> None:
    happened = compile_condition(Happened(conversions=("demo", "trial")), {}, TYPES.get)
    assert [happened({}, memory, NOW) for memory in ({}, {"other": 1}, {"trial": 0}, {"demo": 1, "trial": 2})] == [
        False,
        False,
        True,
        True,
    ]


def test_no_condition_holds_always() -> None:
    assert compile_condition(None, {}, TYPES.get)({}, {}, NOW)


json_values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**5000), 2**63, 1e308, -0.0, 5e-324]),
    st.floats(),
    st.text(),
    st.from_regex(r"[+-]?[0-9]{1,30}(\.[0-9]{1,9})?([eE][+-]?[0-9]{1,22})?", fullmatch=True),
    st.sampled_from(
        ["Infinity", "sNaN", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "\ud800", "1_000", "٣", "\x00"]
    ),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)
TESTS: list[dict[str, Any]] = [
    {"lead.x": test}
    for test in (
        *("a", "5", 5, 0.5, True, ["a", 5, False], {"exists": True}, {"exists": False}, {"matches": "a|[0-9]"}),
        *({operator: 5} for operator in ("at_least", "at_most", "above", "below")),
        *({operator: "open", "of": "steps"} for operator in ("at_least", "at_most", "above", "below")),
        *({operator: "2026-04-01"} for operator in ("before", "after")),
    )
]


@given(st.sampled_from(TESTS), json_values)
def test_no_value_of_an_event_makes_a_test_raise(test: dict[str, Any], value: Any) -> None:
    """A bad value is no bug of ours: it would stop the worker for ever."""
    assert passes(test, x=value) in (True, False)


@given(st.sampled_from(sorted(TYPES)), st.sampled_from(TESTS), json_values)
def test_no_typed_value_makes_a_test_raise(field: str, test: dict[str, Any], value: Any) -> None:
    """What `typed` lets through, every test that fits the field can read; and what it refuses is a ValueError."""
    (condition,) = read_conditions({field: test["lead.x"]})
    assert isinstance(condition, FieldTest)
    try:
        compiled = compile_test(condition, ORDERINGS, TYPES[field])
    except (ValueError, KeyError):
        return  # configuration refuses a literal of another type
    try:
        carried = typed(value, TYPES[field])  # type: ignore[arg-type]  # a name of TYPES
    except ValueError:
        carried = None
    assert compiled(carried) in (True, False)


conditions = st.recursive(
    st.builds(FieldTest, field=st.sampled_from(["lead.a", "lead.b"]), operator=st.just("equals"), operand=st.integers(0, 2)),
    lambda inner: st.one_of(
        st.builds(Not, part=inner),
        st.builds(AllOf, parts=st.lists(inner, min_size=1, max_size=3).map(tuple)),
        st.builds(AnyOf, parts=st.lists(inner, min_size=1, max_size=3).map(tuple)),
    ),
    max_leaves=6,
)


@given(conditions, st.dictionaries(st.sampled_from(["lead.a", "lead.b"]), st.sampled_from([None, 0, 1, 2])))
def test_a_compiled_condition_means_what_its_tree_says(condition: Condition, values: dict[str, Any]) -> None:
    def judged(node: Condition) -> bool:
        match node:
            case FieldTest(field=field, operand=operand):
                return values.get(field) == operand
            case Not(part=part):
                return not judged(part)
            case AllOf(parts=parts):
                return all(map(judged, parts))
            case AnyOf(parts=parts):
                return any(map(judged, parts))
        raise AssertionError(node)

    assert compile_condition(condition, {}, TYPES.get)(values, {}, NOW) is judged(condition)
