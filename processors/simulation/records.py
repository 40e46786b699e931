"""Records by chance: what a few leads and their deals did, as three systems tell it, in no order.

Event times lie on a coarse grid, so that facts share instants and meet the ends of timers. What is said is raw records of three
formats, so that the decoders are part of what is simulated; now and then one is broken.
"""

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from processors.simulation import application
from processors.simulation.application import START
from processors.simulation.dice import Dice
from schemas.instants import DAY, HOUR, MILLISECOND, format_instant

GRID = 6 * HOUR
_LAST = 40
"""Instants of the grid on which something happens: ten days."""

_PROPERTIES: dict[str, tuple[str, tuple[Any, ...]]] = {
    "lead.status": ("hs_lead_status", (*application.STATUSES, "")),
    "lead.need": ("need", ("true", "true", "false", "perhaps", "")),
    "lead.plan": ("plan", (*application.PLANS, "")),
    "lead.owner": ("hubspot_owner_id", ("ann", "bob", "")),
    "lead.amount": ("amount", ("99", "250.00", "")),
    "lead.currency": ("currency", ("EUR", "USD")),
    "lead.due_at": ("due", ()),
    "lead.created_at": ("createdate", ()),
}
"""Canonical field to the CRM's name of it and values; without values an instant."""

_DEAL_VALUES: dict[str, tuple[dict[str, str], tuple[Any, ...]]] = {
    "deal.stage": ({"desk": "stage", "crm": "dealstage"}, (*application.DEAL_STAGES, *application.DEAL_ENDS, None)),
    "deal.amount": ({"desk": "amount", "crm": "amount"}, ("99", "250.00", None)),
    "deal.currency": ({"desk": "currency", "crm": "deal_currency_code"}, ("EUR", "USD")),
    "deal.is_won": ({"desk": "won", "crm": "hs_is_closed_won"}, (True, False)),
    "deal.closed_at": ({"desk": "closed", "crm": "closedate"}, ()),
}
"""Canonical field of a deal to its name in each source, and values; without values an instant."""


class Said(NamedTuple):
    """One record before it arrives; `occurred_at` in microseconds."""

    source: str
    occurred_at: int
    value: bytes


def _mentioned(names: Iterable[str], text: str) -> list[str]:
    """Those of the names that the definitions mention: what nobody asks for is dropped soon and shows little."""
    known = list(names)
    return [name for name in known if name in text] or known


class Speaker:
    """Makes records."""

    def __init__(self, dice: Dice, definitions_text: str) -> None:
        self._dice = dice
        self._events = _mentioned(application.EVENTS, definitions_text)
        self._properties = _mentioned(_PROPERTIES, definitions_text)
        self._deal_fields = _mentioned(_DEAL_VALUES, definitions_text)
        self._leads = [str(number) for number in range(1, 1 + dice.choice((1, 1, 1, 2, 3)))]
        self._grid = dice.choice((3, 8, _LAST, _LAST))
        self._mix = (8, 4, 9, 1, 1, dice.choice((0, 4, 12)), 0.3, 0.7)
        """Weights of the kinds of records."""

    def records(self) -> list[Said]:
        """A history, in no order."""
        dice = self._dice
        many = dice.choice((4, 8, 16, 16, 24, 24, 40)) if dice.chance(0.98) else 100
        return [self._record(number) for number in range(dice.randint(many // 2, many))]

    def _record(self, number: int) -> Said:
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

    def _track(self, number: int, lead: str, at: int) -> Said:
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

    def _identify(self, number: int, lead: str, at: int) -> Said:
        dice = self._dice
        traits: dict[str, Any] = {"plan": dice.choice((*application.PLANS, "", "other"))}
        if dice.chance(0.5):
            traits["score"] = dice.choice((*application.SCORES, "many"))
        return self._web(number, at, {"type": "identify", "userId": lead, "traits": traits})

    def _web(self, number: int, at: int, call: dict[str, Any]) -> Said:
        dice = self._dice
        identity: dict[str, Any] = {"messageId": str(number)} if dice.chance(0.8) else {}
        if dice.chance(0.1):
            identity["messageId"] = "shared"  # one id with several contents: all but one are set aside (rule 20)
        timed = {"timestamp": format_instant(at)} if dice.chance(0.95) else {}
        return Said("web", at, json.dumps({**identity, **timed, **call}).encode())

    def _change(self, lead: str, at: int) -> Said:
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

    def _object(self, lead: str, at: int) -> Said:
        properties = dict(self._property() for _ in range(self._dice.randint(1, 3)))
        body = {"id": lead, "objectTypeId": "0-1", "properties": properties, "updatedAt": format_instant(at)}
        return Said("crm", at, json.dumps(body).encode())

    def _crm(self, at: int, events: list[dict[str, Any]]) -> Said:
        return Said("crm", at, json.dumps(events if len(events) > 1 else events[0]).encode())

    def _deal(self, number: int, lead: str, at: int) -> Said:
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

    def _whole_deal(self, whose: dict[str, Any], at: int) -> Said:
        lead = {"contacts": {"results": [{"id": whose["lead"]}]}}
        body = {"id": whose["deal"], "objectTypeId": "0-3", "updatedAt": format_instant(at), "associations": lead}
        if self._dice.chance(0.1):
            body["archived"] = True
        return Said("crm", at, json.dumps({**body, "properties": self._deal_values("crm")}).encode())

    def _deal_values(self, source: str) -> dict[str, Any]:
        """Some values of a deal, by the names that a source has for them."""
        dice = self._dice
        values = {}
        for field in dice.sample(self._deal_fields, min(len(self._deal_fields), dice.choice((1, 1, 2)))):
            names, known = _DEAL_VALUES[field]
            instant = (START + dice.randrange(-2, self._grid + 4) * GRID) // MILLISECOND
            values[names[source]] = dice.choice(known) if known else instant
        return values

    def _desk(self, number: int, at: int, record: dict[str, Any]) -> Said:
        said = {"no": number if self._dice.chance(0.95) else "shared", "at": at // MILLISECOND}
        return Said("desk", at, json.dumps({**said, **record}).encode())

    def _junk(self, number: int, lead: str, at: int) -> Said:
        future = {"type": "track", "event": "Demo", "userId": lead, "timestamp": format_instant(at + 3650 * DAY)}
        old = {"type": "track", "event": "Demo", "userId": lead, "timestamp": format_instant(at - 3650 * DAY)}
        nobody = {"type": "track", "event": "Demo", "messageId": str(number)}
        unknown = {"type": "track", "event": "Scrolled", "userId": lead, "timestamp": format_instant(at)}
        known = [json.dumps(call).encode() for call in (future, old, nobody, unknown)]
        return Said("web", at, self._dice.choice((b"{", *known)))
