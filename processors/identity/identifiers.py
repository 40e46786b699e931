"""Identifiers: which entity a record is about, decided on the record alone.

Until identities are linked across identifiers a fact goes to the strongest identifier of its record. Who may assert a
namespace and which values are nobody's is decided here, before the strongest is chosen, so that it never depends on
arrival (identity, R14).
"""

from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b

import msgspec

from schemas.application import Namespace

SHARED_VALUES = frozenset(
    {
        "",
        "0",
        "-",
        "n/a",
        "na",
        "nan",
        "nil",
        "none",
        "null",
        "undefined",
        "unknown",
        "anonymous",
        "guest",
        "test",
        "true",
        "false",
        "[object object]",
        "00000000-0000-0000-0000-000000000000",
    }
)
"""Values that sources send for nobody in particular; a lead made of them would be a crowd. Compared in lower case."""


class Identifier(msgspec.Struct, frozen=True, gc=False):
    """The identifier a fact is addressed to."""

    text: str
    """`namespace:value`; the value is a keyed hash where the namespace says so."""
    kind: str
    """Entity kind: visitor, lead, deal, account."""


Ranked = Sequence[tuple[str, Namespace]]
"""A format's names of identifiers with their namespaces, strongest first."""


class Identifiers:
    """Chooses the strongest identifier of a record."""

    def __init__(self, namespaces: Iterable[Namespace], ignore: Iterable[str], hash_key: bytes) -> None:
        """Prepare the choice.

        Args:
            namespaces: Strongest first.
            ignore: Values to ignore beside the shipped list.
            hash_key: Key of the hash that stands for personal values (`normalise: email`).
        """
        self._namespaces = {namespace.name: (rank, namespace) for rank, namespace in enumerate(namespaces)}
        self._ignored = SHARED_VALUES | {value.lower() for value in ignore}
        self._hash_key = hash_key

    def ranked(self, source: str, names: Mapping[str, str]) -> Ranked:
        """Which identifiers of a source's records count, strongest first; those that the source may not assert are left out.

        Args:
            source: Name of the source, for trust.
            names: The format's name of an identifier (`traits.email`) to its namespace.
        """
        known = [(*self._namespaces[namespace], name) for name, namespace in names.items()]
        known.sort(key=lambda each: each[0])
        return [(name, namespace) for _, namespace, name in known if not namespace.from_ or source in namespace.from_]

    def strongest(self, said: Mapping[str, str], ranked: Ranked) -> Identifier | None:
        """The strongest identifier that the source of a record may assert; None where the record has none.

        Args:
            said: The record's identifiers, by the format's name.
            ranked: Of its source, see `ranked`.
        """
        for name, namespace in ranked:
            value = said.get(name)
            if value is None:
                continue
            text = value.strip()
            lower = text.lower()
            if lower not in self._ignored:
                published = self._hashed(lower) if namespace.normalise == "email" else text
                return Identifier(f"{namespace.name}:{published}", namespace.kind)
        return None

    def named(self, text: str) -> str | None:
        """The identifier that a person means by `namespace:value`, as it is published; None where no namespace has that name."""
        name, _, value = text.partition(":")
        if name not in self._namespaces:
            return None
        _, namespace = self._namespaces[name]
        if namespace.normalise == "email" and "@" in value:  # else it is the hash already
            return f"{name}:{self._hashed(value.strip().lower())}"
        return text

    def _hashed(self, address: str) -> str:
        """Personal values never enter a topic or the store: a keyed hash stands for them from the first step on.

        Args:
            address: In lower case: two that differ in nothing else are one.
        """
        return blake2b(address.encode(), key=self._hash_key, digest_size=16).hexdigest()
