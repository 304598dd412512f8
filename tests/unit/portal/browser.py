"""A browser for the portal's tests: cookies of each host, redirects on request, forms as they stand in the page.

browser = world.browser()
page = await browser.get("https://auth.example.com/login")
page = await browser.submit(page, username="ann", password="…")
page = await browser.follow(page)
"""

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from typing import Any

import httpx
from starlette.types import ASGIApp


class Edge(httpx.AsyncBaseTransport):
    """Stands where HAProxy stands: says which host was asked for, by whom, and under which request id."""

    def __init__(self, app: ASGIApp, address: str) -> None:
        self._inner = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        self._address = address

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.headers["X-Forwarded-Host"] = request.url.host
        request.headers["X-Forwarded-For"] = self._address
        request.headers["X-Request-ID"] = "0199f3a2c41d"
        return await self._inner.handle_async_request(request)


class Form(HTMLParser):
    """The forms of a page: where each posts to, and its fields with their values."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, str]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append((values["action"], {}))
        if tag == "input" and self.forms and "name" in values:
            self.forms[-1][1][values["name"]] = values.get("value", "")


class Browser:
    def __init__(self, app: ASGIApp, address: str) -> None:
        self._client = httpx.AsyncClient(transport=Edge(app, address), headers={"User-Agent": "curl/8.9"})

    async def get(self, url: str, **more: Any) -> httpx.Response:
        return await self._client.get(url, **more)

    async def head(self, url: str) -> httpx.Response:
        return await self._client.head(url)

    async def post(self, url: str, data: Mapping[str, str] | None = None, **more: Any) -> httpx.Response:
        """As a form of the same page would."""
        parts = httpx.URL(url)
        origin = f"https://{parts.netloc.decode()}"
        headers = {"Origin": origin, **more.pop("headers", {})}
        headers = {name: value for name, value in headers.items() if value}
        return await self._client.post(url, data=dict(data or {}), headers=headers, **more)

    async def submit(self, page: httpx.Response, form: int = 0, **typed: str) -> httpx.Response:
        """Fill in the page's form and send it, hidden fields and all."""
        action, fields = Form(page.text).forms[form]
        return await self.post(str(page.url.join(action)), {**fields, **typed})

    async def follow(self, page: httpx.Response) -> httpx.Response:
        """Go where the answer leads, until it is a page; a service's own path is never asked for."""
        while target := onward(page):
            if not target.path.startswith("/.portward/") and not target.host.startswith("auth."):
                return page
            page = await self.get(str(target))
        return page

    def cookie(self, host: str) -> str | None:
        """The value of Portward's cookie for a host."""
        found = [cookie.value for cookie in self._client.cookies.jar if cookie.domain == host]
        return found[0] if found else None

    def plant(self, host: str, value: str) -> None:
        self._client.cookies.set("__Host-portward", value, domain=host)

    def forget(self) -> None:
        self._client.cookies.clear()


def onward(page: httpx.Response) -> httpx.URL | None:
    """Where a redirect, or a page that moves on by itself, leads."""
    if page.has_redirect_location:
        return page.url.join(page.headers["location"])
    match = re.search(r'<meta http-equiv="refresh" content="0;url=([^"]+)">', page.text)
    return httpx.URL(match[1].replace("&amp;", "&")) if match else None
