"""The server of insights on a free port of this machine, on a thread with a loop of its own, for tests that ask it."""

import asyncio
import http.client
import json
import threading
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, NamedTuple

from processors.insights.progress import Progress
from processors.insights.read_model import ReadModel
from processors.insights.server import Server
from processors.insights.settings import InsightsSettings
from tests.insights_world import AS_OF


class Answer(NamedTuple):
    """What was answered; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Site:
    """Serves while it is entered.

    Attributes:
        server: The server.
        port: Where it listens.
    """

    def __init__(
        self, settings: InsightsSettings, model: ReadModel, progress: Progress, now: Callable[[], int] = lambda: AS_OF
    ) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._parts = settings, model, progress, now

    def __enter__(self) -> "Site":
        self._thread.start()
        self._run(self._start())
        return self

    def __exit__(self, kind: type[BaseException] | None, raised: BaseException | None, trace: TracebackType | None) -> None:
        self._run(self.server.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def get(self, path: str, **headers: str) -> Answer:
        """Ask for a path, which goes out as it is."""
        return self.send("GET", path, None, headers)

    def post(self, path: str, body: str, **headers: str) -> Answer:
        """Send a form."""
        return self.send("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"} | headers)

    def send(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.putrequest(method, path, skip_host="Host" in headers)
            content = (body or "").encode()
            for name, value in ({"Content-Length": str(len(content))} | dict(headers)).items():
                connection.putheader(name, value)
            connection.endheaders(content)
            answer = connection.getresponse()
            headers = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, headers, answer.read().decode(errors="replace"))
        finally:
            connection.close()

    async def _start(self) -> None:
        self.server = Server(*self._parts)
        _, self.port = await self.server.listen()

    def _run(self, doing: Any) -> None:
        asyncio.run_coroutine_threadsafe(doing, self._loop).result(30)
