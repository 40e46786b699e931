"""The catalogue: definitions as a Markdown document, for those who read the numbers.

Of each funnel the newest version is described and all versions are listed. Of a conversion it says where it is used: the stages,
detours and outcomes that it enters, and the rates that begin or end there; of a shared one in every funnel that uses it.
"""

from collections.abc import Iterable, Sequence, Set
from itertools import groupby

from processors.shown.wording import Rule, count_words, list_words, rule_words, signals_words, traits_words
from schemas.definitions import Conversion, Funnel, Library, Rate, Segment, Stage
from schemas.instants import format_instant
from schemas.quantities import format_duration

_RULES = {
    "first_touch": "of the first touch",
    "last_touch": "of the last touch before entry",
    "at_entry": "at entry",
    "current": "as it is now",
}
_BACKWARD = {
    "allow": "A lead may move back.",
    "flag": "A move back is flagged as a violation.",
    "ignore": "A lead never moves back.",
}
_SKIP = {"flag": "Skipping a stage is flagged as a violation.", "allow": "Stages may be skipped."}
_AFTER_OUTCOME = {
    "ignore": "An outcome is final while it is true.",
    "reenter": "A new signal after an outcome starts a new path.",
}


def catalogue(funnels: Sequence[Funnel], libraries: Sequence[Library], chosen: Set[str] = frozenset()) -> str:
    """The whole document.

    Args:
        funnels: Every version of every funnel, by name and version.
        libraries: Shared conversions.
        chosen: Names of the funnels and libraries to describe; empty: all.
    """
    histories = [list(versions) for _, versions in groupby(funnels, key=lambda funnel: funnel.funnel)]
    newest = [versions[-1] for versions in histories]
    parts = ["# Funnels", *_contents(newest, libraries, chosen)]
    for versions in histories:
        if not chosen or versions[-1].funnel in chosen:
            parts += _funnel(versions)
    for library in libraries:
        if not chosen or library.name in chosen:
            parts += _library(library, newest)
    return "\n\n".join(parts)


def _contents(newest: Sequence[Funnel], libraries: Sequence[Library], chosen: Set[str]) -> list[str]:
    rows = [
        (_link(funnel.funnel), funnel.owner, f"per {funnel.subject}", list_words(stage.name for stage in funnel.stages))
        for funnel in newest
        if not chosen or funnel.funnel in chosen
    ]
    rows += [
        (_link(library.name), library.owner, "shared conversions", list_words(each.name for each in library.conversions))
        for library in libraries
        if not chosen or library.name in chosen
    ]
    return [_table(("name", "owner", "counts", "consists of"), rows)]


def _link(name: str) -> str:
    return f"[{name}](#{name.lower()})"


def _funnel(versions: Sequence[Funnel]) -> list[str]:
    funnel = versions[-1]
    grains = "".join(f", and also per {grain}" for grain in funnel.also)
    parts = [
        f"## {funnel.funnel}",
        f"{funnel.owner} answers for it. It counts per {funnel.subject}{grains}.",
        _versions(versions),
    ]
    counting = {conversion.name for conversion in funnel.all_conversions}
    own = [_conversion(conversion, funnel.owner, [funnel]) for conversion in funnel.conversions]
    shared = [
        _conversion(conversion, library.owner, [funnel], library)
        for library in funnel.libraries
        for conversion in library.conversions
        if conversion.name in counting
    ]
    if own or shared:
        parts += ["### Conversions", _table(_CONVERSION_COLUMNS, [*own, *shared])]
    parts += [
        "### Stages",
        _table(("", "stage", "means", "is entered", "besides"), list(map(_stage, enumerate(funnel.stages, 1)))),
    ]
    if funnel.detours:
        rows = [(f"`{detour.name}`", _said(detour), rule_words(detour), _at(detour)) for detour in funnel.detours]
        parts += ["### Detours", _table(("detour", "means", "is entered", "besides"), rows)]
    if funnel.outcomes:
        ends = [(f"`{end.name}`", end.result, _said(end), rule_words(end), _at(end)) for end in funnel.outcomes]
        parts += ["### Outcomes", _table(("outcome", "result", "means", "is entered", "besides"), ends)]
    return [*parts, "### Policies", _policies(funnel), *_numbers(funnel)]


def _versions(versions: Sequence[Funnel]) -> str:
    rows = [
        (
            str(version.version),
            "runs beside (shadow)" if version.effective_from is None else format_instant(version.effective_from),
            version.owner,
            version.reason,
            f"`{version.digest.removeprefix('sha256:')[:12]}`",
        )
        for version in reversed(versions)
    ]
    return _table(("version", "applies from", "owner", "why", "digest"), rows)


_CONVERSION_COLUMNS = ("conversion", "what counts", "is recognised by", "how it is counted", "only one of", "owner", "used in")


def _conversion(conversion: Conversion, owner: str, funnels: Sequence[Funnel], library: Library | None = None) -> tuple[str, ...]:
    shared = f" (from [{library.name}](#{library.name.lower()}))" if library is not None else ""
    uses = [use for funnel in funnels for use in _uses(conversion.name, funnel, named=len(funnels) > 1)]
    value = f", with {conversion.value.amount}" if conversion.value is not None else ""
    return (
        f"`{conversion.name}`{shared}",
        conversion.description,
        signals_words(conversion.when),
        count_words(conversion.count) + value,
        conversion.exclusive or "-",
        conversion.owner or owner,
        "; ".join(uses) or "counted, moves nobody",
    )


def _uses(name: str, funnel: Funnel, *, named: bool) -> list[str]:
    """Where a funnel uses a conversion: its places, other conversions, and the rates that begin or end at one of the places."""
    places = [rule.name for rule in funnel.places if any(name in part.asks_for for part in (*rule.when, *rule.while_))]
    others = [each.name for each in funnel.all_conversions if any(name in signal.asks_for for signal in each.when)]
    rates = [f"rate {rate.from_} to {rate.to}" for rate in funnel.rates if {rate.from_, rate.to} & set(places)]
    uses = [f"`{place}`" for place in places] + [f"conversion `{other}`" for other in others] + rates
    return [f"{funnel.funnel}: {', '.join(uses)}"] if named and uses else uses


def _stage(numbered: tuple[int, Stage]) -> tuple[str, ...]:
    number, stage = numbered
    return str(number), f"`{stage.name}`", _said(stage), rule_words(stage), _at(stage, *traits_words(stage))


def _said(rule: Rule) -> str:
    return rule.description or "-"


def _at(rule: Rule, *traits: str) -> str:
    return "; ".join([*([f"entered at {rule.at}"] if rule.at is not None else []), *traits]) or "-"


def _policies(funnel: Funnel) -> str:
    policies = funnel.policies
    lateness = f"A record that arrives more than {format_duration(policies.lateness)} after its time is not used."
    said = [_BACKWARD[policies.backward], _SKIP[policies.skip], _AFTER_OUTCOME[policies.after_outcome], lateness]
    retired = [f"`{old}` of an earlier version is now `{new}`." for old, new in funnel.retired.items() if new != "remove"]
    removed = [f"`{old}` of an earlier version is gone." for old, new in funnel.retired.items() if new == "remove"]
    orders = [f"Order of {name}: {', '.join(values)}." for name, values in funnel.orderings.items()]
    money = [f"Each entry keeps {funnel.value.amount} in {funnel.value.currency}."] if funnel.value is not None else []
    return "\n".join(f"- {sentence}" for sentence in (*said, *money, *orders, *retired, *removed))


def _numbers(funnel: Funnel) -> list[str]:
    parts = []
    if funnel.segments:
        parts += [
            "### Segments",
            _table(("segment", "value", "taken", "shown"), [_segment(*each) for each in funnel.segments.items()]),
        ]
    if funnel.rates:
        columns = ("rate", "within", "cohorts by", "per", "counts")
        parts += ["### Rates", _table(columns, [_rate(rate, funnel) for rate in funnel.rates])]
    return parts


def _segment(name: str, segment: Segment) -> tuple[str, ...]:
    touch = f", a touch is {signals_words([segment.touch])}" if segment.touch is not None else ""
    return f"`{name}`", ", else ".join(segment.value), _RULES[segment.rule] + touch, f"the {segment.top} largest"


def _rate(rate: Rate, funnel: Funnel) -> tuple[str, ...]:
    within = "any time" if rate.within is None else format_duration(rate.within)
    counts = "those who reached both" if rate.count == "reached" else "those who were in both"
    entries = ", first entries" if rate.entries == "first" else ", every entry"
    return f"`{rate.from_}` to `{rate.to}`", within, rate.cohort, rate.grain or funnel.subject, counts + entries


def _library(library: Library, newest: Sequence[Funnel]) -> list[str]:
    using = [funnel for funnel in newest if library.name in {each.name for each in funnel.libraries}]
    users = list_words(f"`{funnel.funnel}`" for funnel in using)
    rows = [_shared_conversion(conversion, library, using) for conversion in library.conversions]
    head = f"{library.owner} answers for it. Shared conversions, version {library.version}, used by {users}."
    return [f"## {library.name}", head, _table(_CONVERSION_COLUMNS, rows)]


def _shared_conversion(conversion: Conversion, library: Library, using: Sequence[Funnel]) -> tuple[str, ...]:
    *cells, _ = _conversion(conversion, library.owner, using)
    uses = [use for funnel in using for use in _uses(conversion.name, funnel, named=True)]
    return (*cells, "; ".join(uses) or "nowhere")


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
