"""Which dead letters a command means, how they group, and how one is shown."""

import json
from typing import cast

import pytest
from typer.testing import CliRunner

from processors.cli.dlq import _Selected
from processors.cli.letters import Group, Outcome, Outcomes, Selection, grouped, view
from processors.cli.main import app
from processors.engine.destinations import BY_KEY, Destination
from processors.engine.letterbox import Letterbox
from processors.engine.redelivery import Left, Outgoing
from processors.engine.stop import Stop
from processors.shown.masking import Mask
from processors.topology.letters import Posted
from schemas.instants import SECOND
from tests.unit.cli.letterings import letter, posted
from tests.worlds import START


@pytest.mark.parametrize(
    ("selection", "taken"),
    [
        (Selection(), True),
        (Selection(reasons=frozenset({"not_json", "empty"}), sources=frozenset({"web"})), True),
        (Selection(reasons=frozenset({"empty"})), False),
        (Selection(sources=frozenset({"crm"})), False),
        (Selection(since=START + 5 * SECOND), True),
        (Selection(since=START + 5 * SECOND + 1), False),
        (Selection(until=START + 5 * SECOND), False),
        (Selection(until=START + 5 * SECOND + 1), True),
        (Selection(places=frozenset({"3/42", "0/0"})), True),
        (Selection(places=frozenset({"web.events/3/142"})), True),
        (Selection(places=frozenset({"web.events/3/42"})), False),
        (Selection(places=frozenset({"3/42"}), reasons=frozenset({"empty"})), False),
    ],
)
def test_every_part_of_a_selection_must_fit(selection: Selection, taken: bool) -> None:
    assert selection.takes(letter("3/42", 5)) is taken


class Kept:
    """In the place of a letterbox: one letter of a source that the configuration does not have any more, and one of `web`."""

    def letters(self) -> list[Posted]:
        return [posted("0/1", 30, source="old"), posted("0/2", 40)]


@pytest.mark.parametrize(
    ("source", "found", "says"),
    [
        ("web", 1, None),
        ("crm", 0, None),
        ("old", 1, None),
        ("wbe", 0, "no source wbe is known, and no dead letter is of it: there are crm, web"),
    ],
)
def test_a_misspelt_source_is_told_from_one_without_letters(source: str, found: int, says: str | None) -> None:
    selected = _Selected(Selection(sources=frozenset({source})), {"web": 1, "crm": 2})
    assert len(list(selected.of(cast(Letterbox, Kept())))) == selected.found == found
    if says is None:
        selected.check_found()
    else:
        with pytest.raises(Stop, match=says) as stopped:
            selected.check_found()
        assert stopped.value.code == 1


def test_a_misspelt_reason_is_refused_before_anything_is_read() -> None:
    done = CliRunner().invoke(app, ["dlq", "list", "--config", "nowhere.yml", "--reason", "emtpy"])
    assert done.exit_code == 2
    assert "'emtpy' is no reason" in done.output


def test_letters_group_by_reason_and_source() -> None:
    groups = grouped(
        [
            posted("0/1", 30),
            posted("1/1", 10, sent=2),
            posted("0/7", 20, replays=3),
            posted("0/9", 90, sent=1),
            posted("2/2", 5, reason="empty", source="crm"),
        ]
    )
    assert groups == [
        Group("not_json", "web", 4, 2, 2, 1, 3, "2026-01-01T00:00:10Z", "2026-01-01T00:01:30Z", "0/1"),
        Group("empty", "crm", 1, 1, 0, 0, 0, "2026-01-01T00:00:05Z", "2026-01-01T00:00:05Z", "2/2"),
    ]


def test_outcomes_count_what_went_where_and_what_stays_why() -> None:
    outcomes = Outcomes("sent")
    settled: list[Outgoing | Left] = [
        Outgoing(letter("0/1"), Destination("web.events", 3)),
        Left(letter("0/2"), "because"),
        Outgoing(letter("0/3"), Destination("web.events", 3)),
        Outgoing(letter("0/4"), Destination("web.events", BY_KEY)),
    ]
    for each in settled:
        outcomes.add(each)
    assert outcomes.rows() == [
        Outcome("not_json", "web", "left", 1, "", "0/2", "because"),
        Outcome("not_json", "web", "sent", 1, "web.events by key", "0/4", ""),
        Outcome("not_json", "web", "sent", 2, "web.events/3", "0/1", ""),
    ]


def test_a_letter_is_shown_whole_but_for_what_is_personal() -> None:
    held = letter(
        "3/42",
        key=b"ada@example.org",
        value=b'{"userId": "ada", "age": 36, "tags": ["vip", null, true]}',
        headers=[("trace", b"ada"), ("none", None)],
        sentence='`type` is "ada", which is no call of the Segment specification.',
        size=58,
        replays=2,
    )
    masked = view(held, Mask(b"key"), 1)
    assert masked == {
        "dead_letter": "3/42",
        "set_aside_at": "2026-01-01T00:00:00Z",
        "reason": "not_json",
        "sentence": "`type` is …, which is no call of the Segment specification.",
        "source": "web",
        "record": "web.events/3/142",
        "record_time": "2026-01-01T00:00:00Z",
        "attempts": 2,
        "replayed": 1,
        "bytes": 58,
        "bytes_kept": 57,
        "key": "<15 bytes>",
        "key_bytes": 15,
        "headers": [["trace", "<3 bytes>"], ["none", None]],
        "headers_left_out": 0,
        "value": {"userId": "<text 3>", "age": "<number>", "tags": ["<text 3>", None, "<bool>"]},
    }
    assert "ada" not in json.dumps(masked)
    shown = view(held, Mask(b"key", show=True))
    assert (shown["key"], shown["headers"][0], shown["value"]["userId"]) == ("ada@example.org", ["trace", "ada"], "ada")
    assert shown["sentence"] == held.sentence
