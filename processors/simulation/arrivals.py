"""Records and schedules by chance: what a few leads did, and in which order, how late and how often it arrives and is read.

Event times lie on a coarse grid, so that facts share instants and meet the ends of timers. What is said is raw records of three
formats, so that the decoders are part of what is simulated; now and then one that is broken.
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from processors.simulation import definitions
from processors.simulation.definitions import START
from processors.simulation.dice import Dice
from processors.simulation.schedule import FACTS, Arrive, Case, Clock, Commit, Crash, Lane, Step, Take, Watermark
from schemas.instants import DAY, HOUR, MILLISECOND, format_instant

GRID = 6 * HOUR
_ALL = 1 << 30
_LAST = 40
"""Instants of the grid on which something happens: ten days."""

_PROPERTIES: dict[str, tuple[str, tuple[Any, ...]]] = {
    "lead.status": ("hs_lead_status", (*definitions.STATUSES, "")),
    "lead.need": ("need", ("true", "true", "false", "perhaps", "")),
    "lead.plan": ("plan", (*definitions.PLANS, "")),
    "lead.owner": ("hubspot_owner_id", ("ann", "bob", "")),
    "lead.amount": ("amount", ("99", "250.00", "")),
    "lead.currency": ("currency", ("EUR", "USD")),
    "lead.due_at": ("due", ()),
    "lead.created_at": ("createdate", ()),
}
"""Canonical field to the CRM's name of it and values; without values an instant."""

_DEAL_VALUES: dict[str, tuple[dict[str, str], tuple[Any, ...]]] = {
    "deal.stage": ({"desk": "stage", "crm": "dealstage"}, (*definitions.DEAL_STAGES, *definitions.DEAL_ENDS, None)),
    "deal.amount": ({"desk": "amount", "crm": "amount"}, ("99", "250.00", None)),
    "deal.currency": ({"desk": "currency", "crm": "deal_currency_code"}, ("EUR", "USD")),
    "deal.is_won": ({"desk": "won", "crm": "hs_is_closed_won"}, (True, False)),
    "deal.closed_at": ({"desk": "closed", "crm": "closedate"}, ()),
}
"""Canonical field of a deal to its name in each source, and values; without values an instant."""


class _Said(NamedTuple):
    """One record before it arrives; `occurred_at` in microseconds."""

    source: str
    occurred_at: int
    value: bytes


def case_of(seed: int) -> Case:
    """The case of a seed: the same one for ever, as long as nothing in this package changes."""
    dice = Dice(seed)
    written = definitions.funnels(dice)
    sources = {"web": dice.choice((1, 2, 2)), "crm": dice.choice((1, 2)), "desk": dice.choice((1, 2))}
    partitions = dice.choice((1, 2, 3))
    said = _Speaker(dice, repr(written)).records()
    empty = Case(written, partitions, sources, (), START + 30 * DAY, tight=dice.chance(0.5))
    return empty._replace(steps=tuple(_Scheduler(dice, empty).steps(said)))


def _mentioned(names: Iterable[str], text: str) -> list[str]:
    """Those of the names that the definitions mention: what nobody asks for is dropped soon and shows little."""
    known = list(names)
    return [name for name in known if name in text] or known


class _Speaker:
    """Makes records."""

    def __init__(self, dice: Dice, definitions_text: str) -> None:
        self._dice = dice
        self._events = _mentioned(definitions.EVENTS, definitions_text)
        self._properties = _mentioned(_PROPERTIES, definitions_text)
        self._deal_fields = _mentioned(_DEAL_VALUES, definitions_text)
        self._leads = [str(number) for number in range(1, 1 + dice.choice((1, 1, 1, 2, 3)))]
        self._grid = dice.choice((3, 8, _LAST, _LAST))
        self._mix = (8, 4, 9, 1, 1, dice.choice((0, 4, 12)), 0.3, 0.7)
        """Weights of the kinds of records."""

    def records(self) -> list[_Said]:
        """A history, in no order."""
        dice = self._dice
        many = dice.choice((4, 8, 16, 16, 24, 24, 40)) if dice.chance(0.98) else 100
        return [self._record(number) for number in range(dice.randint(many // 2, many))]

    def _record(self, number: int) -> _Said:
        dice = self._dice
        at = START + dice.randrange(self._grid) * GRID + (dice.choice((0, 0, 0, MILLISECOND)))
        lead = dice.choice(self._leads)
        kind = dice.choices(("track", "identify", "change", "object", "record", "deal", "gap", "junk"), self._mix)[0]
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
            case "deal":
                return self._deal(number, lead, at)
            case "gap":
                return self._desk(number, at, {"what": "gap", "lead": lead})
            case _:
                return self._junk(number, lead, at)

    def _track(self, number: int, lead: str, at: int) -> _Said:
        dice = self._dice
        who = {"userId": f"{lead}"} if dice.chance(0.85) else {"anonymousId": f"v{lead}"}
        properties: dict[str, Any] = {}
        if dice.chance(0.4):
            properties["hard"] = dice.choice((True, True, False))
        if dice.chance(0.3):
            properties |= {"amount": dice.choice((9, "120.50", "much")), "currency": dice.choice(("EUR", "usd", ""))}
        if dice.chance(0.3):
            properties["tone"] = dice.choice(("warm", "cold"))
        context = {"sessionId": dice.choice(("a", "b"))} if dice.chance(0.7) else {}
        call = {"type": "track", "event": dice.choice(self._events), "properties": properties, "context": context}
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
        field = dice.choice(self._properties if dice.chance(0.9) else [*_PROPERTIES])
        name, values = _PROPERTIES[field]
        if values:
            return name, dice.choice(values)
        return name, str((START + dice.randrange(-2, self._grid + 4) * GRID) // MILLISECOND)

    def _object(self, lead: str, at: int) -> _Said:
        properties = dict(self._property() for _ in range(self._dice.randint(1, 3)))
        body = {"id": lead, "objectTypeId": "0-1", "properties": properties, "updatedAt": format_instant(at)}
        return _Said("crm", at, json.dumps(body).encode())

    def _crm(self, at: int, events: list[dict[str, Any]]) -> _Said:
        return _Said("crm", at, json.dumps(events if len(events) > 1 else events[0]).encode())

    def _deal(self, number: int, lead: str, at: int) -> _Said:
        """Something about one of the lead's deals, about a deal of nobody, or an event of the lead that belongs to a deal."""
        dice = self._dice
        whose: dict[str, Any] = {"deal": f"{lead}{dice.choice('aab')}", "lead": lead}
        if dice.chance(0.1):
            whose = {"deal": "nobodys"}
        elif dice.chance(0.1):
            return self._whole_deal(whose, at)
        if dice.chance(0.15):
            return self._desk(number, at, {"what": dice.choice(("deal gone", "deal back", "deal back")), **whose})
        if dice.chance(0.2):
            return self._desk(number, at, {"what": dice.choice(self._events), **whose})
        return self._desk(number, at, {"what": "deal", **whose, **self._deal_values("desk")})

    def _whole_deal(self, whose: dict[str, Any], at: int) -> _Said:
        lead = {"contacts": {"results": [{"id": whose["lead"]}]}}
        body = {"id": whose["deal"], "objectTypeId": "0-3", "updatedAt": format_instant(at), "associations": lead}
        if self._dice.chance(0.1):
            body["archived"] = True
        return _Said("crm", at, json.dumps({**body, "properties": self._deal_values("crm")}).encode())

    def _deal_values(self, source: str) -> dict[str, Any]:
        """Some values of a deal, by the names that a source has for them."""
        dice = self._dice
        values = {}
        for field in dice.sample(self._deal_fields, min(len(self._deal_fields), dice.choice((1, 1, 2)))):
            names, known = _DEAL_VALUES[field]
            instant = (START + dice.randrange(-2, self._grid + 4) * GRID) // MILLISECOND
            values[names[source]] = dice.choice(known) if known else instant
        return values

    def _desk(self, number: int, at: int, record: dict[str, Any]) -> _Said:
        said = {"no": number if self._dice.chance(0.95) else "shared", "at": at // MILLISECOND}
        return _Said("desk", at, json.dumps({**said, **record}).encode())

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
        self._facts = [lane for lane in case.lanes() if lane.topic == FACTS]
        self._eagerness = dice.choice((0.0, 0.3, 1.0, 3.0))
        """Steps of the worker for each arrival, on average."""
        self._disorder = dice.choice((0.0, 0.1, 0.1, 0.5, 1.0))
        """Share of records that are late, by hours or days."""
        self._twice = dice.choice((0.0, 0.1, 0.3))
        """Share of records that come again."""
        self._crashes = dice.choice((0.0, 0.0, 0.05, 0.2))
        """Share of the worker's steps that make it crash."""

        self._watermarks = dice.choice((0.0, 0.1, 0.2))
        """Share of the worker's steps that say how far a source partition has come, true or not."""

    def steps(self, said: list[_Said]) -> list[Step]:
        """Everything that happens; what is left to read then is read by the end of the run."""
        dice = self._dice
        again = [record for record in said if dice.chance(self._twice)]
        arriving = sorted((self._arrival(record) for record in (*said, *again)), key=_arrives_at)
        steps: list[Step] = []
        for arrival in arriving:
            steps.append(arrival)
            while dice.chance(self._eagerness / (1 + self._eagerness)):
                steps += self._work()
        for _ in range(dice.randrange(20)):
            steps += self._work()
        return steps

    def _arrival(self, record: _Said) -> Arrive:
        dice = self._dice
        late = dice.choice((HOUR, 12 * HOUR, 2 * DAY, 5 * DAY, 20 * DAY)) if dice.chance(self._disorder) else 0
        partition = dice.randrange(self._case.sources[record.source])
        jump = dice.choice((-10, -1, 1, 10)) * DAY if dice.chance(0.05) else 0
        return Arrive(Lane(record.source, partition), record.occurred_at + late + dice.choice((0, 0, 1, 90)) + jump, record.value)

    def _work(self) -> list[Step]:
        dice = self._dice
        if dice.chance(self._crashes):
            return [Crash(dice.choice((0, 1, 2, 3, 5, 8, 13, 21)), dice.choice(("process", "store", "nothing")))]
        if dice.chance(self._watermarks):
            return self._pass_time()
        if dice.chance(0.2):
            return self._turn(self._case.lanes())
        if dice.chance(0.25):
            return [Commit()]
        if dice.chance(0.03):
            return [Clock(dice.choice((-5 * DAY, -HOUR, HOUR, 5 * DAY)))]
        lanes = self._case.lanes()
        lane = dice.choice(self._facts if dice.chance(0.5) else lanes)
        return [Take(lane, dice.choice((1, 1, 2, 5, _ALL)))]

    def _pass_time(self) -> list[Step]:
        """One source partition says how far it has come, or all of them do and the facts partitions hear of it at once."""
        dice = self._dice
        at = START + dice.randrange(-1, 60) * GRID
        lanes = self._case.source_lanes()
        if dice.chance(0.3):
            return [Watermark(dice.choice(lanes), at)]
        return [*(Watermark(lane, at) for lane in lanes), Commit(), *self._turn(self._facts)]

    def _turn(self, lanes: Iterable[Lane]) -> list[Step]:
        """A turn of a worker that keeps up: everything there is, then the commit."""
        return [*(Take(lane, _ALL) for lane in lanes), Commit()]


def _arrives_at(arrival: Arrive) -> int:
    return arrival.at
