"""What the language has and the engine has not, yet: refused by name, so that nothing is parsed and silently ignored.

Two tables. A release that builds something deletes its lines here. Segments and rates are accepted: they change no timeline.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from processors.configuration.application import WrittenApplication
from processors.configuration.definition_file import DefinitionFile
from processors.configuration.definitions import DefinitionSet
from processors.configuration.outline import Outline, Rule
from processors.configuration.problems import Problem, in_order
from processors.configuration.yaml_source import Document
from processors.sources import FORMATS
from schemas.definitions import Funnel
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
    _Unbuilt("the operator passed", _testing("passed"), "test another field, or leave the test out"),
    _Unbuilt("counting once_per_deal", _at("conversions", "*", "count", only=("once_per_deal",)), "write every or once_per_lead"),
    _Unbuilt(
        "counting once_per_session", _at("conversions", "*", "count", only=("once_per_session",)), "write every or once_per_lead"
    ),
    _Unbuilt("counting once_per_window", _at("conversions", "*", "count", "once_per_window"), "write every or once_per_lead"),
    _Unbuilt("value of a conversion", _at("conversions", "*", "value"), "leave it out"),
    _Unbuilt("expires", _at("stages", "*", "expires"), "leave it out"),
    _Unbuilt("sla", _at("stages", "*", "sla"), "leave it out"),
    _Unbuilt("a rule that reads deal.*", _reading("deal"), "write a rule on lead.*"),
    _Unbuilt("a rule that reads account.*", _reading("account"), "write a rule on lead.*"),
    _Unbuilt("a funnel of deals or accounts", _at("subject", only=("deal", "account")), "write subject: lead or visitor"),
    _Unbuilt("also (further grains)", _at("also"), "leave it out"),
    _Unbuilt("shadow", _at("shadow", only=(True,)), "write effective_from"),
    _Unbuilt("retired", _at("retired"), "leave it out"),
    _Unbuilt("value of a funnel", _at("value"), "leave it out"),
)
_IN_APPLICATION = (
    _Unbuilt("this format", _at("sources", "*", "format", unless=FORMATS), "leave the source out"),
    _Unbuilt("snapshot: count", _at("sources", "*", "snapshot", only=("count",)), "write seed"),
    _Unbuilt("look_back", _at("identity", "look_back"), "leave it out"),
    _Unbuilt("max_per_lead", _at("identity", "namespaces", "*", "max_per_lead"), "leave it out"),
    _Unbuilt("limits.label_values", _at("limits", "label_values"), "leave it out"),
    _Unbuilt("money", _at("money"), "leave it out"),
    _Unbuilt("insights", _at("insights"), "leave it out"),
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
        if file.outline.is_library:
            problems.append(
                _problem(file.document, ("conversions",), "a shared library", "write its conversions into the funnel")
            )
    return in_order([*problems, *_versions(definitions)])


def _found(table: tuple[_Unbuilt, ...], document: Document, data: Mapping[str, Any]) -> list[Problem]:
    return [_problem(document, path, name, instead) for name, uses, instead in table for path in uses(data)]


def _versions(definitions: DefinitionSet) -> Iterator[Problem]:
    first: dict[str, DefinitionFile] = {}
    for file in sorted(definitions.files, key=lambda file: file.model.version if file.model is not None else 0):
        if isinstance(file.model, Funnel) and first.setdefault(file.model.funnel, file) is not file:
            instead = f"keep this file or {first[file.model.funnel].document.file}"
            yield _problem(file.document, ("version",), f"more than one version of a funnel ({file.model.funnel})", instead)


def _problem(document: Document, path: Path, name: str, instead: str) -> Problem:
    return document.problem(Mistake(path, f"{name} is not built yet: {instead}", of_key=True))
