"""The application that all cases share: three sources that speak of the same leads and deals, and the few words they use.

Words are few, so that the rules and the records of one case meet.
"""

from typing import Any

from schemas.instants import parse_instant

Written = dict[str, Any]

START = parse_instant("2026-01-01")
EVENTS = ("Demo", "Signup", "Order", "Recycle")
PLANS = ("free", "team", "pro")
STATUSES = ("open", "parked", "customer", "gone")
SCORES = (1, 3, 5)
DEAL_STAGES = ("lead_in", "validated", "proposal")
DEAL_ENDS = ("signed", "dropped")

_OF_DEALS = {
    "deal.stage": "stage",
    "deal.amount": "amount",
    "deal.currency": "currency",
    "deal.is_won": "won",
    "deal.closed_at": "closed",
}
_DEAL: Written = {"identifiers": {"deal": "deal"}, "attach": {"lead": "lead"}}
_PROPERTIES = {name: name for name in ("hard", "amount", "currency", "tone")}

APPLICATION: Written = {
    "application": "simulated",
    "definitions": "funnels",
    "identity": {
        "namespaces": [
            {"name": "lead", "kind": "lead"},
            {"name": "deal", "kind": "deal", "from": ["crm", "desk"]},
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
                "lead.amount": {"from": "amount", "type": "decimal"},
                "lead.currency": {"from": "currency"},
            },
        },
        "desk": {
            "topics": ["desk.records"],
            "format": "mapping",
            "session": "session",
            "mapping": {
                "id": "no",
                "time": {"path": "at", "unit": "ms"},
                "records": [
                    {"where": {"what": "deal"}, "change": "deal", **_DEAL, "set": _OF_DEALS},
                    {"where": {"what": "deal gone"}, "delete": "deal", **_DEAL},
                    {"where": {"what": "deal back"}, "restore": "deal", **_DEAL},
                    {"where": {"what": "gap"}, "gap": "lead", "identifiers": {"lead": "lead"}},
                    *(
                        {
                            "where": {"what": event},
                            "event": event,
                            "identifiers": {"lead": "lead", "deal": "deal"},
                            "properties": _PROPERTIES,
                        }
                        for event in EVENTS
                    ),
                ],
            },
        },
    },
    "authority": {"lead.plan": ["crm", "web"], **{field: ["desk", "crm"] for field in _OF_DEALS}},
    "limits": {"future": "30d"},
}
"""All sources speak of the same leads, and two each of their plan and of their deals."""
