"""Parts of a configuration as written, whatever their form: what is of another form than expected is not there.

The models say so where it stands; the checks that look at several parts go on with the rest.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from schemas.mistakes import Path


def mapping_in(written: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The mapping under a key; empty where there is none."""
    value = written.get(key)
    return value if isinstance(value, dict) else {}


def texts_in(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    """A text or the texts of a list, each with its place."""
    if isinstance(value, str):
        yield path, value
    for index, item in enumerate(value if isinstance(value, list) else []):
        if isinstance(item, str):
            yield (*path, index), item


def there_are(what: str, names: Mapping[str, Any]) -> str:
    """The end of a sentence about a name that does not exist: those that do."""
    return f": write one of the declared {what} ({', '.join(names)})" if names else f": there are no {what}; declare one first"
