"""The HTTP server: what is served, under which rules. All that comes from outside passes here first.

Nothing of a visitor's reaches a page unescaped, and if it did it could do nothing: the content security policy allows this
server's own style and script, and no other. Addresses and bodies are small, and every answer says that it is not to be kept.
"""

import logging
from collections.abc import Callable
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from processors.engine.stop import ENVIRONMENT, Stop
from processors.insights.access import Access, is_page
from processors.insights.api import Api
from processors.insights.pages import Pages
from processors.insights.probes import Probes
from processors.insights.progress import Clock, Progress
from processors.insights.read_model import ReadModel
from processors.insights.settings import InsightsSettings
from processors.insights.shapes import Problem

log = logging.getLogger(__name__)

LONGEST_ADDRESS = 2_048
"""Characters of a path with its query."""
_LARGEST_BODY = 4_096
_IDLE = 15.0
"""Seconds after which a connection that asks nothing more is closed."""
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "funnelstream",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class Server:
    """Answers until it is closed."""

    def __init__(self, settings: InsightsSettings, model: ReadModel, progress: Progress, now: Callable[[], int]) -> None:
        """Put everything in its place; nothing is listened to yet.

        Args:
            settings: What insights was told.
            model: What is asked.
            progress: How far it is.
            now: The time of this machine, in microseconds.
        """
        self._settings = settings
        clock, access = Clock(progress, now), Access(settings.token)
        self.pages = Pages(settings, model, progress, clock, access)
        self.api = Api(settings, model, progress, clock)
        self.app = web.Application(middlewares=[self._answer_in_kind, access.middleware], client_max_size=_LARGEST_BODY)
        self.app.on_response_prepare.append(_harden)
        Probes(settings.outlines, model, progress).register(self.app)
        for file in (files(__package__) / "static").iterdir():
            self.app.router.add_get(f"/static/{file.name}", _static(file))
        self.api.register(self.app)
        self.pages.register(self.app)
        self._runner = web.AppRunner(self.app, access_log=None, keepalive_timeout=_IDLE, shutdown_timeout=2.0)

    async def listen(self) -> tuple[str, int]:
        """Begin to answer.

        Returns:
            Host and port.

        Raises:
            Stop: The address cannot be used.
        """
        await self._runner.setup()
        host, port = self._settings.address
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as why:
            raise Stop(
                ENVIRONMENT,
                f"insights.listen: cannot listen on {self._settings.listen} ({why.strerror or why}): another process may use it; "
                "write another address",
            ) from why
        address: tuple[str, int] = self._runner.addresses[0][:2]
        return address

    async def close(self) -> None:
        """Answer nothing more."""
        await self._runner.cleanup()

    @web.middleware
    async def _answer_in_kind(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Refusals in the form of the question: a page for people, JSON for programs. A bug is told to the log only."""
        try:
            if len(request.path_qs) > LONGEST_ADDRESS:
                raise web.HTTPRequestURITooLong
            return await handler(request)
        except web.HTTPRedirection:
            raise
        except web.HTTPException as refusal:
            return self._refused(request, refusal.status, _said(refusal), refusal)
        except Exception:
            log.exception("a bug in funnelstream: %s %s", request.method, request.path[:200])
            return self._refused(request, 500, "That is a bug of ours; the log of insights says more.", None)

    def _refused(self, request: web.Request, status: int, sentence: str, refusal: web.HTTPException | None) -> web.Response:
        if is_page(request) or request.path == "/login":
            answer = self.pages.refused(status, sentence)
        elif request.path.startswith("/api/"):
            problem = msgspec.json.encode(Problem(error=sentence))
            answer = web.Response(body=problem, content_type="application/json", status=status)
        else:
            answer = web.Response(text=f"{sentence}\n", status=status)
        for name in ("Allow", "Retry-After", "WWW-Authenticate"):
            if refusal is not None and name in refusal.headers:
                answer.headers[name] = refusal.headers[name]
        return answer


async def _harden(_: web.Request, response: web.StreamResponse) -> None:
    kept = response.headers.get("Cache-Control", _HEADERS["Cache-Control"])
    response.headers.update(_HEADERS | {"Cache-Control": kept})


def _said(refusal: web.HTTPException) -> str:
    if refusal.status == web.HTTPUnauthorized.status_code:
        return "A token is needed: Authorization: Bearer TOKEN."
    if refusal.status == web.HTTPNotFound.status_code and refusal.text == "404: Not Found":
        return "There is nothing here."
    if refusal.status == web.HTTPRequestURITooLong.status_code:
        return f"An address has at most {LONGEST_ADDRESS} characters."
    return refusal.text or refusal.reason


def _static(file: Traversable) -> Handler:
    body = file.read_bytes()
    kind = _TYPES[file.name[file.name.rindex(".") :]]

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=body, content_type=kind, charset="utf-8", headers={"Cache-Control": "max-age=300"})

    return answer
