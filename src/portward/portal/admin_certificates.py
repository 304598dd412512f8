"""Certificates over the admin API: what each host shows, and what an ACME authority is asked for.

GET /certificates                         every host's, whatever its source
POST /certificates/ask                    {"task": "issue" | "renew" | "check", "hosts": []}; steps and results, NDJSON
POST /certificates/revoke                 {"host": "wiki.example.com", "reason": 4}
POST /certificates/rotate                 a new key for our account at each authority
"""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from portward.errors import PortwardError
from portward.model import Certificate, Standing
from portward.pki.acme.job import Result
from portward.pki.acme.renewals import Renewals
from portward.pki.certificates import Certificates
from portward.portal.orders import Order, Text, read

_NDJSON = "application/x-ndjson"
Line = dict[str, Any]


class Asking(Order):
    """No hosts are all of them. A rehearsal asks the staging environment, and keeps nothing."""

    task: Literal["issue", "renew", "check"] = "issue"
    hosts: Annotated[tuple[Text, ...], Field(max_length=1000)] = ()
    preflight: bool = True
    rehearsal: bool = False


class Revocation(Order):
    """`reason` as in RFC 5280 section 5.3.1."""

    host: Text
    reason: Annotated[int, Field(ge=0, le=10)] = 0


class CertificatesApi:
    def __init__(self, certificates: Certificates, renewals: Renewals, clock: Callable[[], datetime]) -> None:
        self._certificates, self._renewals, self._clock = certificates, renewals, clock
        self._asking: set[asyncio.Task[None]] = set()

    def routes(self) -> list[Route]:
        return [
            Route("/certificates", self.list),
            Route("/certificates/ask", self.ask, methods=["POST"]),
            Route("/certificates/revoke", self.revoke, methods=["POST"]),
            Route("/certificates/rotate", self.rotate, methods=["POST"]),
        ]

    async def list(self, request: Request) -> Response:
        standing, now = await self._renewals.standing(), self._clock()
        found = [_document(host, one, standing.get(host), now) for host, one in self._certificates.all().items()]
        return JSONResponse({"certificates": found})

    async def ask(self, request: Request) -> Response:
        """The round goes on when the client leaves."""
        order = await read(request, Asking)
        lines: asyncio.Queue[Line | None] = asyncio.Queue()
        task = asyncio.create_task(self._ask(order, lines))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        return StreamingResponse(_spelled(lines), media_type=_NDJSON)

    async def revoke(self, request: Request) -> Response:
        order = await read(request, Revocation)
        return _results(await self._renewals.revoke(order.host, order.reason))

    async def rotate(self, request: Request) -> Response:
        return _results(await self._renewals.rotate())

    async def _ask(self, order: Asking, lines: "asyncio.Queue[Line | None]") -> None:
        try:
            for result in await self._results(order, lines.put_nowait):
                lines.put_nowait({"say": "outcome", **asdict(result)})
        except PortwardError as error:
            way_out, code = error.way_out, error.exit_code
            lines.put_nowait({"say": "error", "message": error.message, "way_out": way_out, "exit_code": code})
        finally:
            lines.put_nowait(None)

    async def _results(self, order: Asking, told: Callable[[Line], None]) -> Sequence[Result]:
        if order.task == "check":
            return await self._renewals.check(order.hosts, told)
        if order.task == "renew":
            return await self._renewals.renew(order.hosts, told)
        return await self._renewals.issue(order.hosts, preflight=order.preflight, rehearsal=order.rehearsal, told=told)


async def _spelled(lines: "asyncio.Queue[Line | None]") -> AsyncIterator[bytes]:
    while (line := await lines.get()) is not None:
        yield json.dumps(line).encode() + b"\n"


def _results(results: Sequence[Result]) -> Response:
    return JSONResponse({"results": [asdict(result) for result in results]})


def _document(host: str, certificate: Certificate, standing: Standing | None, now: datetime) -> Mapping[str, Any]:
    failed = standing if standing and standing.failures else None
    return {
        "host": host,
        "source": certificate.source,
        "names": list(certificate.names),
        "issuer": certificate.issuer,
        "serial": certificate.serial,
        "fingerprint": certificate.fingerprint,
        "staging": certificate.staging,
        "since": certificate.not_before.isoformat(),
        "expires": certificate.not_after.isoformat(),
        "days_left": (certificate.not_after - now).days,
        "file": certificate.file,
        "renew_at": _time(standing.renew_at) if standing else None,
        "failures": standing.failures if standing else 0,
        "outcome": standing.outcome if standing else "",
        "problem": failed.problem if failed else "",
        "way_out": failed.way_out if failed else "",
        "next_attempt": _time(failed.not_before) if failed else None,
    }


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
