"""Who may look: a token, shown as `Authorization: Bearer` or once in a form, which a cookie then stands for.

The cookie holds no token, only what this process has made of it with a key of its own: it is worth nothing elsewhere, and ends
with the process. Where no token is configured insights answers this machine only, and only to its own names: a page of somebody
else that a browser here has open must not reach it under another name (DNS rebinding).
"""

import asyncio
import hmac
import secrets
from hashlib import sha256
from urllib.parse import quote

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from processors.insights.settings import is_loopback

COOKIE = "funnelstream_insights"
_OPEN = ("/livez", "/readyz", "/login", "/static/")
"""What anybody may ask: probes say no numbers, and a form to log in needs its style."""
_STAYS = 12 * 3600
_HESITATION = 0.5
"""Seconds before a wrong token is answered."""


class Access:
    """Lets visitors in.

    Attributes:
        token: What they must show; None: nobody is asked.
    """

    def __init__(self, token: str | None) -> None:
        """Guard with a token.

        Args:
            token: None: whoever reaches this machine is let in.
        """
        self.token = token
        self._proof = hmac.new(secrets.token_bytes(32), (token or "").encode(), sha256).hexdigest()

    def knows(self, token: str) -> bool:
        """Whether it is the token; takes as long whatever is wrong with it."""
        return self.token is not None and hmac.compare_digest(token.encode(errors="replace"), self.token.encode())

    def lets_in(self, request: web.Request) -> bool:
        """Whether a request may be answered."""
        if self.token is None or request.path.startswith(_OPEN):
            return True
        scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.knows(shown.strip()):
            return True
        return hmac.compare_digest(request.cookies.get(COOKIE, "").encode(errors="replace"), self._proof.encode())

    def admit(self, request: web.Request, response: web.StreamResponse) -> None:
        """Let the visitor's browser in from here on."""
        response.set_cookie(
            COOKIE, self._proof, max_age=_STAYS, httponly=True, samesite="Lax", secure=request.scheme == "https", path="/"
        )

    async def hesitate(self) -> None:
        """Take time before a wrong token is answered."""
        await asyncio.sleep(_HESITATION)

    @property
    def middleware(self) -> Middleware:
        """Asks every visitor who he is."""

        @web.middleware
        async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
            if self.token is None and not is_loopback(host_of(request)):
                raise web.HTTPMisdirectedRequest(
                    text="Without insights.token only this machine is answered, as localhost or 127.0.0.1. "
                    "Set a token to serve it under another name.\n"
                )
            if self.lets_in(request):
                return await handler(request)
            if "Authorization" in request.headers:
                await self.hesitate()
            if is_page(request):
                raise web.HTTPSeeOther(f"/login?next={quote(request.path_qs, safe='')}")
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Bearer realm="funnelstream insights"'})

        return guard


def host_of(request: web.Request) -> str:
    """The name by which this server was called, without its port."""
    host = request.headers.get("Host", "")
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).strip("[]")


def is_page(request: web.Request) -> bool:
    """Whether a person waits for the answer, not a program."""
    return request.method == "GET" and not request.path.startswith("/api/") and request.path != "/metrics"


def own_address(address: str) -> str:
    """Where to go after the login: a path of this server, whatever was written into the link."""
    inside = address.startswith("/") and not address.startswith(("//", "/\\")) and address.isprintable()
    return address if inside else "/"
