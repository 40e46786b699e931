"""The read model: what is no record is left out and counted, the same again changes nothing, and no file is left behind."""

import asyncio
import tempfile
from pathlib import Path

import pytest
from faust.types import TP

from processors.insights.committed import Batch, Record
from processors.insights.read_model import ReadModel
from tests.insights_site import Site
from tests.insights_world import AS_OF, batches, fill
from tests.unit.insights.conftest import World

GARBAGE = (b"", b"{", b"null", b"[]", b'{"kind": 1}', b"\xff\xfe", b"\x00", b'{"transition_id": "x"}', b"NaN")


def test_what_is_no_record_is_left_out_and_counted(world: World, caplog: pytest.LogCaptureFixture) -> None:
    model = ReadModel(world.settings)
    for topic in model.topics:
        records = [Record(offset, b"k", value, 0) for offset, value in enumerate(GARBAGE)]
        model.put(Batch(TP(topic, 0), 0, (*records, Record(99, None, None, 0)), 100))
        assert model.unreadable[topic] == len(GARBAGE)
        assert f"{topic}[0] at offset 0 is left out" in caplog.text
    assert len(caplog.records) == len(model.topics), "one line for each topic, not for each record"


def test_reading_everything_again_changes_no_answer(world: World) -> None:
    """Upserts: after a rebalance some records come twice."""
    model, progress = fill(world.settings, world.out)
    with Site(world.settings, model, progress) as site:
        paths = ("/api/v1/funnels/revenue", "/metrics", "/api/v1/transitions?limit=500")
        before = [site.get(path).body.partition("\n")[2] or site.get(path).json.get("transitions") for path in paths]
        for batch in batches(world.settings, world.out):
            model.put(batch)
        after = [site.get(path).body.partition("\n")[2] or site.get(path).json.get("transitions") for path in paths]
    assert before == after


def test_no_file_outlives_the_process(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even kill -9 leaves one: they have no name from the beginning."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    model = ReadModel(world.settings)
    [outline] = world.settings.outlines.funnels
    for batch in batches(world.settings, world.out):
        model.put(batch)
    assert [*tmp_path.iterdir()] == []
    answer = model.projection.funnel(outline, model.projection.all(outline), AS_OF)
    assert answer.places[0].restated.reached_first > 0
    asyncio.run(model.close())


def test_a_lead_that_is_gone_stands_nowhere(world: World) -> None:
    model, _ = fill(world.settings, world.out)
    handle = model.handle("contact:c0003")
    assert model.journal.snapshots(handle)
    place = TP(world.settings.topics.leads, 0)
    model.put(Batch(place, 0, (Record(0, b"lead/contact:c0003/revenue", None, 0),), 1))
    assert model.journal.snapshots(handle) == []
    assert model.journal.path(handle, 9)
