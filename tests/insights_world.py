"""One application with half a year of a believable funnel in it, for tests and pictures of insights; the same people every time.

Its numbers come out of `funnelstream replay`, so what the pages show is what workers publish. An identifier and a segment
value are hostile: what they try must be seen as text.
"""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from faust.types import TP

from processors.cli.insights import insights_settings
from processors.cli.loading import load
from processors.insights.committed import Batch, Record
from processors.insights.progress import Progress
from processors.insights.read_model import ReadModel
from processors.insights.settings import InsightsSettings
from processors.simulation.lines import FILES, read
from schemas.instants import parse_instant
from tests.command import funnelstream

FUNNEL = """\
funnel: revenue
version: 1
owner: revenue operations
reason: First published version.
effective_from: 2026-01-01T00:00:00Z
subject: lead
conversions:
  - {name: demo_request, description: Asked to be shown the product., when: {event: Demo Requested}, count: once_per_lead}
  - {name: download, description: Took a paper., when: {event: Paper Downloaded}, count: every}
stages:
  - {name: signed_up, description: Left a name., when: {event: Signed Up}, sla: 14d}
  - {name: demo, description: Asked to be shown the product., when: {conversion: demo_request}}
  - {name: meeting, description: A meeting was held., when: {event: Meeting Held}}
  - {name: proposal, description: Has a proposal., when: {event: Proposal Sent}, sla: 30d}
detours: [{name: on_hold, description: Asked to be left alone for a while., while: {lead.status: hold}}]
outcomes:
  - {name: won, description: Signed., result: won, when: {event: Contract Signed}}
  - {name: lost, description: Went elsewhere., result: lost, when: {event: Deal Lost}}
value: {amount: lead.amount, currency: lead.currency}
segments:
  source: {value: event.campaign.source, rule: first_touch, top: 6}
rates:
  - {from: signed_up, to: meeting, within: 30d, cohort: month}
  - {from: meeting, to: proposal, cohort: month}
  - {from: signed_up, to: won, within: 90d, cohort: month}
  - {from: signed_up, to: demo, within: 14d, cohort: week}
policies: {lateness: 60d}
"""
CONFIGURATION = """\
application: acme-funnels
definitions: funnel.yml
topics: {{partitions: 2}}
identity: {{hash_key: "a key of sixteen bytes or more", namespaces: [{{name: contact, kind: lead}}]}}
sources:
  web:
    topics: [web]
    format: segment
    identifiers: {{userId: contact}}
    fields:
      lead.status: {{from: status}}
      lead.amount: {{from: amount, type: decimal}}
      lead.currency: {{from: currency}}
insights: {{listen: "127.0.0.1:0"{insights}}}
"""
BEGAN = datetime(2026, 1, 5, tzinfo=UTC)
AS_OF = parse_instant("2026-06-30T12:00:00Z")
HOSTILE = '<script>alert("x")</script>&\'"`{{7*7}}'
"""An identifier and a segment value that would be a script, an attribute or a template if anything took it for one."""
_SOURCES = ("google", "linkedin", "partner", "newsletter", "webinar", "events", "podcast", HOSTILE)
_PATH = (("Demo Requested", 0.55, 4), ("Meeting Held", 0.7, 9), ("Proposal Sent", 0.6, 14), ("Contract Signed", 0.5, 21))
"""Events, the share of those who were at the one before, and the mean of days between."""


def write_world(folder: Path, people: int = 400) -> Path:
    """Write definitions, configuration and records, and replay them.

    Args:
        folder: Where to.
        people: How many sign up.

    Returns:
        The configuration.
    """
    (folder / "funnel.yml").write_text(FUNNEL)
    config = configure(folder)
    (folder / "web.ndjson").write_text("".join(json.dumps(each) + "\n" for each in _records(people)))
    given = f"web={folder / 'web.ndjson'}"
    funnelstream("replay", "--config", config, "--input", given, "--out", folder / "out", "--as-of", _iso(AS_OF))
    return config


def configure(folder: Path, insights: str = "") -> Path:
    """Write the configuration with more said of insights."""
    config = folder / "application.yml"
    config.write_text(CONFIGURATION.format(insights=f", {insights}" if insights else ""))
    return config


def settings_of(config: Path) -> InsightsSettings:
    """What insights is told by a configuration."""
    return insights_settings(load(config))


def batches(settings: InsightsSettings, out: Path) -> Iterator[Batch]:
    """What a replay wrote, as it would be read of the topics."""
    for role in ("metrics", "transitions", "leads"):
        place = TP(getattr(settings.topics, role), 0)
        lines = (out / FILES[role]).read_bytes().splitlines()
        records = [_record(offset, json.loads(line)) for offset, line in enumerate(lines)]
        yield Batch(place, None, tuple(records), len(records))


def fill(settings: InsightsSettings, out: Path) -> tuple[ReadModel, Progress]:
    """A read model with everything that a replay wrote, and its progress, which is complete."""
    model, progress = ReadModel(settings), Progress()
    ends = {}
    for batch in batches(settings, out):
        model.put(batch)
        progress.take(batch)
        ends[batch.place] = batch.read_to
    progress.answered(ends, progress.taken, AS_OF)
    return model, progress


def _record(offset: int, line: dict[str, Any]) -> Record:
    headers = [(name, read(value)) for name, value in line["headers"].items()]
    return Record(offset, read(line["key"]), read(line["value"]), 0, headers)


def _records(people: int) -> list[dict[str, Any]]:
    """Calls of Segment in the order in which they arrive: most at once, some days later."""
    dice = random.Random(7)
    arriving: list[tuple[datetime, dict[str, Any]]] = []
    for number in range(people):
        who = HOSTILE if number == 0 else f"c{number:04}"
        at = BEGAN + timedelta(days=dice.random() * 165)
        campaign = _SOURCES[min(int(dice.expovariate(0.6)), len(_SOURCES) - 1)] if number else HOSTILE
        calls = [("Signed Up", at)]
        if dice.random() < 0.4:
            calls.append(("Paper Downloaded", at + timedelta(days=dice.random())))
        for event, share, days in _PATH:
            at += timedelta(days=dice.expovariate(1 / days))
            if dice.random() > share:
                if event == "Contract Signed" and dice.random() < 0.7:
                    calls.append(("Deal Lost", at))
                break
            if dice.random() > 0.08:
                calls.append((event, at))
        for event, when in calls:
            call = {
                "type": "track",
                "event": event,
                "userId": who,
                "messageId": f"m{len(arriving)}",
                "timestamp": when.isoformat(),
            }
            late = timedelta(days=dice.random() * 20) if dice.random() < 0.05 else timedelta()
            arriving.append((when + late, call | {"context": {"campaign": {"source": campaign}}}))
            if event == "Proposal Sent":
                traits = {"amount": f"{dice.randrange(5, 90) * 100}.00", "currency": dice.choice(("EUR", "EUR", "USD"))}
                identify = _call("identify", who, f"i{len(arriving)}", when) | {"traits": traits}
                arriving.append((when - timedelta(seconds=1), identify))
    arriving.sort(key=lambda each: (each[0], each[1]["messageId"]))
    until = datetime.fromtimestamp(AS_OF / 1e6, UTC)
    return [call for arrives, call in arriving if arrives < until]


def _call(kind: str, who: str, message: str, when: datetime) -> dict[str, Any]:
    return {"type": kind, "userId": who, "messageId": message, "timestamp": when.isoformat()}


def _iso(instant: int) -> str:
    return datetime.fromtimestamp(instant / 1e6, UTC).isoformat()
