"""Somebody with a browser: cookies of each host, forms as they stand in the page, redirects on request.

with gateway.visitor() as ann:
    ann.log_in("ann")
    page = ann.arrive("wiki", "/page?x=1")          # through the hand-over, as a person would
    answer = ann.fetch("wiki", "/api")              # as a script does: no page navigation

`address` is where the visitor seems to come from (127.0.0.0/8 works on Linux); `device` shows its certificate. `at` is
a host of the test's own network: the visitor's connections are made from there (from the gateway's own, if it has one).
"""

from contextlib import nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import httpx
from tests.unit.portal.browser import Form, onward

if TYPE_CHECKING:
    from tests.lives.gateway import Gateway
    from tests.lives.machines import Machine
    from tests.lives.network import Host

PASSWORD = "sturdy lantern over quiet water"
COOKIE = "__Host-portward"
_NAVIGATION = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Mode": "navigate"}
_MOST_STEPS = 12


class Nearby(httpx.BaseTransport):
    """Every name is the gateway's address here. A connection pool for each name, as its TLS handshake carries it."""

    def __init__(
        self, gateway: "Gateway", address: str | None, *, at: "Host | None", http2: bool, device: "Machine | None"
    ) -> None:
        self._gateway, self._address, self._at, self._http2, self._device = gateway, address, at, http2, device
        self._pools: dict[str, httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        name = request.url.host
        near = httpx.Request(
            request.method,
            request.url.copy_with(host=self._gateway.address(self._at)),
            headers=request.headers,
            stream=request.stream,
            extensions={**request.extensions, "sni_hostname": name},
        )
        with self._at.inside() if self._at else nullcontext():
            return self._pool(name).handle_request(near)

    def close(self) -> None:
        for pool in self._pools.values():
            pool.close()

    def _pool(self, name: str) -> httpx.HTTPTransport:
        if name not in self._pools:
            context = self._gateway.tls()
            if self._device:
                context.load_cert_chain(self._device.certificate, self._device.key)
            self._pools[name] = httpx.HTTPTransport(
                verify=context,
                http1=not self._http2,
                http2=self._http2,
                local_address=self._address,
                trust_env=False,
            )
        return self._pools[name]


class Visitor:
    def __init__(
        self,
        gateway: "Gateway",
        address: str = "127.0.0.1",
        *,
        at: "Host | None" = None,
        http2: bool = False,
        device: "Machine | None" = None,
        seconds: float = 30,
    ) -> None:
        self._gateway, place = gateway, at or gateway.at
        transport = Nearby(gateway, None if place else address, at=place, http2=http2, device=device)
        self.http = httpx.Client(transport=transport, trust_env=False, timeout=seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.http.close()

    def visit(self, host: str, path: str = "/", **more: Any) -> httpx.Response:
        """One page navigation, redirects not followed. `host` may be a whole URL."""
        headers = {**_NAVIGATION, **more.pop("headers", {})}
        return self.http.get(self._url(host, path), headers=headers, **more)

    def fetch(self, host: str, path: str = "/", method: str = "GET", **more: Any) -> httpx.Response:
        """One request as a program sends it."""
        return self.http.request(method, self._url(host, path), **more)

    def submit(self, page: httpx.Response, form: int = 0, **typed: str) -> httpx.Response:
        """Fill in a form of the page and send it, hidden fields and all; the answer's redirect is not followed."""
        action, fields = Form(page.text).forms[form]
        origin = f"https://{page.url.netloc.decode()}"
        headers = {**_NAVIGATION, "Origin": origin}
        return self.http.post(page.url.join(action), data={**fields, **typed}, headers=headers)

    def follow(self, page: httpx.Response) -> httpx.Response:
        """Go where the answer leads, on and on."""
        for _ in range(_MOST_STEPS):
            if (target := onward(page)) is None:
                return page
            page = self.visit(str(target))
        raise AssertionError(f"led on and on, to {page.url} at last")

    def log_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        """At the portal, without a service in mind. Fails when the portal refuses."""
        page = self.follow(self.submit(self.visit("auth", "/login"), username=name, password=password))
        assert page.status_code == 200, page.text
        assert self.cookie("auth"), page.text
        return page

    def arrive(self, host: str, path: str = "/") -> httpx.Response:
        """Open a page and follow wherever that leads: back to the page, for those who are logged in and may see it."""
        return self.follow(self.visit(host, path))

    def cookie(self, host: str) -> str | None:
        """The value of Portward's cookie for a host."""
        name = self._gateway.host(host)
        found = [cookie.value for cookie in self.http.cookies.jar if cookie.domain == name and cookie.name == COOKIE]
        return found[0] if found else None

    def plant(self, host: str, value: str) -> None:
        self.http.cookies.set(COOKIE, value, domain=self._gateway.host(host))

    def _url(self, host: str, path: str) -> str:
        return host if "://" in host else self._gateway.url(host, path)
