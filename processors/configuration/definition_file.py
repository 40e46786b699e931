"""One definition file: what was written and where, its outline, and the model where it is one."""

from pathlib import Path as File
from typing import Any

from processors.configuration.outline import Outline
from processors.configuration.sentences import validated
from processors.configuration.yaml_source import Document
from schemas.definitions import Funnel, Library
from schemas.mistakes import Mistake


class DefinitionFile:
    """One file.

    Attributes:
        document: What was written, and where.
        outline: Its rules.
        model: None while there are mistakes of form.
        mistakes: Those mistakes.
    """

    def __init__(self, document: Document) -> None:
        """Validate what a document says."""
        self.document = document
        self.outline = Outline(document.data)
        self.model: Funnel | Library | None = None
        self.mistakes: list[Mistake] = []
        if isinstance(document.data, dict):
            self._validate(document.data)
        elif document.data is not None:
            self.mistakes.append(
                Mistake((), "a definition is a mapping of keys to values: write funnel: NAME, version: 1 and so on")
            )

    @property
    def name(self) -> str:
        """Of the funnel or the library; empty while there are mistakes of form."""
        if self.model is None:
            return ""
        return self.model.funnel if isinstance(self.model, Funnel) else self.model.name

    def is_at(self, path: File) -> bool:
        """Whether it is the file of this path, however either was written."""
        return File(self.document.file).absolute() == path.absolute()

    def _validate(self, data: dict[str, Any]) -> None:
        if not self.outline.is_library:
            self.model, self.mistakes = validated(Funnel, data)
            return
        library, self.mistakes = validated(Library, data)
        self.model = None if library is None else library.named(File(self.document.file).stem)
