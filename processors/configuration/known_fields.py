"""Which canonical fields there are, of which type, and what sources say of deals.

With an application they are exactly those its sources give. Without one nobody can know what a CRM has, so only a name
that is one slip away from a well-known one is refused.
"""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

from schemas.application import Application, Source
from schemas.field_names import STATE_GRAINS, WELL_KNOWN, is_state_field
from schemas.fields import FieldType, field_type, fields_of
from schemas.mistakes import one_of, suggestion

_OF_LEADS = frozenset({"lead", "visitor"})
_KINDS = {"lead": _OF_LEADS, "deal": frozenset({"deal"}), "account": _OF_LEADS | {"account"}}
"""By the grain of a field: kinds of identifier of which a record that gives it carries one."""
_SLIP = 0.85
"""Likeness of two names from which one is taken for a slip of the other: `stge` of stage, but not `state`."""


class KnownFields:
    """The fields of an application, or those that are well known."""

    def __init__(self, application: Application | None) -> None:
        """Collect what the sources of `application` give; None: no application is known."""
        self._types: dict[str, FieldType] | None = None
        self._application = application
        if application is not None:
            sources = application.sources.values()
            self._types = {name: field.type for source in sources for name, field in fields_of(source).items()}

    def complaint(self, name: str) -> str | None:
        """What is wrong with a name of a canonical field, as a sentence; None when nothing is."""
        if not is_state_field(name):
            begins = one_of(f"{grain}." for grain in STATE_GRAINS)
            return f"{name} is no field{suggestion(name, WELL_KNOWN)} (fields begin with {begins})"
        if self._types is None:
            slip = _slip_of(name)
            return f"{name} is no field; did you mean {slip}?" if slip else None
        if name in self._types:
            return None
        close = get_close_matches(name, self._types, n=1, cutoff=0.75)
        hint = f"did you mean {close[0]}?" if close else self._mend(name)
        return f"{name} is no field of any source; {hint}"

    @property
    def of_leads_deals(self) -> bool:
        """Whether some record could carry a deal and its lead; a deal without is of no lead. True where nothing is known."""
        if self._application is None:
            return True
        wanted = (_KINDS["deal"], _KINDS["lead"])
        return any(
            all(kinds & named for named in wanted)
            for source in self._application.sources.values()
            for kinds in _kinds_together(source, self._application)
        )

    def _mend(self, name: str) -> str:
        """Where a source says which of its own fields this is: a mapping in its records, any other in its `fields`."""
        if self._application is None:
            return ""
        grain = name.partition(".")[0]
        sources = self._application.sources.values()
        giving = [
            source for source in sources if any(kinds & _KINDS[grain] for kinds in _kinds_together(source, self._application))
        ]
        mapped = {source.format == "mapping" for source in giving or sources}
        in_fields = f"map it in the `fields` of a source, {name}: {{from: ITS_NAME}}"
        in_records = f"write it in the `set` of a mapping's record with change: {grain}, {name}: ITS_PATH"
        if mapped == {True}:
            return in_records
        return f"{in_fields}, or {in_records}" if True in mapped else in_fields

    def type_of(self, name: str) -> FieldType | None:
        """The type of a field; None where it is not known, because a source could give it another one."""
        if self._types is not None:
            return self._types.get(name)
        known_by_name = name in WELL_KNOWN or field_type(name) != "text"
        return field_type(name) if known_by_name else None


def _kinds_together(source: Source, application: Application) -> list[set[str]]:
    """Of each kind of record of a source: the kinds of identifier that it may carry."""

    def kinds(names: Iterable[str]) -> set[str]:
        return {namespace.kind for namespace in application.identity.namespaces if namespace.name in names}

    if source.mapping is not None:
        return [kinds({*shape.identifiers.values(), *shape.attach.values()}) for shape in source.mapping.records]
    of_deals = {"deal" for name in source.identifiers if name.startswith("deal.")}
    return [kinds({*source.identifiers.values()}) | of_deals]


def _slip_of(name: str) -> str | None:
    if name in WELL_KNOWN:
        return None
    grain, _, rest = name.partition(".")
    if re.sub(r"_?[0-9]+\Z", "", name) in WELL_KNOWN:  # owner_2 is another field, not a slip
        return None
    for known in WELL_KNOWN:
        known_grain, _, known_rest = known.partition(".")
        same_letters = sorted(rest) == sorted(known_rest)
        if grain == known_grain and (same_letters or SequenceMatcher(None, rest[:200], known_rest).ratio() >= _SLIP):
            return known
    return None
