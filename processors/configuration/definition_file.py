"""One definition file: what was written and where, its outline, and the model where it is one."""

from pathlib import Path as File
from typing import Any

from pydantic import ValidationError

from processors.configuration.outline import Outline
from processors.configuration.sentences import mistakes_in
from processors.configuration.yaml_source import Document
from schemas.definitions import Funnel, Library
from schemas.mistakes import Mistake
from schemas.quantities import FROM_FILE


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

    def _validate(self, data: dict[str, Any]) -> None:
        shape = Library if self.outline.is_library else Funnel
        try:
            model = shape.model_validate(data, context=FROM_FILE)
        except ValidationError as error:
            self.mistakes = mistakes_in(shape, error)
        else:
            self.model = model.named(File(self.document.file).stem) if isinstance(model, Library) else model
