"""The application's configuration from its file: references replaced, checked whole, every mistake in one go."""

from collections.abc import Iterator, Mapping
from pathlib import Path as File
from typing import Any

from pydantic import PrivateAttr

from processors.configuration.interpolation import Interpolation
from processors.configuration.problems import Problem, in_order
from processors.configuration.sentences import validated
from processors.configuration.wiring import check_wiring
from processors.configuration.yaml_source import Document, read_document
from schemas.application import Application, OwnTopics, Topics
from schemas.kafka_settings import check_kafka
from schemas.mistakes import Mistake, Path

_SECRETS = (("identity", "hash_key"), ("insights", "token"))


class WrittenApplication(Application):
    """An application that was read from a file, and knows where everything is written in it."""

    _document: Document = PrivateAttr()
    _references: Mapping[Path, str] = PrivateAttr()

    @property
    def document(self) -> Document:
        """The file it was read from."""
        return self._document

    @property
    def references(self) -> Mapping[Path, str]:
        """What was written where references were replaced, by place."""
        return self._references


def load_application(path: File | str, environment: Mapping[str, str]) -> tuple[WrittenApplication | None, list[Problem]]:
    """Read a configuration.

    Args:
        path: The file. Relative paths in it are relative to its folder.
        environment: The variables that `${NAME}` stands for.

    Returns:
        The application (None when there are errors), and every problem by place.

    Raises:
        Unreadable: The file is missing or cannot be read.
    """
    file = File(path)
    document = read_document(file)
    if document.data is None:
        return None, document.problems
    if not isinstance(document.data, dict):
        sentence = "a configuration is a mapping of keys to values: write application: NAME, definitions: FOLDER and so on"
        return None, [*document.problems, document.problem(Mistake((), sentence))]
    references = Interpolation(environment, file.parent)
    written = references.resolve(document.data)
    written_references = references.written
    for section, key in _SECRETS:
        if isinstance(given := written.get(section), dict):
            references.conceal((section, key), given.get(key))
    application, mistakes = validated(WrittenApplication, written)
    unresolved = {mistake.path for mistake in references.mistakes}
    mistakes = [mistake for mistake in (*mistakes, *_cross_checks(written)) if mistake.path not in unresolved]
    problems = [*document.problems, *map(document.problem, references.mistakes)]
    problems += [document.problem(references.concealed(mistake)) for mistake in mistakes]
    if problems or application is None:
        return None, in_order(problems)
    application = _anchored(application, file.parent)
    application._document = document
    application._references = written_references
    return application, []


def _cross_checks(written: Mapping[str, Any]) -> Iterator[Mistake]:
    limits = written.get("limits")
    if isinstance(kafka := written.get("kafka"), dict):
        yield from check_kafka(kafka, limits.get("batch_time") if isinstance(limits, dict) else None)
    yield from check_wiring(written, _own_topics(written))


def _own_topics(written: Mapping[str, Any]) -> OwnTopics | None:
    """Our topics as far as their own section and the name can be read: the rest of the file may still have mistakes."""
    topics, _ = validated(Topics, written.get("topics", {}))
    return None if topics is None else topics.resolved(str(written.get("application")))


def _anchored(application: WrittenApplication, folder: File) -> WrittenApplication:
    """Paths in a configuration are relative to its folder, not to where the command was started."""
    money = application.money
    return application.model_copy(
        update={
            "definitions": str(folder / application.definitions),
            "state": application.state.model_copy(update={"path": str(folder / application.state.path)}),
            "money": money and money.model_copy(update={"rates": str(folder / money.rates)}),
        }
    )
