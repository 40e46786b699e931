"""What the language has and the engine has not, yet: refused by name, so that nothing is parsed and silently ignored.

Two tables. A release that builds something deletes its lines here. Rates are accepted: they change no timeline.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from processors.configuration.application import WrittenApplication
from processors.configuration.definitions import DefinitionSet
from processors.configuration.outline import Outline, Rule
from processors.configuration.problems import Problem, in_order
from processors.configuration.yaml_source import Document
from processors.sources import FORMATS
from schemas.mistakes import Mistake, Path

_Uses = Callable[[Mapping[str, Any]], Iterator[Path]]


class _Unbuilt(NamedTuple):
    """A part of the language: its name, where a file uses it, and what to write instead."""

    name: str
    uses: _Uses
    instead: str


def _at(*pattern: str, only: tuple[Any, ...] = (), unless: tuple[Any, ...] = ()) -> _Uses:
    """Where something is written at `pattern` (`*`: every entry); of some values `only`, or of all values `unless` some."""

    def found(value: Any, rest: tuple[str, ...], path: Path) -> Iterator[Path]:
        if not rest:
            if value not in (None, [], {}) and (value in only or not only) and value not in unless:
                yield path
            return
        entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
        for key, inner in entries:
            if rest[0] in ("*", key):
                yield from found(inner, rest[1:], (*path, key))

    return lambda data: found(data, pattern, ())


def _rules(uses: Callable[[Rule], Iterator[Path]]) -> _Uses:
    return lambda data: (path for rule in Outline(data).rules for path in uses(rule))


def _reading(grain: str) -> _Uses:
    def uses(rule: Rule) -> Iterator[Path]:
        at = rule.keys.get("at")
        if isinstance(at, str) and at.startswith(f"{grain}."):
            yield (*rule.path, "at")
        yield from (path for path, test in rule.read.tests if test.field.startswith(f"{grain}."))

    return _rules(uses)


def _testing(operator: str) -> _Uses:
    return _rules(lambda rule: (path for path, test in rule.read.tests if test.operator == operator))


_IN_DEFINITIONS = (
    _Unbuilt("a rule that reads account.*", _reading("account"), "write a rule on lead.*"),
    _Unbuilt("a funnel of accounts", _at("subject", only=("account",)), "write subject: visitor, lead or deal"),
    _Unbuilt(
        "also account", _at("also", "*", only=("visitor", "lead", "account")), "leave it out: only deal is published beside"
    ),
    _Unbuilt("shadow", _at("shadow", only=(True,)), "write effective_from"),
)
_IN_APPLICATION = (
    _Unbuilt("this format", _at("sources", "*", "format", unless=FORMATS), "leave the source out"),
    _Unbuilt("snapshot: count", _at("sources", "*", "snapshot", only=("count",)), "write seed"),
    _Unbuilt("look_back", _at("identity", "look_back"), "leave it out"),
    _Unbuilt("max_per_lead", _at("identity", "namespaces", "*", "max_per_lead"), "leave it out"),
)


def unbuilt(definitions: DefinitionSet, application: WrittenApplication) -> list[Problem]:
    """Everything in valid definitions and a valid configuration that `run` and `replay` cannot do yet, by place."""
    in_application = _found(_IN_APPLICATION, application.document, application.model_dump(by_alias=True))
    return in_order([*in_application, *unbuilt_in(definitions)])


def unbuilt_in(definitions: DefinitionSet) -> list[Problem]:
    """What of it the definitions use."""
    problems: list[Problem] = []
    for file in definitions.files:
        problems += _found(_IN_DEFINITIONS, file.document, file.outline.keys)
    return in_order(problems)


def _found(table: tuple[_Unbuilt, ...], document: Document, data: Mapping[str, Any]) -> list[Problem]:
    return [_problem(document, path, name, instead) for name, uses, instead in table for path in uses(data)]


def _problem(document: Document, path: Path, name: str, instead: str) -> Problem:
    return document.problem(Mistake(path, f"{name} is not built yet: {instead}", of_key=True))
