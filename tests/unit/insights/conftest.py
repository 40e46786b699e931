"""One world for all tests of insights: they only ask."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from processors.insights.progress import Progress
from processors.insights.read_model import ReadModel
from processors.insights.settings import InsightsSettings
from tests.insights_site import Site
from tests.insights_world import fill, settings_of, write_world


class World(NamedTuple):
    """A filled read model, and where what filled it lies."""

    config: Path
    settings: InsightsSettings
    model: ReadModel
    progress: Progress

    @property
    def out(self) -> Path:
        return self.config.parent / "out"


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    config = write_world(tmp_path_factory.mktemp("insights"), people=80)
    settings = settings_of(config)
    return World(config, settings, *fill(settings, config.parent / "out"))


@pytest.fixture(scope="session")
def site(world: World) -> Iterator[Site]:
    with Site(world.settings, world.model, world.progress) as running:
        yield running


@pytest.fixture
def empty(world: World) -> Iterator[Site]:
    """A site of which nothing is read yet."""
    with Site(world.settings, ReadModel(world.settings), Progress()) as running:
        yield running
