"""Definitions by chance: small funnels in which rules of every kind meet, over a handful of events and values.

Whatever comes out is a definition that `lint` accepts; a test holds it against that. Durations lie on the grid of `records`, so
that timers end at instants at which something happens.
"""

from copy import deepcopy
from typing import Any

from processors.simulation.application import DEAL_ENDS, DEAL_STAGES, EVENTS, PLANS, SCORES, START, STATUSES, Written
from processors.simulation.dice import Dice
from schemas.instants import DAY, format_instant, parse_instant

DURATIONS = ("6h", "1d", "36h", "3d")
_MOST_VERSIONS = 3
_FEWEST_STAGES = 2
"""What a later version leaves of its stages when it removes one, and the removed one."""
METHODS = ("once_per_lead", "once_per_deal", "once_per_session", {"once_per_window": "1d"})


def funnels(dice: Dice) -> tuple[Written, ...]:
    """One or two funnels, some of them in several versions."""
    return tuple(version for name in ("one", "two")[: dice.choice((1, 1, 2))] for version in _Author(dice).versions(name))


class _Author:
    """Writes one funnel."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._conversions: list[str] = []
        self._subject = dice.choice(("lead", "lead", "lead", "visitor", "deal"))
        self._of_deals = self._subject == "deal" or (self._subject == "lead" and dice.chance(0.4))
        """Whether rules may read deals."""

    def versions(self, name: str) -> list[Written]:
        """The first version, and now and then a second and a third, each a change of the one before."""
        dice = self._dice
        written = [self._funnel(name)]
        while dice.chance(0.3) and len(written) < _MOST_VERSIONS:
            written.append(self._next(written[-1]))
        return written

    def _funnel(self, name: str) -> Written:
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
            "effective_from": format_instant(START + dice.choice((-30 * DAY, -30 * DAY, 0, 2 * DAY))),
            "subject": self._subject,
            "also": ["deal"] if self._publishes_deals(stages, outcomes) else [],
            "conversions": conversions,
            "stages": stages,
            "detours": detours,
            "outcomes": outcomes,
            "orderings": {"plans": list(PLANS), "deal_stages": list(DEAL_STAGES)},
            "policies": {
                "backward": dice.choice(("allow", "allow", "flag", "ignore")),
                "skip": dice.choice(("flag", "allow")),
                "after_outcome": dice.choice(("ignore", "reenter")),
                "lateness": dice.choice(("3d", "90d")),
            },
            "segments": self._segments(),
            "value": self._value(),
            "rates": self._rates([*stages, *outcomes]),
        }
        return deepcopy({key: value for key, value in written.items() if value not in ([], {}, None)})

    def _publishes_deals(self, stages: list[Written], outcomes: list[Written]) -> bool:
        return self._subject == "lead" and any(map(_reads_deals, [*stages, *outcomes])) and self._dice.chance(0.6)

    def _next(self, before: Written) -> Written:
        """The next version: another rule for a stage, perhaps a new stage, perhaps one that is retired."""
        dice = self._dice
        number = before["version"] + 1
        written: Written = {**deepcopy(before), "version": number}
        written.pop("retired", None)
        written["effective_from"] = format_instant(parse_instant(before["effective_from"]) + dice.choice((30, 32, 36)) * DAY)
        stages = written["stages"]
        changed = dice.randrange(len(stages))
        stages[changed] = self._stage(stages[changed]["name"])
        if dice.chance(0.5):
            stages.insert(dice.randint(0, len(stages)), self._stage(f"v{number}"))
        if len(stages) > _FEWEST_STAGES and dice.chance(0.5):
            gone = stages.pop(dice.randrange(len(stages)))["name"]
            if any(stage["name"] == gone for stage in before["stages"]):
                written["rates"] = [rate for rate in written.get("rates", []) if gone not in (rate["from"], rate["to"])]
                written["retired"] = {gone: dice.choice([stage["name"] for stage in stages] + ["remove"])}
        if "also" in written:
            stages[-1] = {"name": stages[-1]["name"], "while": {"deal.stage": DEAL_STAGES[-1]}}
        written["policies"]["backward"] = dice.choice(("allow", "flag", "ignore"))
        return written

    # --- conversions, segments, value ------------------------------------------------------------------------------

    def _written_conversions(self) -> list[Written]:
        dice = self._dice
        written: list[Written] = []
        for name in ("demo", "signup", "order")[: dice.choice((0, 1, 2, 3, 3))]:
            conversion: Written = {"name": name, "description": "By chance.", "when": self._event()}
            if dice.chance(0.7):
                conversion["count"] = dice.choice(METHODS)
            if dice.chance(0.2):
                conversion["value"] = {"amount": "event.properties.amount", "currency": "event.properties.currency"}
            written.append(conversion)
            self._conversions.append(name)
        if len(written) > 1 and dice.chance(0.4):
            written[-2]["when"]["event.properties.hard"] = True  # else it would take every event of its name
            for conversion in written[-2:]:
                conversion["exclusive"] = "group"
        return written

    def _segments(self) -> Written:
        dice = self._dice
        written: Written = {}
        for name in ("who", "what"):
            if dice.chance(0.3):
                rule = dice.choice(("first_touch", "last_touch", "at_entry", "current"))
                fields = ["lead.owner", "lead.plan", *(["event.properties.tone"] if rule != "current" else [])]
                written[name] = {"value": self._some(fields), "rule": rule}
                if rule.endswith("touch") and dice.chance(0.3):
                    written[name]["touch"] = {"event": dice.choice(EVENTS)}
        return written

    def _value(self) -> Written | None:
        if not self._dice.chance(0.3):
            return None
        grain = "deal" if self._of_deals else "lead"
        return {"amount": f"{grain}.amount", "currency": f"{grain}.currency"}

    def _rates(self, places: list[Written]) -> list[Written]:
        """Rates between places of one grain: an own one has no entries among deals, and may have none at all."""
        dice, written = self._dice, []
        while len(places) > 1 and dice.chance(0.4):
            start, end = dice.choice(places), dice.choice(places)
            if start is not end and self._subject != "deal":
                rate: Written = {"from": start["name"], "to": end["name"], "count": dice.choice(("reached", "touched"))}
                if dice.chance(0.5):
                    rate["within"] = dice.choice(DURATIONS)
                written.append(rate)
        return list({str(rate): rate for rate in written}.values())

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
        if "when" in stage and "while" not in stage and dice.chance(0.5):
            stage["expires"] = {"after": dice.choice(DURATIONS), "anchor": dice.choice(("first", "last", "last"))}
        if dice.chance(0.3):
            stage["sla"] = dice.choice(DURATIONS)
        return stage

    def _rule(self, name: str, *, while_only: bool = False) -> Written:
        dice = self._dice
        rule: Written = {"name": name}
        kind = "while" if while_only else dice.choice(("when", "when", "while", "while", "both"))
        if kind != "while":
            rule["when"] = self._signals()
        if kind != "when":
            rule["while"] = self._states()
        if self._subject == "deal" and not _reads_deals(rule):
            rule["while"] = self._test_of_deals()
        if dice.chance(0.2):
            rule["at"] = dice.choice(("lead.created_at", "lead.due_at", *(["deal.closed_at"] if self._of_deals else [])))
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
            both = {"all": parts} if parts[0].keys().isdisjoint(parts[1]) else {"any": parts}  # one field may contradict itself
            return dice.choice((both, {"any": parts}, {"not": parts[0]}))
        return self._test_of_deals() if self._of_deals and dice.chance(0.5) else self._test_of_leads()

    def _test_of_leads(self) -> Written:
        dice = self._dice
        tests: list[Written] = [
            {"lead.plan": self._some(PLANS)},
            {"lead.plan": {dice.choice(("at_least", "below")): dice.choice(PLANS[1:]), "of": "plans"}},
            {"lead.status": self._some(STATUSES)},
            {"lead.status": {"exists": dice.chance(0.8)}},
            {"lead.need": dice.chance(0.8)},
            {"lead.score": {"at_least": dice.choice(SCORES)}},
            {"lead.due_at": {dice.choice(("before", "after")): format_instant(START + dice.randint(0, 6) * DAY)}},
            {"lead.due_at": {"passed": True}},
            {"lead.due_at": {"passed": True}},
        ]
        if self._conversions:
            tests.append({"happened": self._some(self._conversions)})
        return dice.choice(tests)

    def _test_of_deals(self) -> Written:
        dice = self._dice
        tests: list[Written] = [
            {"deal.stage": self._some(DEAL_STAGES)},
            {"deal.stage": {"at_least": dice.choice(DEAL_STAGES), "of": "deal_stages"}},
            {"deal.stage": dice.choice(DEAL_ENDS)},
            {"deal.is_won": dice.chance(0.8)},
            {"deal.amount": {"above": 100}},
            {"deal.closed_at": {"passed": True}},
        ]
        return dice.choice(tests)


def _reads_deals(rule: Written) -> bool:
    return "'deal." in repr((rule.get("when"), rule.get("while")))
