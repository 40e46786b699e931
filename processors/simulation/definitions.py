"""Definitions by chance: small funnels in which rules of every kind meet, over a handful of events and values.

Whatever comes out is a definition that `lint` accepts; a test holds it against that. Words are few, so that rules of one case
read the same facts, and durations lie on the grid of `arrivals`, so that timers end at instants at which something happens.
"""

from copy import deepcopy
from typing import Any

from processors.simulation.dice import Dice
from schemas.instants import DAY, format_instant, parse_instant

Written = dict[str, Any]

START = parse_instant("2026-01-01")
EVENTS = ("Demo", "Signup", "Order", "Recycle")
PLANS = ("free", "team", "pro")
STATUSES = ("open", "parked", "customer", "gone")
SCORES = (1, 3, 5)
DEAL_STAGES = ("lead_in", "validated", "proposal", "signed", "dropped")
DURATIONS = ("6h", "1d", "36h", "3d")
METHODS = ("every", "once_per_lead")

APPLICATION: Written = {
    "application": "simulated",
    "definitions": "funnels",
    "identity": {
        "namespaces": [
            {"name": "lead", "kind": "lead"},
            {"name": "deal", "kind": "deal", "from": ["crm"]},
            {"name": "anonymous", "kind": "visitor"},
        ]
    },
    "sources": {
        "web": {
            "topics": ["web.records"],
            "format": "segment",
            "identifiers": {"userId": "lead", "anonymousId": "anonymous"},
            "fields": {"lead.plan": {"from": "traits.plan"}, "lead.score": {"from": "traits.score", "type": "number"}},
        },
        "crm": {
            "topics": ["crm.records"],
            "format": "hubspot",
            "identifiers": {"contact.objectId": "lead", "deal.objectId": "deal"},
            "fields": {
                "lead.need": {"from": "need", "type": "bool"},
                "lead.plan": {"from": "plan"},
                "lead.due_at": {"from": "due"},
            },
        },
    },
    "authority": {"lead.plan": ["crm", "web"]},
    "limits": {"future": "30d"},
}
"""Both sources speak of the same leads, and both of their plan."""


def funnels(dice: Dice) -> tuple[Written, ...]:
    """One or two funnels."""
    return tuple(_Author(dice).funnel(name) for name in ("one", "two")[: dice.choice((1, 1, 2))])


class _Author:
    """Writes one funnel."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._conversions: list[str] = []

    def funnel(self, name: str) -> Written:
        dice = self._dice
        conversions = self._written_conversions()
        stages = [self._stage(f"s{index}") for index in range(dice.randint(2, 5))]
        detours = [self._rule("away", while_only=True)] if dice.chance(0.3) else []
        outcomes = [{**self._rule(result), "result": result} for result in ("won", "lost", "other") if dice.chance(0.45)]
        written = {
            "funnel": name,
            "version": 1,
            "owner": "simulation",
            "reason": "By chance.",
            "effective_from": format_instant(START + dice.choice((-30 * DAY, 0, 2 * DAY))),
            "subject": dice.choice(("lead", "lead", "visitor")),
            "conversions": conversions,
            "stages": stages,
            "detours": detours,
            "outcomes": outcomes,
            "orderings": {"plans": list(PLANS)},
            "policies": {
                "backward": dice.choice(("allow", "allow", "flag", "ignore")),
                "skip": dice.choice(("flag", "allow")),
                "after_outcome": dice.choice(("ignore", "reenter")),
                "lateness": dice.choice(("3d", "90d")),
            },
        }
        return deepcopy({key: value for key, value in written.items() if value != []})

    # --- conversions -----------------------------------------------------------------------------------------------

    def _written_conversions(self) -> list[Written]:
        dice = self._dice
        written: list[Written] = []
        for name in ("demo", "signup", "order")[: dice.choice((0, 1, 2, 3, 3))]:
            conversion: Written = {"name": name, "description": "By chance.", "when": self._event()}
            if dice.chance(0.6):
                conversion["count"] = self._count()
            written.append(conversion)
            self._conversions.append(name)
        if len(written) > 1 and dice.chance(0.4):
            for conversion in written[-2:]:
                conversion["exclusive"] = "group"
        return written

    def _count(self) -> Any:
        return self._dice.choice(METHODS)

    # --- stages, detours, outcomes -----------------------------------------------------------------------------------

    def _stage(self, name: str) -> Written:
        dice = self._dice
        stage = self._rule(name)
        if dice.chance(0.2):
            stage["optional"] = True
        if "while" in stage and dice.chance(0.3):
            stage["lapse"] = "keep"
        if "when" in stage and dice.chance(0.2):
            stage["resets"] = True
        return stage

    def _rule(self, name: str, *, while_only: bool = False) -> Written:
        dice = self._dice
        rule: Written = {"name": name}
        kind = "while" if while_only else dice.choice(("when", "when", "while", "while", "both"))
        if kind != "while":
            rule["when"] = self._signals()
        if kind != "when":
            rule["while"] = self._states()
        if dice.chance(0.2):
            rule["at"] = dice.choice(("lead.created_at", "lead.due_at"))
        return rule

    def _signals(self) -> Any:
        dice = self._dice
        if self._conversions and dice.chance(0.4):
            return {"conversion": self._some(self._conversions)}
        return self._event() if dice.chance(0.7) else [self._event(), self._event()]

    def _event(self) -> Written:
        dice = self._dice
        event: Written = {"event": self._some(EVENTS)}
        if dice.chance(0.2):
            event["event.properties.hard"] = True
        if dice.chance(0.2):
            event["if"] = self._state(0)
        return event

    def _some(self, names: Any) -> Any:
        chosen = self._dice.sample(list(names), self._dice.choice((1, 1, 2)) if len(names) > 1 else 1)
        return chosen[0] if len(chosen) == 1 else chosen

    def _states(self) -> Any:
        return self._state(1) if self._dice.chance(0.8) else [self._state(0), self._state(0)]

    def _state(self, depth: int) -> Written:
        dice = self._dice
        if depth and dice.chance(0.25):
            parts = [self._state(0), self._state(0)]
            return dice.choice(({"all": parts}, {"any": parts}, {"not": parts[0]}))
        tests: list[Written] = [
            {"lead.plan": self._some(PLANS)},
            {"lead.plan": {dice.choice(("at_least", "below")): dice.choice(PLANS[1:]), "of": "plans"}},
            {"lead.status": self._some(STATUSES)},
            {"lead.status": {"exists": dice.chance(0.8)}},
            {"lead.need": dice.chance(0.8)},
            {"lead.score": {"at_least": dice.choice(SCORES)}},
            {"lead.due_at": {dice.choice(("before", "after")): format_instant(START + dice.randint(0, 6) * DAY)}},
        ]
        if self._conversions:
            tests.append({"happened": self._some(self._conversions)})
        return dice.choice(tests)
