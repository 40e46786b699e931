"""`tap` on a real broker: what it shows, where it begins, how it ends, and that it leaves nothing behind."""

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from schemas.instants import MILLISECOND, format_instant
from tests.broker.discovery import Broker
from tests.kafka.desk import MENDED, Desk, demo, status
from tests.kafka.processes import ROOT, WorkerProcess


@pytest.fixture
def desk(broker: Broker, tmp_path: Path) -> Desk:
    return Desk(broker, tmp_path)


def test_tap_shows_what_comes_and_ends_when_it_is_told(desk: Desk) -> None:
    """Live, decoded, filtered, masked unless asked for; 0 on Ctrl-C and on SIGTERM."""
    desk.configure(MENDED)
    told = {
        "lead": ("transitions", "conversions", "--lead", "contact:7", "--format", "json"),
        "stage": ("--stage", "open", "--format", "json", "--show-personal"),
        "conversion": ("--conversion", "demo"),
        "all": ("facts", "changelog", "dead_letters", "leads", "--format", "csv"),
    }
    taps = {name: desk.process(name, "tap", *options).start() for name, options in told.items()}
    for tap in taps.values():
        tap.wait_said("watching")
    desk.send(desk.web, demo(7), demo(8), b"nonsense")
    desk.send(desk.crm, status(7, "2"))
    desk.work()
    said = [("lead", '"stage": "open"'), ("lead", '"name": "demo"'), ("stage", '"stage": "open"'), ("conversion", "demo counted")]
    for name, words in [*said, *(("all", f"\n{role},") for role in ("facts", "changelog", "dead_letters", "leads"))]:
        taps[name].wait_said(words)
    for name, tap in taps.items():
        tap.process.send_signal(signal.SIGTERM if name == "all" else signal.SIGINT)
        assert tap.wait_ended() == 0, tap.tail()
    lead, stage = ([record["value"] for record in printed(taps[name])] for name in ("lead", "stage"))
    assert len({body["subject"]["id"] for body in lead}) == 1
    assert "contact:7" not in taps["lead"].output
    assert {body["subject"]["id"] for body in stage} == {"contact:7"}
    lines = taps["conversion"].output.splitlines()[1:]
    assert [line.count(" demo counted") for line in lines] == [1, 1], "contacts 7 and 8"


def printed(tap: WorkerProcess) -> list[dict[str, Any]]:
    return [json.loads(line) for line in tap.output.splitlines() if line.startswith("{")]


def test_tap_begins_where_it_is_told_and_leaves_no_group(desk: Desk) -> None:
    """Nobody reads here but `tap` and `dlq`: no group comes to be."""
    desk.fill(30)
    groups = {group.group_id for group in desk.admin.list_consumer_groups().result().valid}
    there = desk.app.read(desk.letters)
    everything = desk.tap("dead_letters", "--from-beginning", "--limit", 30)
    assert {(each["partition"], each["offset"]) for each in everything} == {(each.partition(), each.offset()) for each in there}
    last = desk.tap("dead_letters", "--last", 4, "--limit", 4)
    times = sorted(each.timestamp()[1] * MILLISECOND for each in there)[-4:]
    assert [record["time"] for record in last] == list(map(format_instant, times))
    assert desk.dlq("list")[0]["letters"] == 30
    assert {group.group_id for group in desk.admin.list_consumer_groups().result().valid} <= groups

    reader = subprocess.Popen(desk.words("tap", "dead_letters", "--from-beginning"), stdout=subprocess.PIPE, cwd=ROOT)
    assert reader.stdout is not None
    reader.stdout.close()
    assert reader.wait(60) == 0, "as with `| head`, nobody reads any more"
