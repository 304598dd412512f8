"""Stands around both apps' pages: who may post, how much, and the headers that every answer carries.

app = Protection(app, refuse_cross_site)

- A request that may change something must come from the page's own origin (hardens against cross-site request forgery).
  `Origin` is sent by every browser with a POST; `Sec-Fetch-Site` is asked where a privacy setting took it away.
- A body may hold 64 KB, whether or not it announces its length.
"""

from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from portward.portal.pages import PAGE_POLICY

LARGEST_BODY = 64 * 1024
_READING = {"GET", "HEAD", "OPTIONS"}
_HEADERS = {
    "Content-Security-Policy": PAGE_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Permissions-Policy": "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Robots-Tag": "noindex",
}


class BodyTooLarge(Exception):
    """More was sent than any form needs."""


def comes_from_own_page(headers: Headers) -> bool:
    """Whether a browser says that a page of this very origin sent the request."""
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site") == "same-origin"
    return origin == f"https://{headers.get('host', '')}"


class Protection:
    """ASGI middleware. Raises nothing of its own to the server; what `app` raises passes through."""

    def __init__(self, app: ASGIApp, refuse_cross_site: Callable[[Request], Awaitable[Response]]) -> None:
        self._app, self._refuse_cross_site = app, refuse_cross_site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        answer = self._with_headers(send)
        if scope["method"] not in _READING and not comes_from_own_page(Headers(scope=scope)):
            refusal = await self._refuse_cross_site(Request(scope))
            await refusal(scope, receive, answer)
            return
        await self._app(scope, self._bounded(receive), answer)

    @staticmethod
    def _with_headers(send: Send) -> Send:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        return send_with_headers

    @staticmethod
    def _bounded(receive: Receive) -> Receive:
        total = 0

        async def receive_bounded() -> Message:
            nonlocal total
            message = await receive()
            total += len(message.get("body", b""))
            if total > LARGEST_BODY:
                raise BodyTooLarge
            return message

        return receive_bounded
