"""Who may ask, and for how much: the page's own host and origin, a token where others reach it, bounded requests."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
from collections.abc import Iterable
from http.cookies import SimpleCookie
from urllib.parse import parse_qsl, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "fillbench"
MOST_BYTES = 32 * 2**20  # of a request
PATIENCE = 30  # seconds until a client has sent what comes next
POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with none, browsers say of their own forms that they come from nowhere
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Around the application: `names` are those by which the page is called; without a `token` only loopback
    addresses are taken besides, with one any address that is no name, which no rebound domain can be."""

    def __init__(self, app: ASGIApp, names: Iterable[str], token: str | None) -> None:
        self.app, self.token = app, token
        self.names = {"localhost", *(name.lower() for name in names)}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Lets a request through, or answers it: 400, 401, 408, 413."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        refused = self._refused(Headers(scope=scope), scope)
        if refused is not None:
            await refused(scope, receive, _with_headers(send))
            return
        bounded = _Bounded(receive)
        try:
            await self.app(scope, bounded, _with_headers(send))
        except _TooMuch:
            await PlainTextResponse(f"more than {MOST_BYTES >> 20} MB", 413)(scope, receive, _with_headers(send))
        except TimeoutError:
            await PlainTextResponse("too slow", 408)(scope, receive, _with_headers(send))

    def _refused(self, headers: Headers, scope: Scope) -> Response | None:
        host = headers.get("host", "")
        if not self._known(host):
            return PlainTextResponse("this page is not called by that name", 400)
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return PlainTextResponse("asked by a page from elsewhere", 400)
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MOST_BYTES:
            return PlainTextResponse(f"more than {MOST_BYTES >> 20} MB, or no number", 413)
        return self._without_token(headers, scope) if self.token else None

    def _known(self, host: str) -> bool:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if name in self.names:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or self.token is not None

    def _without_token(self, headers: Headers, scope: Scope) -> Response | None:
        """An answer where the token is not there; where it is in the address it moves into a cookie."""
        assert self.token is not None
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        if any(name == "token" and _same(value, self.token) for name, value in query):
            rest = urlencode([(name, value) for name, value in query if name != "token"])
            answer = RedirectResponse(scope["path"] + (f"?{rest}" if rest else ""), 303)
            answer.set_cookie(COOKIE, self.token, httponly=True, samesite="strict")
            return answer
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        if cookie is not None and _same(cookie.value, self.token):
            return None
        return PlainTextResponse("open the address with the token that `benchmark serve` printed", 401)


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


class _TooMuch(Exception):
    """A request whose body goes on beyond what it may have."""


class _Bounded:
    """What a request sends, up to MOST_BYTES, each part within PATIENCE."""

    def __init__(self, receive: Receive) -> None:
        self.receive, self.seen, self.whole = receive, 0, False

    async def __call__(self) -> Message:
        if self.whole:  # what is waited for now is that the client goes away
            return await self.receive()
        message = await asyncio.wait_for(self.receive(), PATIENCE)
        self.seen += len(message.get("body", b""))
        self.whole = not message.get("more_body", False)
        if self.seen > MOST_BYTES:
            raise _TooMuch
        return message


def _with_headers(send: Send) -> Send:
    """Adds HEADERS to an answer, but for those that it has."""

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return answer
