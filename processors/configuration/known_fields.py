"""Which canonical fields there are, and of which type.

With an application they are exactly those its sources give. Without one nobody can know what a CRM has, so only a name
that is one slip away from a well-known one is refused.
"""

import re
from difflib import SequenceMatcher, get_close_matches

from schemas.application import Application
from schemas.field_names import STATE_GRAINS, WELL_KNOWN, is_state_field
from schemas.fields import FieldType, field_type, fields_of
from schemas.mistakes import one_of, suggestion

_SLIP = 0.85
"""Likeness of two names from which one is taken for a slip of the other: `stge` of stage, but not `state`."""


class KnownFields:
    """The fields of an application, or those that are well known."""

    def __init__(self, application: Application | None) -> None:
        """Collect what the sources of `application` give; None: no application is known."""
        self._types: dict[str, FieldType] | None = None
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
        hint = f"did you mean {close[0]}?" if close else f"map it in the `fields` of a source, {name}: {{from: ITS_NAME}}"
        return f"{name} is no field of any source; {hint}"

    def type_of(self, name: str) -> FieldType | None:
        """The type of a field; None where it is not known, because a source could give it another one."""
        if self._types is not None:
            return self._types.get(name)
        known_by_name = name in WELL_KNOWN or field_type(name) != "text"
        return field_type(name) if known_by_name else None


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
