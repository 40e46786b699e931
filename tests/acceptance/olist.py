"""The Olist data set as what it would have been on topics: Segment calls for the first contact, whole HubSpot deals for the win.

8,000 leads of a marketplace from 2017 and 2018, 842 of them won. Expected figures are counted from the CSV files' own columns.
"""

import csv
import json
import random
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from statistics import fmean, median
from typing import Any, NamedTuple

import pytest
from ruamel.yaml import YAML

from schemas.instants import DAY, SECOND, format_instant, parse_instant
from tests.shared_material import ROOT

LEADS, WON = 8000, 842
BY_ORIGIN = {
    "organic_search": (2296, 271),
    "paid_search": (1586, 195),
    "social": (1350, 75),
    "unknown": (1099, 179),
    "direct_traffic": (499, 56),
    "email": (493, 15),
    "referral": (284, 24),
    "other": (150, 4),
    "display": (118, 6),
    "other_publicities": (65, 3),
    "": (60, 14),
}
"""MQL and won by the origin column."""
WON_BEFORE_CONTACT = "b91cf881"
"""The lead, by the beginning of its id, whose win lies before its first contact."""
DISORDER = 5 * DAY
"""How far records are shuffled among each other."""
DUPLICATED = 0.05

CONFIGURATION = """\
application: {application}
definitions: {definitions}
kafka: {{bootstrap.servers: "{bootstrap}"}}
topics: {{prefix: {application}, partitions: 4}}
state: {{path: {folder}/state}}
identity: {{namespaces: [{{name: mql, kind: lead}}, {{name: anonymous, kind: visitor}}, {{name: deal, kind: deal}}]}}
sources:
  web:
    topics: [{application}.web]
    format: segment
    identifiers: {{userId: mql}}
    fields: {{lead.origin: {{from: traits.origin}}}}
  crm:
    topics: [{application}.crm]
    format: hubspot
    identifiers: {{contact.objectId: mql, deal.objectId: deal}}
    fields: {{deal.origin: {{from: origin}}}}
limits: {{batch_records: 500}}
http: {{listen: "127.0.0.1:0"}}
insights: {{listen: "127.0.0.1:0"}}
"""


class Record(NamedTuple):
    """One record: its source, value and event time in microseconds."""

    source: str
    value: bytes
    at: int
    lead: str


def definition(folder: Path) -> Path:
    """The shipped funnel, split by origin and with one rate over all time, as a file in a folder."""
    funnel = YAML(typ="safe").load((ROOT / "funnels" / "dreamdata-lead.yml").read_text())
    funnel["effective_from"] = str(funnel["effective_from"])
    funnel["segments"] = {"origin": {"value": ["lead.origin", "deal.origin"], "rule": "at_entry"}}
    funnel["rates"] = [{"from": "mql", "to": "closed_won"}]
    file = folder / "dreamdata-lead.yml"
    file.write_text(json.dumps(funnel))
    return file


def times_to_win(folder: Path) -> dict[str, int]:
    """Microseconds from the first contact to the win, by lead."""
    contacts = {row["mql_id"]: row["first_contact_date"] for row in _rows(folder / "olist_marketing_qualified_leads_dataset.csv")}
    wins = {row["mql_id"]: row["won_date"] for row in _rows(folder / "olist_closed_deals_dataset.csv")}
    return {lead: parse_instant(won) - parse_instant(contacts[lead]) for lead, won in wins.items()}


def origins(folder: Path) -> dict[str, str]:
    """Origin by lead."""
    return {row["mql_id"]: row["origin"] for row in _rows(folder / "olist_marketing_qualified_leads_dataset.csv")}


def records(folder: Path) -> list[Record]:
    """All records in the order of their event times."""
    made = [record for row in _rows(folder / "olist_marketing_qualified_leads_dataset.csv") for record in _contact(row)]
    known = origins(folder)
    made += [_win(row, known[row["mql_id"]]) for row in _rows(folder / "olist_closed_deals_dataset.csv")]
    return sorted(made, key=lambda record: (record.at, record.source == "crm"))


def disordered(ordered: list[Record], seed: int = 7) -> list[Record]:
    """Shuffled within bounded windows of event time, and some of them twice."""
    chance = random.Random(seed)
    arriving = [(record.at + chance.randrange(DISORDER), record) for record in ordered]
    arriving += [(at + chance.randrange(DISORDER), record) for at, record in arriving if chance.random() < DUPLICATED]
    return [record for _, record in sorted(arriving, key=lambda pair: pair[0])]


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))


def _contact(row: dict[str, str]) -> Iterable[Record]:
    lead, at = row["mql_id"], parse_instant(row["first_contact_date"])
    traits = {"origin": row["origin"], "landing_page": row["landing_page_id"]}
    common = {"userId": lead, "timestamp": format_instant(at)}
    identify = {"type": "identify", "messageId": f"{lead}-identify", "traits": traits, **common}
    track = {"type": "track", "messageId": f"{lead}-contact", "event": "Content Downloaded", "properties": traits, **common}
    return Record("web", json.dumps(identify).encode(), at, lead), Record("web", json.dumps(track).encode(), at, lead)


def _win(row: dict[str, str], origin: str) -> Record:
    """A CRM keeps on a deal where its contact came from; of the one won before its contact, nothing else knows it by then."""
    at, lead = parse_instant(row["won_date"]), row["mql_id"]
    deal = {
        "id": f"deal-{row['seller_id']}",
        "updatedAt": format_instant(at),
        "properties": {
            "dealname": row["business_segment"],
            "hs_is_closed_won": "true",
            "closedate": row["won_date"],
            "origin": origin,
        },
        "associations": {"contacts": {"results": [{"id": lead, "type": "deal_to_contact"}]}},
    }
    return Record("crm", json.dumps([deal]).encode(), at, lead)


def check(transitions: Iterable[dict[str, Any]], conversions: Iterable[dict[str, Any]], origin_of: dict[str, str]) -> None:
    """Hold the net published records against the data set."""
    moves = list(transitions)
    reached = {_lead(body) for body in moves if _to(body) == "mql" or "mql" in body["skipped"]}
    touched = {_lead(body) for body in moves if _to(body) == "mql"}
    won = {_lead(body) for body in moves if _to(body) == "closed_won"}
    assert (len(reached), len(touched), len(won)) == (LEADS, LEADS - 1, WON)
    mql, deals = Counter(origin_of[lead] for lead in reached), Counter(origin_of[lead] for lead in won)
    assert {origin: (mql[origin], deals[origin]) for origin in mql} == BY_ORIGIN
    (early,) = reached - touched
    assert early.startswith(WON_BEFORE_CONTACT)
    idle = [body for body in conversions if not body["advanced"]]
    assert [_lead(body) for body in idle] == [early]


def check_report(printed: str) -> None:
    """Hold what `report --format json` prints against the data set."""
    counted = {row["name"]: (row["reached"], row["now"]) for row in json.loads(printed) if row["kind"] != "conversion"}
    passed = {"sal": (WON, 0), "sql": (WON, 0)}  # by who was won: the data set knows nothing of their deals before
    assert counted == {"mql": (LEADS, LEADS - WON), **passed, "closed_won": (WON, WON), "lost": (0, 0)}


def check_by_origin(printed: str) -> None:
    """Hold `report --format json --by origin` against the data set: a blank is `(none)`; `unknown` and `other` are values."""
    places = [row for row in json.loads(printed) if row["name"] in ("mql", "closed_won")]
    found: dict[str, list[tuple[str, int]]] = {}
    for row in places:
        found.setdefault(row["segment_value"], []).append((row["name"], row["reached"]))
    assert found == {origin or "(none)": [("mql", mql), ("closed_won", won)] for origin, (mql, won) in BY_ORIGIN.items()}
    assert {row["segment"] for row in places} == {"origin"}
    assert {row["folded"] for row in places} == {0}, "nothing is folded, so `other` is what the data set calls so"


def check_rate(printed: str, folder: Path) -> None:
    """Hold `report --format json --rates` against the data set: of all leads, with their exact times to win (rules 24 and 25)."""
    (row,) = [row for row in json.loads(printed) if row["rate"] == "mql->closed_won" and row["method"] == "cohort"]
    assert (row["part"], row["whole"]) == (WON, LEADS)
    assert row["share"] == 0.10525
    times = times_to_win(folder)
    timed = [length / SECOND for lead, length in times.items() if not lead.startswith(WON_BEFORE_CONTACT)]
    assert min(timed) > 0
    assert (row["timed"], row["untimed"]) == (len(timed), 1) == (841, 1)
    assert row["mean"] == pytest.approx(fmean(timed), rel=1e-12)
    assert round(row["mean"] * SECOND / DAY, 2) == 49.16
    assert row["median"] == pytest.approx(median(timed), rel=0.01)
    assert round(median(timed) * SECOND / DAY, 2) == 14.72


def _lead(body: dict[str, Any]) -> str:
    return str(body["subject"]["id"]).removeprefix("mql:")


def _to(body: dict[str, Any]) -> str | None:
    position = body["to"] or {}
    return position.get("stage") or position.get("outcome")
