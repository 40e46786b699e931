"""The application that the commands run with."""

from pathlib import Path

import pytest

from tests.unit.cli.called import CONFIGURATION, FUNNEL, World


@pytest.fixture
def world(tmp_path: Path) -> World:
    """A folder with a configuration and a funnel."""
    (tmp_path / "test.yml").write_text(CONFIGURATION)
    (tmp_path / "funnel.yml").write_text(FUNNEL)
    return World(tmp_path)
