"""`funnelstream insights` as a command: what it refuses, with which exit code, and that nobody else pays for what it needs."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.command import run
from tests.insights_world import FUNNEL, configure
from tests.shared_material import ROOT

pytestmark = pytest.mark.slow


def configured(folder: Path, old: str = "", new: str = "") -> Path:
    (folder / "funnel.yml").write_text(FUNNEL)
    config = configure(folder)
    config.write_text(config.read_text().replace(old, new) if old else config.read_text())
    return config


def test_an_address_of_others_is_refused_without_a_token(tmp_path: Path) -> None:
    done = run("insights", "--config", configured(tmp_path, "127.0.0.1:0", "0.0.0.0:0"))
    assert done.returncode == 1
    assert "insights.token is not set" in done.stderr
    assert "Traceback" not in done.stderr


def test_settings_of_kafka_that_it_cannot_follow_are_named(tmp_path: Path) -> None:
    kafka = "kafka: {bootstrap.servers: nowhere, sasl.mechanisms: GSSAPI, ssl.cipher.suites: X}\ntopics: {partitions"
    done = run("insights", "--config", configured(tmp_path, "topics: {partitions", kafka))
    assert done.returncode == 1
    assert "sasl.mechanisms" in done.stderr
    assert "ssl.cipher.suites" in done.stderr


def test_an_address_that_is_taken_is_named(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = run("insights", "--config", configured(tmp_path, "127.0.0.1:0", address))
    assert done.returncode == 3
    assert f"cannot listen on {address}" in done.stderr


def test_without_the_extra_it_says_what_to_install(tmp_path: Path) -> None:
    without = "import sys; sys.modules['faust'] = None; from processors.cli.main import main; main()"
    command = [sys.executable, "-c", without, "insights", "--config", str(configured(tmp_path))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 3
    assert "pip install 'funnelstream[insights]'" in done.stderr


def test_no_other_command_loads_what_only_it_needs() -> None:
    loaded = "import sys, processors.cli.main; print(sorted({'faust', 'aiokafka', 'aiohttp', 'jinja2'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", loaded], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.strip() == "[]"
