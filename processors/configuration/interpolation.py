"""`${NAME}`, `${NAME:-default}` and `${file:/path}` in a configuration, replaced by what they stand for.

What came from outside may be a secret (ER-32): it is remembered, so that no sentence about it repeats it.
"""

import re
from collections.abc import Mapping
from pathlib import Path as File
from typing import Any

from schemas.mistakes import Mistake, Path, shown

_REFERENCE = re.compile(r"\$\{([^}]*)(\}|\Z)")
_VARIABLE = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?\Z", re.DOTALL)
_LARGEST_SECRET = 64 * 1024


class Interpolation:
    """One pass over a configuration.

    Attributes:
        mistakes: References that stand for nothing, with places.
    """

    def __init__(self, environment: Mapping[str, str], folder: File) -> None:
        """Prepare a pass.

        Args:
            environment: The variables.
            folder: What a relative path in `${file:..}` is relative to.
        """
        self.mistakes: list[Mistake] = []
        self._environment = environment
        self._folder = folder
        self._replaced: dict[Path, tuple[str, str]] = {}

    def resolve(self, value: Any, path: Path = ()) -> Any:
        """The value with every reference in its texts replaced."""
        if isinstance(value, dict):
            return {key: self.resolve(inner, (*path, key)) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.resolve(inner, (*path, index)) for index, inner in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        resolved = _REFERENCE.sub(lambda match: self._reference(match, path), value)
        self._replaced[path] = (value, resolved)
        return resolved

    @property
    def written(self) -> dict[Path, str]:
        """What was written in the places where references were replaced so far."""
        return {path: written for path, (written, _) in self._replaced.items()}

    def conceal(self, path: Path, value: object) -> None:
        """Take a value for a secret too, wherever it came from."""
        if isinstance(value, str | int | float):
            self._replaced.setdefault(path, ("***", str(value)))

    def concealed(self, mistake: Mistake) -> Mistake:
        """The same mistake, with what came from outside shown as it was written, and a secret not at all."""
        sentence = mistake.sentence
        for path, (written, resolved) in self._replaced.items():
            if resolved and path[: len(mistake.path)] == mistake.path:
                for form in (shown(resolved), repr(resolved), resolved):
                    sentence = sentence.replace(form, written)
        return mistake._replace(sentence=sentence)

    def _reference(self, match: re.Match[str], path: Path) -> str:
        name = match[1]
        if not match[2]:
            return self._wrong(path, "${ is not closed: write ${NAME}, ${NAME:-default} or ${file:/path}")
        if name.startswith("file:"):
            return self._file(name.removeprefix("file:"), path)
        variable = _VARIABLE.match(name)
        if variable is None:
            return self._wrong(path, f"${{{name}}} is no reference: write ${{NAME}}, ${{NAME:-default}} or ${{file:/path}}")
        found = self._environment.get(variable[1]) or variable[2]  # as in a shell, :- stands in for an empty one too
        if found is not None:
            return found
        return self._wrong(path, f"{variable[1]} is not set in the environment: set it, or write ${{{variable[1]}:-default}}")

    def _file(self, name: str, path: Path) -> str:
        file = self._folder / name
        try:
            with file.open("rb") as opened:
                return opened.read(_LARGEST_SECRET).decode().removesuffix("\n").removesuffix("\r")
        except (OSError, ValueError) as reason:
            why = reason.strerror if isinstance(reason, OSError) else "it is no UTF-8 text"
            return self._wrong(path, f"{name} cannot be read ({why}): mount the file, or write another path")

    def _wrong(self, path: Path, sentence: str) -> str:
        self.mistakes.append(Mistake(path, sentence))
        return ""
