"""Input for the soak: leads whose records come in disorder, late, twice, and at times with other content under one
id.
"""

import json
import random
from typing import NamedTuple

from schemas.instants import HOUR, MILLISECOND, format_instant, parse_instant

START = parse_instant("2026-01-01")
STAGES = ("subscriber", "lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer", "")
EVENTS = ("Form Submitted", "Demo Requested", "Signed Up", "Page Viewed", "Churned", "Recycled")

FUNNELS = {
    "lifecycle.yml": """\
funnel: lifecycle
version: 1
owner: tests
reason: States of a contact, an own outcome, and a way back.
effective_from: 2025-01-01T00:00:00Z
subject: lead
conversions:
  - {name: form, description: First form., when: {event: [Form Submitted, Signed Up]}, count: once_per_lead}
  - {name: demo, description: Any demo., when: {event: Demo Requested}, count: every}
stages:
  - {name: touched, description: Sent a form., when: {conversion: [form, demo]}, optional: true}
  - {name: subscriber, description: Subscribes., while: {lead.lifecycle_stage: subscriber}}
  - name: qualified
    description: Qualified.
    while: {lead.lifecycle_stage: [marketingqualifiedlead, salesqualifiedlead]}
    lapse: keep
  - {name: opportunity, description: Has a deal., while: {lead.lifecycle_stage: opportunity}}
outcomes:
  - {name: customer, description: Bought., result: won, while: {lead.lifecycle_stage: customer}}
  - {name: churned, description: Left., result: lost, when: {event: Churned}}
policies: {after_outcome: reenter, lateness: 4000d}
""",
    "plans.yml": """\
funnel: plans
version: 2
owner: tests
reason: A second funnel over the same records, so that sequences and rows are shared.
effective_from: 2026-01-01T12:00:00Z
subject: lead
stages:
  - {name: asked, description: Asked., when: {event: Demo Requested, event.properties.team: true}}
  - {name: recycled, description: Sent back., when: {event: Recycled}, resets: true}
  - {name: pro, description: Pays., while: {lead.plan: pro, happened: asked_for}}
conversions:
  - {name: asked_for, description: Asked for anything., when: {event: [Demo Requested, Signed Up]}, count: every}
policies: {lateness: 4000d}
""",
    "windows.yml": """\
funnel: windows
version: 1
owner: tests
reason: Timers, which facts fire while the input flows and watermarks fire once it has ended.
effective_from: 2025-01-01T00:00:00Z
subject: lead
stages:
  - {name: seen, description: Sent a form., when: {event: Form Submitted}, expires: {after: 36h, anchor: last}, optional: true}
  - {name: asked, description: Asked., when: {event: Demo Requested}, expires: {after: 12h, anchor: first}, sla: 6h}
  - {name: paying, description: Pays., while: {lead.plan: pro}, sla: 30h}
policies: {lateness: 4000d}
""",
}

CONFIGURATION = """\
application: {application}
definitions: {folder}/funnels
kafka: {{bootstrap.servers: "{bootstrap}"}}
topics: {{prefix: {application}, partitions: 4}}
state: {{path: {folder}/state}}
identity: {{namespaces: [{{name: contact, kind: lead}}]}}
sources:
  web:
    topics: [{application}.web]
    format: segment
    identifiers: {{userId: contact}}
    fields: {{lead.plan: {{from: traits.plan}}}}
  crm: {{topics: [{application}.crm], format: hubspot, identifiers: {{contact.objectId: contact}}}}
limits: {{batch_records: 200, batch_time: 50ms}}
http: {{listen: "127.0.0.1:0"}}
"""


class Sent(NamedTuple):
    """One record to send."""

    source: str
    value: bytes
    lead: str


class Inputs:
    """An endless stream of records about a growing crowd of leads, made from a seed."""

    def __init__(self, seed: int, leads: int) -> None:
        self._chance = random.Random(seed)
        self._leads = leads
        self._number = 0
        self._recent: list[Sent] = []

    def next(self) -> Sent:
        """The next record: new, or one of the last few again."""
        chance = self._chance
        if self._recent and chance.random() < 0.08:
            return self._again(chance.choice(self._recent))
        self._number += 1
        # Squared: a few leads have long histories, most have short ones.
        lead = str(10_000 + int(self._leads * chance.random() ** 2))
        at = START + self._number * 20 * MILLISECOND + chance.choice((0, 0, 0, -1, -30, 60)) * HOUR
        at -= at % (10 * MILLISECOND)  # so that records share instants
        sent = self._crm(lead, at) if chance.random() < 0.5 else self._web(lead, at)
        self._recent = [*self._recent[-200:], sent]
        return sent

    def _again(self, sent: Sent) -> Sent:
        """A duplicate, as it is or with other transport fields; at times a conflict: the same id with other content."""
        body = json.loads(sent.value)
        if sent.source == "crm":
            body[0]["attemptNumber"] = self._chance.randrange(1, 5)
        elif self._chance.random() < 0.2:
            body["timestamp"] = format_instant(START + self._chance.randrange(HOUR))
        else:
            body["sentAt"] = format_instant(START + self._chance.randrange(HOUR))
        return Sent(sent.source, json.dumps(body).encode(), sent.lead)

    def _crm(self, lead: str, at: int) -> Sent:
        deleted = self._chance.random() < 0.04
        kind = self._chance.choice(("contact.deletion", "contact.restore")) if deleted else "contact.propertyChange"
        change = {
            "subscriptionType": kind,
            "portalId": 1,
            "objectId": int(lead),
            "occurredAt": at // MILLISECOND,
            "attemptNumber": 0,
        }
        if not deleted:
            change |= {"propertyName": "lifecyclestage", "propertyValue": self._chance.choice(STAGES)}
        return Sent("crm", json.dumps([change]).encode(), lead)

    def _web(self, lead: str, at: int) -> Sent:
        body: dict[str, object] = {"messageId": f"m{self._number}", "userId": lead, "timestamp": format_instant(at)}
        if self._chance.random() < 0.25:
            body |= {"type": "identify", "traits": {"plan": self._chance.choice(("free", "pro", "team"))}}
        else:
            team = {"team": self._chance.random() < 0.5}
            body |= {"type": "track", "event": self._chance.choice(EVENTS), "properties": team}
        return Sent("web", json.dumps(body).encode(), lead)
