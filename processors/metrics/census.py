"""The census: a funnel counted from its published records, so that the numbers are those that consumers can check.

Counts are net: of each transition or conversion id the last operation stands, whatever was announced on the way.
People are counted once per place however often they entered it; *touched* is who really entered a stage, *reached*
also who passed it (rule 5). Leads and their deals are counted apart (rule 13).
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class StageCount(NamedTuple):
    """People in one place of a funnel."""

    name: str
    reached: int
    touched: int
    now: int
    """How many stand there."""


class ConversionCount(NamedTuple):
    """Matches of one conversion."""

    name: str
    counted: int
    repeats: int
    advanced: int


class FunnelOutline(NamedTuple):
    """What of a definition a count needs: the names, in order. A funnel that publishes a further grain has one for each."""

    funnel: str
    version: int
    subject: str
    stages: Sequence[str]
    outcomes: Sequence[str]
    conversions: Sequence[str]


class Census:
    """Counts one funnel at one grain. Feed it published bodies in the order of their topic."""

    def __init__(self, outline: FunnelOutline) -> None:
        self.outline = outline
        self._transitions: dict[str, Mapping[str, Any]] = {}
        self._conversions: dict[str, Mapping[str, Any]] = {}
        self._positions: dict[str, str | None] = {}

    def transition(self, body: Mapping[str, Any]) -> None:
        """One record of the transitions topic; those of other funnels and grains are passed over."""
        self._keep(self._transitions, body, "transition_id")

    def conversion(self, body: Mapping[str, Any]) -> None:
        """One record of the conversions topic."""
        self._keep(self._conversions, body, "conversion_id")

    def lead(self, key: str, body: Mapping[str, Any] | None) -> None:
        """One record of the leads topic, `key` being grain/id/funnel; None is a tombstone."""
        if key.rpartition("/")[2] != self.outline.funnel or not key.startswith(f"{self.outline.subject}/"):
            return
        if body is None:
            self._positions.pop(key, None)
        else:
            self._positions[key] = _place(body["position"])

    def _keep(self, net: dict[str, Mapping[str, Any]], body: Mapping[str, Any], identity: str) -> None:
        if body["funnel"] != self.outline.funnel or body["subject"]["kind"] != self.outline.subject:
            return
        known = net.get(body[identity])
        if known is None or body["revision"] > known["revision"]:
            net[body[identity]] = body

    def stages(self) -> list[StageCount]:
        """The stages in funnel order."""
        return [self._count(name) for name in self.outline.stages]

    def outcomes(self) -> list[StageCount]:
        """The outcomes in the order of the definition."""
        return [self._count(name) for name in self.outline.outcomes]

    def conversions(self) -> list[ConversionCount]:
        """The conversions in the order of the definition."""
        net = [body for body in self._conversions.values() if body["op"] != "retract"]
        return [
            ConversionCount(
                name,
                counted=sum(body["name"] == name and body["count"] == "counted" for body in net),
                repeats=sum(body["name"] == name and body["count"] == "repeat" for body in net),
                advanced=sum(body["name"] == name and body["advanced"] for body in net),
            )
            for name in self.outline.conversions
        ]

    def people(self) -> int:
        """How many subjects were ever published in this funnel and are not gone."""
        return len(self._positions)

    def _count(self, name: str) -> StageCount:
        moved = [body for body in self._transitions.values() if body["op"] != "retract" and body["kind"] != "notice"]
        touched = {_counted(body) for body in moved if _place(body["to"]) == name}
        passed = {_counted(body) for body in moved if name in body["skipped"]}
        now = sum(place == name for place in self._positions.values())
        return StageCount(name, len(touched | passed), len(touched), now)


def _counted(body: Mapping[str, Any]) -> str:
    """Whom a transition counts for: the deal whose position it is, else the subject."""
    return str(body["deal"] or body["subject"]["id"])


def _place(position: Mapping[str, Any] | None) -> str | None:
    if position is None:
        return None
    return position.get("stage") or position.get("outcome") or position.get("detour")
