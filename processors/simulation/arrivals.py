"""Records and schedules by chance: what a few leads did, and in which order, how late and how often it arrives and is read.

Event times lie on a coarse grid, so that facts share instants and meet the ends of timers. What is said is raw records of both
formats, so that the decoders are part of what is simulated; now and then one that is broken.
"""

import json
from typing import Any, NamedTuple

from processors.simulation import definitions
from processors.simulation.definitions import START
from processors.simulation.dice import Dice
from processors.simulation.schedule import FACTS, Arrive, Case, Clock, Commit, Crash, Lane, Step, Take
from schemas.instants import DAY, HOUR, MILLISECOND, format_instant

GRID = 6 * HOUR
_LAST = 40
"""Instants of the grid on which something happens: ten days."""


class _Said(NamedTuple):
    """One record before it arrives; `occurred_at` in microseconds."""

    source: str
    occurred_at: int
    value: bytes


def case_of(seed: int) -> Case:
    """The case of a seed: the same one for ever, as long as nothing in this package changes."""
    dice = Dice(seed)
    written = definitions.funnels(dice)
    sources = {"web": dice.choice((1, 2, 2)), "crm": dice.choice((1, 2))}
    partitions = dice.choice((1, 2, 3))
    said = _Speaker(dice).records()
    empty = Case(written, partitions, sources, (), START + 30 * DAY)
    return empty._replace(steps=tuple(_Scheduler(dice, empty).steps(said)))


class _Speaker:
    """Makes records."""

    def __init__(self, dice: Dice) -> None:
        self._dice = dice
        self._leads = [str(number) for number in range(1, 1 + dice.choice((1, 1, 2, 3)))]
        self._grid = dice.choice((3, 8, _LAST, _LAST))

    def records(self) -> list[_Said]:
        """A history, in no order."""
        dice = self._dice
        many = dice.choice((6, 10, 10, 16, 16, 24, 60)) if dice.chance(0.97) else 120
        return [self._record(number) for number in range(dice.randint(1, many))]

    def _record(self, number: int) -> _Said:
        dice = self._dice
        at = START + dice.randrange(self._grid) * GRID + (dice.choice((0, 0, 0, MILLISECOND)))
        lead = dice.choice(self._leads)
        kind = dice.choices(("track", "identify", "change", "object", "record", "junk"), (8, 4, 9, 1, 1, 1))[0]
        match kind:
            case "track":
                return self._track(number, lead, at)
            case "identify":
                return self._identify(number, lead, at)
            case "change":
                return self._change(lead, at)
            case "object":
                return self._object(lead, at)
            case "record":
                action = dice.choice(("deletion", "restore", "restore"))
                return self._crm(
                    at, [{"subscriptionType": f"contact.{action}", "objectId": lead, "occurredAt": at // MILLISECOND}]
                )
            case _:
                return self._junk(number, lead, at)

    def _track(self, number: int, lead: str, at: int) -> _Said:
        dice = self._dice
        who = {"userId": f"{lead}"} if dice.chance(0.85) else {"anonymousId": f"v{lead}"}
        properties: dict[str, Any] = {}
        if dice.chance(0.4):
            properties["hard"] = dice.choice((True, True, False))
        context = {"sessionId": dice.choice(("a", "b"))} if dice.chance(0.7) else {}
        call = {"type": "track", "event": dice.choice(definitions.EVENTS), "properties": properties, "context": context}
        return self._web(number, at, {**call, **who})

    def _identify(self, number: int, lead: str, at: int) -> _Said:
        dice = self._dice
        traits: dict[str, Any] = {"plan": dice.choice((*definitions.PLANS, "", "other"))}
        if dice.chance(0.5):
            traits["score"] = dice.choice((*definitions.SCORES, "many"))
        return self._web(number, at, {"type": "identify", "userId": lead, "traits": traits})

    def _web(self, number: int, at: int, call: dict[str, Any]) -> _Said:
        dice = self._dice
        identity: dict[str, Any] = {"messageId": str(number)} if dice.chance(0.8) else {}
        if dice.chance(0.1):
            identity["messageId"] = "shared"  # one id with several contents: all but one are set aside (rule 20)
        timed = {"timestamp": format_instant(at)} if dice.chance(0.95) else {}
        return _Said("web", at, json.dumps({**identity, **timed, **call}).encode())

    def _change(self, lead: str, at: int) -> _Said:
        dice = self._dice
        changes = []
        for _ in range(dice.choice((1, 1, 1, 2))):
            name, value = self._property()
            change = {
                "subscriptionType": "contact.propertyChange",
                "objectId": lead,
                "propertyName": name,
                "propertyValue": value,
                "occurredAt": at // MILLISECOND,
            }
            if dice.chance(0.3):
                change["changeSource"] = dice.choice(("CRM_UI", "IMPORT"))
            changes.append(change)
        return self._crm(at, changes)

    def _property(self) -> tuple[str, Any]:
        dice = self._dice
        name = dice.choice(("hs_lead_status", "hs_lead_status", "need", "plan", "due", "createdate", "hubspot_owner_id"))
        match name:
            case "hs_lead_status":
                return name, dice.choice((*definitions.STATUSES, ""))
            case "need":
                return name, dice.choice(("true", "true", "false", "perhaps", ""))
            case "plan":
                return name, dice.choice((*definitions.PLANS, ""))
            case "hubspot_owner_id":
                return name, dice.choice(("ann", "bob", ""))
            case _:
                return name, str((START + dice.randrange(-2, self._grid + 4) * GRID) // MILLISECOND)

    def _object(self, lead: str, at: int) -> _Said:
        properties = dict(self._property() for _ in range(self._dice.randint(1, 3)))
        body = {"id": lead, "objectTypeId": "0-1", "properties": properties, "updatedAt": format_instant(at)}
        return _Said("crm", at, json.dumps(body).encode())

    def _crm(self, at: int, events: list[dict[str, Any]]) -> _Said:
        return _Said("crm", at, json.dumps(events if len(events) > 1 else events[0]).encode())

    def _junk(self, number: int, lead: str, at: int) -> _Said:
        future = {"type": "track", "event": "Demo", "userId": lead, "timestamp": format_instant(at + 3650 * DAY)}
        old = {"type": "track", "event": "Demo", "userId": lead, "timestamp": format_instant(at - 3650 * DAY)}
        nobody = {"type": "track", "event": "Demo", "messageId": str(number)}
        unknown = {"type": "track", "event": "Scrolled", "userId": lead, "timestamp": format_instant(at)}
        known = [json.dumps(call).encode() for call in (future, old, nobody, unknown)]
        return _Said("web", at, self._dice.choice((b"{", *known)))


class _Scheduler:
    """Makes steps of records: when each arrives, and what the worker does in between."""

    def __init__(self, dice: Dice, case: Case) -> None:
        self._dice = dice
        self._case = case
        self._eagerness = dice.choice((0.0, 0.3, 1.0, 3.0))
        """Steps of the worker for each arrival, on average."""
        self._disorder = dice.choice((0.0, 0.1, 0.1, 0.5, 1.0))
        """Share of records that are late, by hours or days."""
        self._twice = dice.choice((0.0, 0.1, 0.3))
        """Share of records that come again."""
        self._crashes = dice.choice((0.0, 0.0, 0.05, 0.2))
        """Share of the worker's steps that make it crash."""

    def steps(self, said: list[_Said]) -> list[Step]:
        """Everything that happens; what is left to read then is read by the end of the run."""
        dice = self._dice
        again = [record for record in said if dice.chance(self._twice)]
        arriving = sorted((self._arrival(record) for record in (*said, *again)), key=_arrives_at)
        steps: list[Step] = []
        for arrival in arriving:
            steps.append(arrival)
            while dice.chance(self._eagerness / (1 + self._eagerness)):
                steps.append(self._work())
        steps += [self._work() for _ in range(dice.randrange(20))]
        return steps

    def _arrival(self, record: _Said) -> Arrive:
        dice = self._dice
        late = dice.choice((HOUR, 12 * HOUR, 2 * DAY, 5 * DAY, 20 * DAY)) if dice.chance(self._disorder) else 0
        partition = dice.randrange(self._case.sources[record.source])
        jump = dice.choice((-10, -1, 1, 10)) * DAY if dice.chance(0.05) else 0
        return Arrive(Lane(record.source, partition), record.occurred_at + late + dice.choice((0, 0, 1, 90)) + jump, record.value)

    def _work(self) -> Step:
        dice = self._dice
        if dice.chance(self._crashes):
            return Crash(dice.choice((0, 1, 2, 3, 5, 8, 13, 21)), dice.choice(("process", "store", "nothing")))
        if dice.chance(0.25):
            return Commit()
        if dice.chance(0.03):
            return Clock(dice.choice((-5 * DAY, -HOUR, HOUR, 5 * DAY)))
        topics = self._case.lanes()
        facts = [lane for lane in topics if lane.topic == FACTS]
        lane = dice.choice(facts if dice.chance(0.5) else topics)
        return Take(lane, dice.choice((1, 1, 2, 5, 1000)))


def _arrives_at(arrival: Arrive) -> int:
    return arrival.at
