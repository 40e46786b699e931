"""Believable traffic for the demo: visitors, sign-ups, and contacts whose lifecycle stage moves.

As in real CRMs most contacts move forward, some skip a stage, some fall back or are lost for good, some records come
late and some twice. A seed makes the same people every time; only the times are those of the moment.
"""

import json
import random
from collections.abc import Iterator
from heapq import heappop, heappush
from itertools import count
from typing import Any, Literal, NamedTuple

from schemas.instants import MILLISECOND, SECOND, format_instant

WEB_EVENTS = ("Form Submitted", "Demo Requested", "Signed Up")
LIFECYCLE = ("subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer")
_PAGES = ("Home", "Pricing", "Docs", "Blog", "Customers")
_CAMPAIGNS = ("google", "newsletter", "linkedin", "partner")
SOURCES = {"web": "segment", "crm": "hubspot"}
"""The sources that the records are of, and their formats."""

STAYS_UNKNOWN, SENT_TWICE, COMES_LATE, WEBHOOK_RETRIED = 0.7, 0.05, 0.06, 0.04
GOES_ON, SKIPS, FALLS_BACK = 0.62, 0.25, 0.15
"""Shares of visitors, records and contacts."""
_SHORTEST_WITH_A_MIDDLE = 3


class Message(NamedTuple):
    """One record to produce."""

    source: Literal["web", "crm"]
    value: bytes


class _Due(NamedTuple):
    at: float
    number: int
    message: Message


class Traffic:
    """A stream of records of about `rate` a second."""

    def __init__(self, rate: float, seed: int = 1, first_contact: int = 1001) -> None:
        """Invent people.

        Args:
            rate: Records a second.
            seed: Who they are.
            first_contact: The number of the first of them in the CRM; those after it count up.
        """
        self._random = random.Random(seed)
        self._rate = rate
        self._waiting: list[_Due] = []
        self._numbers = count()
        self._contacts = count(first_contact)
        self._arrived = 0.0

    def until(self, elapsed: float, now: int) -> Iterator[Message]:
        """The records that are due.

        Args:
            elapsed: Seconds since the traffic began.
            now: The present, as an instant.
        """
        while self._arrived < elapsed:
            self._somebody(self._arrived, now)
            # A journey is some seven records; three of four visitors stay unknown and leave two.
            self._arrived += self._random.expovariate(self._rate / 3.5)
        while self._waiting and self._waiting[0].at <= elapsed:
            yield heappop(self._waiting).message

    def _somebody(self, at: float, now: int) -> None:
        visitor = f"{self._random.getrandbits(64):016x}"
        self._send(at, _web(f"{visitor}-view", "page", visitor, None, now, self._page()))
        if self._random.random() < STAYS_UNKNOWN:
            self._send(at + 0.4, _web(f"{visitor}-more", "page", visitor, None, now + SECOND // 2, self._page()))
            return
        self._journey(at + self._random.uniform(0.3, 1.5), now, visitor, str(next(self._contacts)))

    def _page(self) -> dict[str, Any]:
        campaign = {"source": self._random.choice(_CAMPAIGNS), "medium": "web", "name": "spring"}
        return {"name": self._random.choice(_PAGES), "properties": {}, "context": {"campaign": campaign}}

    def _journey(self, at: float, now: int, visitor: str, contact: str) -> None:
        event = self._random.choice(WEB_EVENTS)
        body = _web(f"{visitor}-form", "track", visitor, contact, now + SECOND, {"event": event, "properties": {"form": "site"}})
        self._send(at, body)
        if self._random.random() < SENT_TWICE:  # the library retries and the same call comes twice
            self._send(at + 0.7, body)
        moment = now + 2 * SECOND
        for stage in self._path():
            at += self._random.uniform(0.4, 3.0)
            moment += round(self._random.uniform(0.4, 3.0) * SECOND)
            late = self._random.uniform(2.0, 5.0) if self._random.random() < COMES_LATE else 0.0
            record = _crm(contact, stage, moment)
            self._send(at + late, record)
            if self._random.random() < WEBHOOK_RETRIED:  # webhooks are retried
                self._send(at + late + 0.5, _crm(contact, stage, moment, attempt=1))

    def _path(self) -> list[str]:
        """The stages a contact is set to: forwards, with a skip, a step back, or an end on the way."""
        path = list(LIFECYCLE[: 1 + sum(self._random.random() < GOES_ON for _ in LIFECYCLE[1:])])
        if len(path) >= _SHORTEST_WITH_A_MIDDLE and self._random.random() < SKIPS:
            del path[self._random.randrange(1, len(path) - 1)]
        if len(path) >= _SHORTEST_WITH_A_MIDDLE and self._random.random() < FALLS_BACK:
            path += [path[-2]]
        return path

    def _send(self, at: float, message: Message) -> None:
        heappush(self._waiting, _Due(at, next(self._numbers), message))


def _web(identity: str, call: str, visitor: str, user: str | None, at: int, body: dict[str, Any]) -> Message:
    known = {} if user is None else {"userId": user}
    said = {"messageId": identity, "type": call, "anonymousId": visitor, **known, "timestamp": format_instant(at), **body}
    return Message("web", json.dumps(said).encode())


def _crm(contact: str, stage: str, at: int, attempt: int = 0) -> Message:
    change = {
        "subscriptionType": "contact.propertyChange",
        "portalId": 1,
        "objectId": int(contact),
        "propertyName": "lifecyclestage",
        "propertyValue": stage,
        "changeSource": "CRM_UI",
        "occurredAt": at // MILLISECOND,
        "attemptNumber": attempt,
    }
    return Message("crm", json.dumps([change]).encode())
