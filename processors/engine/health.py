"""The worker's HTTP server: /livez, /readyz and /metrics, on a thread of its own that only reads.

Live is a loop that still turns, whatever the brokers do: a restart does not mend a broker. Ready is a worker with its
assignment and all its state.
"""

import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from processors.engine.stop import ENVIRONMENT, INPUT, Stop

_SILENCE = 10.0
"""Seconds after which a connection that asks nothing is closed, so that nobody can hold all threads."""


class Health:
    """What the loop tells the probes.

    Attributes:
        ready: The worker has its assignment and its state.
    """

    def __init__(self, patience: float) -> None:
        """Begin alive and not ready.

        Args:
            patience: Seconds without a beat after which the loop is taken for stuck: `max.poll.interval.ms`.
        """
        self._patience = patience
        self._beat_at = time.monotonic()
        self.ready = False

    def beat(self) -> None:
        """The loop has turned once more."""
        self._beat_at = time.monotonic()

    @property
    def live(self) -> bool:
        """Whether the loop turns."""
        return time.monotonic() - self._beat_at < self._patience


class HealthServer:
    """Serves until closed.

    Attributes:
        address: Host and port it listens on.
        exposed: Other machines can ask, and nobody is asked who they are.
    """

    def __init__(self, listen: str, health: Health, registry: CollectorRegistry) -> None:
        """Listen on `host:port`.

        Raises:
            Stop: The address cannot be used.
        """
        host, _, port = listen.rpartition(":")
        if not host or not port.isdigit():
            raise Stop(INPUT, f"http.listen: {listen!r} is no address: write host:port, for example 127.0.0.1:8080")
        try:
            self._server = ThreadingHTTPServer((host.strip("[]"), int(port)), _handler(health, registry))
        except (OSError, OverflowError) as why:
            raise Stop(
                ENVIRONMENT,
                f"http.listen: cannot listen on {listen} ({why}): another worker may use it; give each its own address",
            ) from why
        self._server.daemon_threads = True
        self.address: tuple[str, int] = self._server.server_address[:2]  # type: ignore[assignment]  # IPv6 addresses have four parts
        self.exposed = not ip_address(self.address[0]).is_loopback
        threading.Thread(target=self._server.serve_forever, name="http", daemon=True).start()

    def close(self) -> None:
        """Stop to listen."""
        self._server.shutdown()
        self._server.server_close()


def _handler(health: Health, registry: CollectorRegistry) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        """Answers one request."""

        timeout = _SILENCE

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._answer(200, generate_latest(registry), CONTENT_TYPE_LATEST)
            elif path == "/livez":
                self._probe(health.live)
            elif path == "/readyz":
                self._probe(health.ready)
            else:
                self._answer(404, b"/livez /readyz /metrics\n", "text/plain")

        def log_message(self, *_: object) -> None:
            """Probes come every few seconds: normal operation logs nothing."""

        def _probe(self, good: bool) -> None:
            self._answer(200 if good else 503, b"ok\n" if good else b"no\n", "text/plain")

        def _answer(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Handler
