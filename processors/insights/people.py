"""Subjects and what happened to them, as visitors may see it: personal values masked unless the configuration shows them."""

from typing import Any, NamedTuple

import msgspec

from processors.insights.questions import LONGEST, handle_of, missing
from processors.insights.read_model import ReadModel
from processors.insights.settings import InsightsSettings
from processors.projection.journal import Happening

_LONGEST_PATH = 500
"""Transitions of one subject that are shown: the newest."""


class Found(NamedTuple):
    """A subject: its handle, and its identifier as it may be seen."""

    handle: str
    subject: str


class Lead(NamedTuple):
    """A subject with its snapshots and its path, as plain records."""

    handle: str
    subject: str
    snapshots: list[dict[str, Any]]
    path: list[dict[str, Any]]


class People:
    """Looks subjects up."""

    def __init__(self, settings: InsightsSettings, model: ReadModel) -> None:
        self._mask = settings.mask
        self._named = settings.named
        self._model = model

    async def find(self, identifier: str) -> Found | None:
        """The subject of an identifier, `namespace:value`; None where nothing was published of it."""
        named = self._named(identifier.strip()) if len(identifier) <= LONGEST else None
        if named is None:
            return None
        handle = self._model.handle(named)
        there = await self._model.ask(lambda: self._model.journal.snapshots(handle) or self._model.journal.path(handle, 1))
        return Found(handle.hex(), self._mask.identifier(named)) if there else None

    async def lead(self, text: str) -> Lead:
        """The subject of a handle.

        Raises:
            HTTPNotFound: There is none.
        """
        handle, journal = handle_of(text), self._model.journal
        snapshots, path = await self._model.ask(lambda: (journal.snapshots(handle), journal.path(handle, _LONGEST_PATH)))
        if not snapshots and not path:
            raise missing("There is no such lead.")
        shown = [self._shown(body) for body in snapshots], [self._shown(body) for body in path]
        subject = (shown[0] or shown[1])[0]["subject"]["id"]
        return Lead(text, subject, *shown)

    def transition(self, happening: Happening) -> tuple[str, dict[str, Any]]:
        """A published operation: the handle of its subject, and the record."""
        plain = msgspec.json.decode(happening.body)
        return self._model.handle(plain["subject"]["id"]).hex(), self._masked(plain)

    def _shown(self, body: bytes) -> dict[str, Any]:
        return self._masked(msgspec.json.decode(body))

    def _masked(self, plain: Any) -> dict[str, Any]:
        shown: dict[str, Any] = self._mask.body(plain)
        return shown
