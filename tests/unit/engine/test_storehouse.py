"""Stores on this machine that a reset deletes: those of this application that no process holds."""

from pathlib import Path

import pytest

from processors.engine.preflight import Ready
from processors.engine.settings import EngineSettings
from processors.engine.stop import Stop
from processors.engine.storehouse import Storehouse, delete_store, stores_of
from schemas.application import OwnTopics

TOPICS = OwnTopics("facts", "changelog", "transitions", "conversions", "leads", "metrics", "dead")


def test_a_store_is_deleted_unless_a_process_holds_it(tmp_path: Path) -> None:
    settings = EngineSettings("app", "one", {"bootstrap.servers": "b"}, {"in": "web"}, TOPICS, tmp_path)
    house = Storehouse(settings, Ready(4, "facts", "id"))
    assert house.ready()
    with pytest.raises(Stop, match="is held by process"):
        stores_of(settings.store_path.parent)
    with pytest.raises(Stop, match="is held by process"):
        delete_store(settings.store_path)
    house.close()
    assert stores_of(settings.store_path.parent) == [settings.store_path]
    delete_store(settings.store_path)
    delete_store(settings.store_path)  # a reset is run again
    assert stores_of(settings.store_path.parent) == []


def test_an_application_that_never_ran_here_has_no_store(tmp_path: Path) -> None:
    assert stores_of(tmp_path / "never") == []
