"""Identifiers: which entity a record is about, decided on the record alone.

Until identities are linked across identifiers a fact goes to the strongest identifier of its record. Who may assert a
namespace and which values are nobody's is decided here, before the strongest is chosen, so that it never depends on
arrival (identity, R14).
"""

from collections.abc import Iterable, Mapping
from hashlib import blake2b
from typing import NamedTuple

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


class Identifier(NamedTuple):
    """The identifier a fact is addressed to."""

    text: str
    """`namespace:value`; the value is a keyed hash where the namespace says so."""
    kind: str
    """Entity kind: visitor, lead, deal, account."""


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

    def strongest(self, source: str, said: Mapping[str, str], names: Mapping[str, str]) -> Identifier | None:
        """The strongest identifier that this source may assert; None where the record has none.

        Args:
            source: Name of the source, for trust.
            said: The record's identifiers, by the format's name (`traits.email`).
            names: The format's name to the namespace.
        """
        best: tuple[int, Namespace, str] | None = None
        for name, value in said.items():
            rank, namespace = self._namespaces[names[name]]
            if best is not None and best[0] <= rank:
                continue
            if namespace.from_ and source not in namespace.from_:
                continue
            text = self._normalised(namespace, value)
            if text.lower() not in self._ignored:
                best = rank, namespace, text
        if best is None:
            return None
        _, namespace, text = best
        return Identifier(f"{namespace.name}:{self._published(namespace, text)}", namespace.kind)

    def named(self, text: str) -> str | None:
        """The identifier that a person means by `namespace:value`, as it is published; None where no namespace has that name."""
        name, _, value = text.partition(":")
        if name not in self._namespaces:
            return None
        _, namespace = self._namespaces[name]
        if namespace.normalise == "email" and "@" in value:  # else it is the hash already
            return f"{name}:{self._published(namespace, self._normalised(namespace, value))}"
        return text

    def _normalised(self, namespace: Namespace, value: str) -> str:
        return value.strip().lower() if namespace.normalise == "email" else value.strip()

    def _published(self, namespace: Namespace, text: str) -> str:
        """Personal values never enter a topic or the store: a keyed hash stands for them from the first step on."""
        if namespace.normalise != "email":
            return text
        return blake2b(text.encode(), key=self._hash_key, digest_size=16).hexdigest()
