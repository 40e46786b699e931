"""What is served over HTTP has no authentication, so it is for this machine unless told otherwise."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from prometheus_client import CollectorRegistry

from processors.engine.health import Health, HealthServer
from processors.engine.settings import EngineSettings
from schemas.application import Http, Insights


@contextmanager
def serving(listen: str) -> Iterator[HealthServer]:
    server = HealthServer(listen, Health(60), CollectorRegistry())
    try:
        yield server
    finally:
        server.close()


@pytest.mark.parametrize("listen", [Http().listen, Insights().listen, EngineSettings.listen])
def test_unless_told_otherwise_only_this_machine_can_ask(listen: str | None) -> None:
    assert listen is not None
    host, _, _ = listen.rpartition(":")
    with serving(f"{host}:0") as server:
        assert (server.address[0], server.exposed) == ("127.0.0.1", False)


@pytest.mark.parametrize(("host", "exposed"), [("localhost", False), ("127.0.0.1", False), ("0.0.0.0", True)])
def test_a_server_knows_whether_others_can_ask(host: str, exposed: bool) -> None:
    with serving(f"{host}:0") as server:
        assert server.exposed is exposed


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_changed(method: str) -> None:
    with serving("127.0.0.1:0") as server:
        request = urllib.request.Request(f"http://127.0.0.1:{server.address[1]}/metrics", method=method)
        with pytest.raises(urllib.error.HTTPError, match="501"):
            urllib.request.urlopen(request, timeout=5)
