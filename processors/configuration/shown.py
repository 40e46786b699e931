"""The configuration as it was understood, for people: defaults filled in, references replaced, and no secret in it (ER-32).

A value is a secret when its key is one (a password, a key, a token, a JAAS text), when it came from a file, or when a variable
that it came from is called like one or serves such a key elsewhere. Instead of it stands where it came from, without the default
that a reference may have. Any other value is shown, wherever it came from.
"""

import re
from collections.abc import Mapping
from typing import Any

from processors.configuration.application import WrittenApplication
from schemas.mistakes import Path, all_of

MASK = "***"

_REFERENCE = re.compile(r"\$\{(file:[^}]*|[^}:]*)[^}]*\}")
_SECRET_NAME = re.compile(r"PASS|SECRET|TOKEN|KEY|CREDENTIAL|JAAS|PRIVATE", re.IGNORECASE)


def shown(application: WrittenApplication) -> dict[str, Any]:
    """The whole configuration as plain values."""
    plain, references = application.masked(), application.references
    secrets = {name for path, written in references.items() if _at(plain, path) == MASK for name in _REFERENCE.findall(written)}
    for path, written in references.items():
        names = _REFERENCE.findall(written)
        if any(name in secrets or name.startswith("file:") or _SECRET_NAME.search(name) for name in names):
            _put(plain, path, f"{MASK} (from {all_of(f'${{{name}}}' for name in names)})")
    return plain


def shown_settings(settings: Mapping[str, object], kafka: Mapping[str, Any]) -> dict[str, str]:
    """What a client is told; a setting that is masked in `kafka`, the configuration's as shown, is masked here."""
    masked = {name: value for name, value in kafka.items() if str(value).startswith(MASK)}
    return {name: masked.get(name, str(value)) for name, value in sorted(settings.items())}


def _at(plain: Any, path: Path) -> Any:
    """The value at a place; None where the model made something else of it."""
    for part in path:
        if isinstance(plain, dict):
            plain = plain.get(part)
        elif isinstance(plain, list) and isinstance(part, int) and part < len(plain):
            plain = plain[part]
        else:
            return None
    return plain


def _put(plain: Any, path: Path, text: str) -> None:
    """Write over a place; where the model made something else of the value, over what it made."""
    *parents, last = path
    holder = _at(plain, tuple(parents))
    if isinstance(holder, dict | list) and _at(holder, (last,)) is not None:
        holder[last] = text  # type: ignore[index]  # a key of a mapping or an index of a list, as found
    elif parents:
        _put(plain, tuple(parents), text)
