"""The pages that 90,400 visitors of a shop saw, as Segment calls, and what must be counted of them.

Of each visitor the data set knows the day, the device, the sex, and which of four pages they saw. An identify call says the sex;
then come the pages in the order of the funnel, minutes apart on that day. Who saw a page saw all before it. The expected figures
are those that the data set is known for, and its files are held against them.
"""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from schemas.instants import MINUTE, format_instant, parse_instant
from tests.shared_material import ROOT

PAGES = {"home": "home_page", "search": "search_page", "payment": "payment_page", "confirmation": "payment_confirmation_page"}
"""Stage of funnels/shop.yml to the page that enters it, which its file is named for."""
REACHED: dict[str | None, dict[str | None, tuple[int, ...]]] = {
    None: {None: (90_400, 45_200, 6_030, 452)},
    "device": {"Desktop": (60_200, 30_100, 3_010, 150), "Mobile": (30_200, 15_100, 3_020, 302)},
    "sex": {"Female": (45_075, 22_676, 3_100, 241), "Male": (45_325, 22_524, 2_930, 211)},
}
"""How many reached each stage, in the order of the funnel, by segment and value; None: all together."""

CONFIGURATION = """\
application: {application}
definitions: {folder}/definitions
kafka: {{bootstrap.servers: "{bootstrap}"}}
topics: {{prefix: {application}, partitions: 4}}
state: {{path: {folder}/state}}
identity: {{namespaces: [{{name: anonymous, kind: visitor}}]}}
sources:
  web:
    topics: [{application}.web]
    format: segment
    identifiers: {{anonymousId: anonymous}}
    fields: {{lead.sex: {{from: traits.sex}}}}
http: {{listen: "127.0.0.1:0"}}
"""


class Visitor(NamedTuple):
    """One visitor, and how many of the pages they saw."""

    id: str
    day: str
    device: str
    sex: str
    pages: int


def configure(folder: Path, application: str, bootstrap: str) -> Path:
    """The configuration's file in a folder, beside the shipped funnel, split by what the data set knows."""
    funnel = YAML(typ="safe").load((ROOT / "funnels" / "shop.yml").read_text())
    funnel["segments"] = {"device": funnel["segments"]["device"], "sex": {"value": "lead.sex", "rule": "first_touch"}}
    funnel["effective_from"] = str(funnel["effective_from"])
    (folder / "definitions").mkdir()
    (folder / "definitions" / "shop.yml").write_text(json.dumps(funnel))
    config = folder / "ecom.yml"
    config.write_text(CONFIGURATION.format(application=application, bootstrap=bootstrap, folder=folder))
    return config


def visitors(folder: Path) -> list[Visitor]:
    """All of them, in the order of the file."""
    saw: Counter[str] = Counter()
    for name in ("home_page", "search_page", "payment_page", "payment_confirmation"):
        saw.update(row["user_id"] for row in _rows(folder / f"{name}_table.csv"))
    known = _rows(folder / "user_table.csv")
    return [Visitor(row["user_id"], row["date"], row["device"], row["sex"], saw[row["user_id"]]) for row in known]


def check_files(found: list[Visitor]) -> None:
    """The figures above are those of the files."""
    for segment, values in REACHED.items():
        split = {value: [each for each in found if segment is None or getattr(each, segment) == value] for value in values}
        assert {value: _reached(part) for value, part in split.items()} == values


def _reached(found: list[Visitor]) -> tuple[int, ...]:
    return tuple(sum(visitor.pages > index for visitor in found) for index in range(len(PAGES)))


def check_report(printed: str, segment: str | None = None) -> None:
    """Hold what `report --format json`, with `--by` for a segment, prints against the data set."""
    stages = [row for row in json.loads(printed) if row["kind"] == "stage"]
    found: dict[str | None, list[tuple[str, int, int]]] = {}
    for row in stages:
        found.setdefault(row["segment_value"], []).append((row["name"], row["reached"], row["touched"]))
    wanted = {value: [*zip(PAGES, counts, counts, strict=True)] for value, counts in REACHED[segment].items()}
    assert found == wanted
    assert {row["segment"] for row in stages} == {segment}


def calls(visitor: Visitor) -> Iterator[tuple[bytes, int]]:
    """The visitor's records as values, and their event times in microseconds."""
    begin, common = parse_instant(visitor.day), {"anonymousId": visitor.id}
    yield _call(begin, "identify", common, messageId=f"{visitor.id}-identify", traits={"sex": visitor.sex})
    context = {"device": {"type": visitor.device}}
    for number, page in enumerate(list(PAGES.values())[: visitor.pages], 1):
        at = begin + 5 * number * MINUTE
        yield _call(at, "page", common, messageId=f"{visitor.id}-{page}", name=page, context=context)


def _call(at: int, kind: str, common: dict[str, Any], **rest: Any) -> tuple[bytes, int]:
    return json.dumps({"type": kind, "timestamp": format_instant(at), **common, **rest}).encode(), at


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as lines:
        return list(csv.DictReader(lines))
