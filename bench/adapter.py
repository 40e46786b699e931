"""How the driver reads our records."""

import json
from typing import Any

NAMES = {
    "signed_up": "Signed Up",
    "trial_started": "Trial Started",
    "order_completed": "Order Completed",
    "subscription_renewed": "Subscription Renewed",
}
STAGES = {"lead": 1, "trial": 2, "customer": 3, "retained": 4}


def conversion(value: bytes) -> tuple[str, str, str]:
    """User, event name and event id of a conversion."""
    body = json.loads(value)
    return _user(body), NAMES[body["name"]], body["cause"]["facts"][0]["id"]


def transition(value: bytes) -> tuple[str, int, int, int]:
    """User, stages (0 for none) and sequence of a transition."""
    body = json.loads(value)
    return _user(body), _stage(body["from"]), _stage(body["to"]), body["sequence"]


def counts(value: bytes) -> bool:
    """Corrections are no progress. Asked for every record while a worker runs on the same cores, so it does not parse."""
    return b'"op":"announce"' in value


def _user(body: dict[str, Any]) -> str:
    return str(body["subject"]["id"]).removeprefix("user:")


def _stage(position: dict[str, Any] | None) -> int:
    return STAGES[position["stage"]] if position is not None else 0
