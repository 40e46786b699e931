"""A crowd of leads whose events are known from their numbers alone: what is sent, and what must have come of it.

Event number n is the (n // leads)-th of its lead, and the leads come in a scattered order that repeats: the first `leads` events
load the crowd, later ones are spread evenly over it. A lead's events walk round the four stages of `cycle.yml`, so each is one
conversion and one transition, and each costs the same whether ten thousand leads share them or a million.
"""

from array import array
from collections.abc import Iterator, Mapping

import msgspec

from processors.engine.reading import read_topic
from schemas.application import OwnTopics
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
        lead = number * SCATTER % self.leads
        at = format_instant(START + number * APART)
        return _BODY.format(number=number, event=EVENTS[number // self.leads % 4], lead=f"u-{lead}", at=at).encode()

    def faults(self, kafka: Mapping[str, str], topics: OwnTopics, events: int) -> list[str]:
        """What is wrong with the published topics after so many events: one standing conversion and one move each is right."""
        counted, moved = array("b", bytes(events)), array("b", bytes(events))
        arrived = bytearray(events)
        sequences, gaps = array("l", bytes(8 * self.leads)), 0
        for body in _bodies(kafka, topics.conversions):
            counted[body.event] += body.standing
        for body in _bodies(kafka, topics.transitions):
            number, lead = body.event, body.event * SCATTER % self.leads
            moved[number] += body.standing
            arrived[number] = body.to is not None and body.to.stage == STAGES[number // self.leads % 4]
            sequences[lead] += 1
            gaps += body.sequence != sequences[lead]
        wrong = {
            "conversions do not stand exactly once": sum(found != 1 for found in counted),
            "transitions do not stand exactly once": sum(found != 1 for found in moved),
            "transitions lead to another stage": events - sum(arrived),
            "sequence numbers have gaps": gaps,
        }
        return [f"{count} {what}" for what, count in wrong.items() if count]


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


def _bodies(kafka: Mapping[str, str], topic: str) -> Iterator[_Body]:
    decode = msgspec.json.Decoder(_Body).decode
    return (decode(message.value() or b"") for message in read_topic(kafka, topic))
