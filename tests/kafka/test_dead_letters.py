"""Dead letters as a workflow on a real broker: listed, mended, sent back, each once, whatever happens in the middle."""

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Message, Producer, TopicPartition

from processors.cli.run import engine_settings
from processors.engine.letterbox import Letterbox, stored
from processors.engine.standalone import Standalone
from processors.topology.letters import DeadLetter, Receipt, read, receipt_headers
from tests.broker.discovery import Broker
from tests.command import run
from tests.deployment import bodies, limit_size
from tests.kafka import foreign
from tests.kafka.desk import LARGE, MENDED, Desk, demo, status

MANY = 12_000
"""Dead letters that take a replay twelve transactions."""


@pytest.fixture
def desk(broker: Broker, tmp_path: Path) -> Desk:
    return Desk(broker, tmp_path)


def contents(messages: list[Message]) -> list[tuple[Any, ...]]:
    return sorted(((message.key(), message.value(), message.partition()) for message in messages), key=repr)


def test_a_record_whose_cause_is_mended_is_used_after_its_replay(desk: Desk) -> None:
    """A limit that was too small for 5 MB, a value that was not listed: the whole way, with a worker before and after."""
    large, own, hour_ago = demo(7, pad="x" * (5 << 20)), [("trace", b"t"), ("none", None)], int(time.time() - 3600) * 1000
    limit_size(desk.admin, desk.web, 6_500_000)
    desk.send(desk.web, large, key=b"k", headers=own, timestamp=hour_ago, partition=1)
    desk.send(desk.web, b"nonsense", demo(8), partition=1)
    desk.send(desk.crm, status(8, "2"), status(9, "3"))
    desk.work()
    listed = {group["reason"]: group for group in desk.dlq("list")}
    assert {reason: (group["source"], group["letters"], group["outstanding"]) for reason, group in listed.items()} == {
        "too_large": ("web", 1, 1),
        "not_json": ("web", 1, 1),
        "unlisted_value": ("crm", 2, 2),
    }
    before = {topic: contents(desk.app.read(topic)) for topic in (desk.web, desk.crm, desk.letters)}
    planned = desk.dlq("replay", "--dry-run")
    assert {(row["reason"], row["outcome"]) for row in planned} == {(reason, "would be sent") for reason in listed}
    assert next(row["to"] for row in planned if row["reason"] == "too_large") == f"{desk.web}/1"
    assert {topic: contents(desk.app.read(topic)) for topic in before} == before, "a dry run sends nothing"

    moved = [body["subject"]["id"] for body in bodies(desk.app.read(desk.app.topics.transitions))]
    assert moved == ["contact:8"], "what lies behind the large record is used"
    (kept,) = [message for message in desk.app.read(desk.letters) if len(message.value() or b"") > 10_000]
    said = dict(kept.headers() or ())
    assert (kept.value(), said["dead-letter-size"]) == (large[: 64 << 10], b"%d" % len(large))
    assert said["dead-letter-sha256"] == sha256(large).hexdigest().encode()

    desk.configure(MENDED)
    (left,) = desk.dlq("replay", "--reason", "too_large")
    assert left["outcome"] == "left"
    assert "over message.max.bytes: raise it under kafka" in left["why"]
    desk.configure(MENDED, LARGE)
    sent = desk.dlq("replay", "--since", "1h", "--reason", "too_large", "--reason", "unlisted_value")
    assert {(row["reason"], row["outcome"]) for row in sent} == {("too_large", "sent"), ("unlisted_value", "sent")}
    (record,) = [message for message in desk.app.read(desk.web) if dict(message.headers() or ()).get("dead-letter-replay")]
    assert (record.key(), record.value(), record.partition()) == (b"k", large, 1)
    assert record.headers() == [*own, ("dead-letter-replay", b"1")]
    assert record.timestamp()[1] == hour_ago, "by it the worker judges whether the record came too late (rule 19)"
    desk.work()

    leads = {body["subject"]["id"]: body["to"]["stage"] for body in bodies(desk.app.read(desk.app.topics.transitions))}
    assert leads == {"contact:7": "asked", "contact:8": "open"}
    after = {group["reason"]: group for group in desk.dlq("list")}
    counted = ("letters", "outstanding", "replayed", "failed_again", "attempts")
    assert [after["unlisted_value"][name] for name in counted] == [3, 1, 2, 1, 1], "contact 9 failed again"
    assert [after["too_large"][name] for name in counted] == [1, 0, 1, 0, 0]
    assert {(row["reason"], row["letters"]) for row in desk.dlq("replay", "--all") if row["outcome"] == "sent"} == {
        ("not_json", 1),
        ("unlisted_value", 1),
    }
    assert {row["outcome"] for row in desk.dlq("replay", "--all")} == {"left"}, "a second replay sends nothing"
    assert [row["outcome"] for row in desk.dlq("replay", "--again", f"{desk.web}/1/0")] == ["sent"], "but for the asking"


def test_what_cannot_go_back_stays_and_says_why(desk: Desk) -> None:
    """A short letter whose record is gone, a conflict, a foreign record, a letter that is not there."""
    desk.send(desk.web, demo(7, pad="ada@example.org" * 5_000), partition=0)
    desk.send(desk.web, demo(8), demo(8, timestamp="2026-01-02T00:00:00Z"), partition=1)
    desk.work()
    desk.send(desk.letters, b"somebody else's")
    listed = run("dlq", "list", "--config", desk.config, "--format", "json")
    assert "neither dead letters nor receipts: 1" in listed.stderr
    (place,) = [group["example"] for group in json.loads(listed.stdout) if group["reason"] == "too_large"]
    (masked,), (shown,) = desk.dlq("show", place), desk.dlq("show", f"{desk.web}/0/0", "--show-personal")
    assert (masked["bytes_kept"], masked["record"]) == (65_536, f"{desk.web}/0/0")
    assert "ada@example.org" not in json.dumps(masked)
    assert "ada@example.org" in shown["value"]
    assert masked["dead_letter"] == shown["dead_letter"] == place

    purge = desk.admin.delete_records([TopicPartition(desk.web, 0, 1)])
    assert all(future.result() for future in purge.values())
    why = {row["reason"]: (row["outcome"], row["why"]) for row in desk.dlq("replay", "--all")}
    assert why["too_large"] == ("left", "only its beginning was kept, and the source record is deleted")
    assert why["conflicting_duplicate"][0] == "left"
    assert "it would conflict again" in why["conflicting_duplicate"][1]
    assert "no dead letter 0/9999" in run("dlq", "show", "--config", desk.config, "0/9999").stderr


def test_a_key_that_was_cut_goes_back_whole_and_headers_that_nobody_can_read_stay(desk: Desk) -> None:
    """The Python client reads no header of a record of which one name is not UTF-8: it is used, set aside, shown, not sent."""
    key = b"k" * 70_000
    desk.send(desk.crm, b"no JSON", key=key, partition=0)
    foreign.produce(desk.app.kafka["bootstrap.servers"], desk.web, b"no JSON", b"\xff\xfe")
    desk.work()
    assert {row["source"]: row["outcome"] for row in desk.dlq("replay", "--all")} == {"crm": "sent", "web": "left"}
    assert [message.key() for message in desk.app.read(desk.crm)] == [key, key]
    assert "headers-unreadable" in json.dumps(desk.tap("dead_letters", "--from-beginning", "--limit", 3))
    (shown,) = desk.dlq("show", f"{desk.crm}/0/0")
    assert (shown["key"], shown["key_bytes"]) == ("<65536 bytes>", 70_000)


def check_once(desk: Desk, count: int) -> None:
    """Every record is there once, in its partition, and has one receipt."""
    sent = Counter(contents(desk.app.read(desk.web)))
    assert sent == Counter({(b"k%d" % number, b"v%d" % number, number % 3): 1 for number in range(count)})
    found = [read(stored(message)) for message in desk.app.read(desk.letters)]
    receipts = Counter(each.of for each in found if isinstance(each, Receipt))
    assert (len(receipts), receipts.total()) == (count, count)
    assert {group["outstanding"] for group in desk.dlq("list")} == {0}


def test_a_replay_that_is_killed_again_and_again_sends_each_once(desk: Desk) -> None:
    """Kill -9 in the middle, three times; then one that is let through."""
    desk.fill(MANY)
    for number, share in enumerate((0.05, 0.2, 0.4)):
        killed = desk.process(f"killed-{number}", "dlq", "replay", "--all").start()
        desk.wait_sending(killed, round(share * MANY))
        killed.kill9()
    assert len(desk.app.read(desk.web)) < MANY, "nothing is left for the last one to send"
    assert "sent" in {row["outcome"] for row in desk.dlq("replay", "--all")}
    check_once(desk, MANY)


def test_a_replay_that_wakes_up_while_another_ran_is_fenced(desk: Desk) -> None:
    """It had read the letters as outstanding, and its open transaction is ended by the newer one."""
    desk.fill(MANY)
    paused = desk.process("paused", "dlq", "replay", "--all").start()
    desk.wait_sending(paused, 1)
    paused.sigstop()
    assert "sent" in {row["outcome"] for row in desk.dlq("replay", "--all")}
    paused.sigcont()
    assert paused.wait_ended() == 5
    assert "another `dlq replay` of this application has begun" in paused.output
    check_once(desk, MANY)


def test_er22_a_receipt_behind_an_open_transaction_is_waited_for(desk: Desk) -> None:
    """The last stable offset hides it: a replay that stopped reading there would send its letter again."""
    desk.fill(1)
    (message,) = desk.app.read(desk.letters)
    letter = read(stored(message))
    assert isinstance(letter, DeadLetter)
    worker = Producer({**desk.app.kafka, "transactional.id": f"{desk.letters}-worker"})
    worker.init_transactions(30)
    worker.begin_transaction()
    worker.produce(desk.letters, b"", partition=letter.place.partition)
    assert worker.flush(30) == 0
    desk.send(desk.letters, b"", headers=dict(receipt_headers(letter, "web")), partition=letter.place.partition)
    log = Standalone(engine_settings(desk.app.loaded, "test"))
    with closing(log), ThreadPoolExecutor(1) as thread:
        reading = thread.submit(lambda: list(Letterbox(log, desk.letters).letters()))
        with pytest.raises(TimeoutError):
            reading.result(2)
        worker.abort_transaction(30)
        assert [(posted.letter.place, posted.sent) for posted in reading.result(60)] == [(letter.place, 1)]
