"""A crowd of leads whose events are known from their numbers alone: what is sent, and what must have come of it.

Event number n is the (n // leads)-th of its lead, and the leads come in a scattered order that repeats: the first `leads` events
load the crowd, later ones are spread evenly over it. A lead's events walk round the four stages of `cycle.yml`, so each is one
conversion and one transition, and each costs the same whether ten thousand leads share them or a million.
"""

from array import array
from collections.abc import Iterable

import msgspec

from schemas.instants import MILLISECOND, format_instant, parse_instant

EVENTS = ("Signed Up", "Trial Started", "Order Completed", "Subscription Renewed")
STAGES = ("lead", "trial", "customer", "retained")
START = parse_instant("2020-01-01")
APART = 100 * MILLISECOND
SCATTER = 7_368_787
"""A prime that divides no sensible number of leads: multiples of it visit each lead once a round, far from the last one."""

_BODY = (
    '{{"messageId":"e-{number}","type":"track","event":"{event}","userId":"{lead}","anonymousId":"a-{lead}","timestamp":"{at}",'
    '"context":{{"campaign":{{"source":"newsletter","medium":"email","name":"spring"}},"page":{{"url":"https://shop.example.com/p/1",'
    '"path":"/p/1","referrer":"https://www.example.org/"}}}},"properties":{{"plan":"pro","value":12.5,"currency":"EUR"}},'
    '"sentAt":"{at}","receivedAt":"{at}"}}'
)


class Crowd:
    """So many leads.

    Attributes:
        leads: How many.
    """

    def __init__(self, leads: int) -> None:
        if leads % SCATTER == 0:
            raise ValueError(f"{leads} leads: a multiple of {SCATTER} cannot be scattered")
        self.leads = leads

    def event(self, number: int) -> bytes:
        """The value of an event, a Segment track call of about 500 bytes."""
        at = format_instant(START + number * APART)
        return _BODY.format(number=number, event=EVENTS[self._round(number)], lead=f"u-{self._lead(number)}", at=at).encode()

    def faults(self, conversions: Iterable[bytes], transitions: Iterable[bytes], events: int) -> list[str]:
        """What is wrong with what was published; nothing when each event stands as one conversion and one move.

        Args:
            conversions: Values of the topic, in the order of each partition.
            transitions: The same of its topic.
            events: How many were sent.
        """
        counted, moved, astray = array("b", bytes(events)), array("b", bytes(events)), bytearray(events)
        sequences, gaps = [0] * self.leads, 0
        for body in map(_decode, conversions):
            counted[body.event] += body.standing
        for body in map(_decode, transitions):
            number, lead = body.event, self._lead(body.event)
            moved[number] += body.standing
            astray[number] = body.to is None or body.to.stage != STAGES[self._round(number)]
            sequences[lead] += 1
            gaps += body.sequence != sequences[lead]
        wrong = {
            "events do not stand as one conversion": sum(standing != 1 for standing in counted),
            "events do not stand as one transition": sum(standing != 1 for standing in moved),
            "transitions lead to another stage": sum(astray),
            "transitions have a gap in the sequence before them": gaps,
        }
        return [f"{count} {what}" for what, count in wrong.items() if count]

    def _lead(self, number: int) -> int:
        return number * SCATTER % self.leads

    def _round(self, number: int) -> int:
        return number // self.leads % len(STAGES)


class _Fact(msgspec.Struct):
    id: str


class _Cause(msgspec.Struct):
    facts: tuple[_Fact]


class _Point(msgspec.Struct):
    stage: str = ""


class _Body(msgspec.Struct):
    op: str
    cause: _Cause
    sequence: int = 0
    to: _Point | None = None

    @property
    def event(self) -> int:
        """Number of the event that caused it."""
        return int(self.cause.facts[0].id[2:])

    @property
    def standing(self) -> int:
        """What the operation adds to the records that stand."""
        return {"announce": 1, "retract": -1}.get(self.op, 0)


_decode = msgspec.json.Decoder(_Body).decode
