"""One's own devices: enrolled with a key made in the browser, with a signing request, or with a file to be taken away.

GET /devices/new · POST /devices/new/confirm · POST /devices · GET /devices.crl · GET /devices/file/TICKET
GET|POST /devices/ID/collect · POST /devices/ID/renew · GET|POST /devices/ID/revoke · GET /devices/ID/certificate

Enrolling asks for a fresh second factor of those who have one: a device may stand for it later.
"""

import re
from collections.abc import Sequence
from typing import get_args

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from portward.errors import Conflict, Invalid
from portward.identity.devices import waits
from portward.model import Device, Package, PackageForm
from portward.portal import problems, visit
from portward.portal.pages import SCRIPT_POLICY, Action, Pages, Question
from portward.portal.parcels import Parcels
from portward.portal.portal import Portal
from portward.portal.proving import Proving
from portward.portal.visitors import Visitor, Visitors, see

_CONFIRM = Question(
    "Confirm it is you",
    "A device that you enrol can open services in your name, so this needs a fresh code from your authenticator app.",
    "/devices/new/confirm",
    "Continue",
)
_LONGEST_REQUEST = 20_000
_HOME = Action("Your devices", "/")


class DevicePages:
    def __init__(self, portal: Portal, pages: Pages, visitors: Visitors, proving: Proving) -> None:
        self._portal, self._pages, self._visitors, self._proving = portal, pages, visitors, proving
        self._parcels = Parcels()

    def routes(self) -> Sequence[Route]:
        return [
            Route("/devices.crl", self.revocation_list),
            Route("/devices", self.enrol, methods=["POST"]),
            Route("/devices/new", self.show),
            Route("/devices/new/confirm", self.confirm, methods=["POST"]),
            Route("/devices/file/{ticket}", self.download),
            Route("/devices/{id}/collect", self.ask_collect),
            Route("/devices/{id}/collect", self.collect, methods=["POST"]),
            Route("/devices/{id}/renew", self.renew, methods=["POST"]),
            Route("/devices/{id}/revoke", self.ask_revoke),
            Route("/devices/{id}/revoke", self.revoke, methods=["POST"]),
            Route("/devices/{id}/certificate", self.certificate),
        ]

    async def revocation_list(self, request: Request) -> Response:
        """For everybody: DER, or PEM with `?form=pem` (RFC 5280 section 4.2.1.13)."""
        content = await self._portal.devices.revocation_list()
        if request.query_params.get("form") == "pem":
            from cryptography import x509
            from cryptography.hazmat.primitives.serialization import Encoding

            pem = x509.load_der_x509_crl(content).public_bytes(Encoding.PEM)
            return Response(pem, media_type="application/x-pem-file")
        return Response(content, media_type="application/pkix-crl")

    async def show(self, request: Request) -> Response:
        visitor = await self._visitors.demand(request)
        return self._form(visitor) if self._proven(visitor) else self._proving.ask(visitor, _CONFIRM)

    async def confirm(self, request: Request) -> Response:
        visitor = await self._visitors.demand(request)
        proof = await self._proving.prove(request, visitor, _CONFIRM)
        return proof if isinstance(proof, Response) else self._proving.keep(see("/devices/new"), proof)

    async def enrol(self, request: Request) -> Response:
        """With `csr`, or with the `form` of a file. The page's script asks for JSON."""
        visitor, form = await self._visitors.demand(request), await visit.form(request)
        scripted = "application/json" in request.headers.get("accept", "")
        if not self._proven(visitor):
            return JSONResponse({"error": _STALE}, 403) if scripted else see("/devices/new")
        name, csr = form.get("name", "")[:100], form.get("csr", "")[:_LONGEST_REQUEST]
        kind, own = _form_of(form.get("form", "")), visitor.account.name
        if not csr.strip() and kind is None:
            return self._form(visitor, name=name, problem="Choose what the device is, or give a request.", status=422)
        try:
            device = await self._portal.devices.request(own, name, by=own, csr=csr.strip())
        except (Invalid, Conflict) as error:
            text = f"{error.message[:1].upper()}{error.message[1:]}."
            return JSONResponse({"error": text}, 422) if scripted else self._form(visitor, name, text, csr, status=422)
        if scripted:
            return JSONResponse({"name": device.name, "file": _file(device), "certificate": device.certificate}, 201)
        if device.state == "approved" and kind:
            return await self._give(visitor, device, kind)
        return see("/?news=device" if device.state == "active" else "/?news=device-waits")

    async def ask_collect(self, request: Request) -> Response:
        visitor = await self._visitors.demand(request)
        device = await self._own(request, visitor)
        if device is None or device.state != "approved":
            return self._gone(request)
        return (
            self._pages.render("device-collect.html.j2", device=device)
            if self._proven(visitor)
            else self._proving.ask(visitor, _CONFIRM)
        )

    async def collect(self, request: Request) -> Response:
        visitor, form = await self._visitors.demand(request), await visit.form(request)
        device, kind = await self._own(request, visitor), _form_of(form.get("form", ""))
        if device is None or device.state != "approved" or kind is None:
            return self._gone(request)
        return (
            await self._give(visitor, device, kind) if self._proven(visitor) else self._proving.ask(visitor, _CONFIRM)
        )

    async def renew(self, request: Request) -> Response:
        visitor = await self._visitors.demand(request)
        device = await self._own(request, visitor)
        if device is None:
            return self._gone(request)
        if not device.own_key and not self._proven(visitor):
            return self._proving.ask(visitor, _CONFIRM)
        fresh = await self._portal.devices.renew(device.id, by=visitor.account.name)
        match fresh.state:
            case "approved":
                return see(f"/devices/{fresh.id}/collect")
            case "active":
                return see("/?news=device-renewed")
        return see("/?news=device-waits")

    async def ask_revoke(self, request: Request) -> Response:
        device = await self._own(request, await self._visitors.demand(request))
        if device is None:
            return self._gone(request)
        question = Question(
            f"Revoke {device.name}?",
            "It is refused from now on, and what it has open is cut. This can't be taken back; "
            "the device can be enrolled anew.",
            f"/devices/{device.id}/revoke",
            "Revoke it",
            grave=True,
        )
        return self._pages.render("confirm.html.j2", question=question, asks="", pending=None, problem="")

    async def revoke(self, request: Request) -> Response:
        visitor = await self._visitors.demand(request)
        device = await self._own(request, visitor)
        if device is None:
            return self._gone(request)
        await self._portal.devices.revoke(device.id, by=visitor.account.name)
        return see("/?news=device-revoked")

    async def certificate(self, request: Request) -> Response:
        device = await self._own(request, await self._visitors.demand(request))
        if device is None or not device.certificate:
            return self._gone(request)
        return _attached(device.certificate.encode(), f"{_file(device)}.crt", "application/x-pem-file")

    async def download(self, request: Request) -> Response:
        visitor = await self._visitors.demand(request)
        package = self._parcels.take(request.path_params["ticket"], visitor.session.id, self._portal.clock())
        if package is None:
            return self._pages.problem(request, problems.FILE_TAKEN, [_HOME])
        return _attached(package.content, package.name, package.media_type)

    async def _give(self, visitor: Visitor, device: Device, form: PackageForm) -> Response:
        package: Package = await self._portal.devices.collect(device.id, form, by=visitor.account.name)
        ticket = self._parcels.keep(package, visitor.session.id, self._portal.clock())
        link = f"/devices/file/{ticket}"
        return self._pages.render("device-file.html.j2", device=device, form=form, package=package, link=link)

    async def _own(self, request: Request, visitor: Visitor) -> Device | None:
        """The device of the address, where it is the visitor's own."""
        mine = await self._portal.devices.list(visitor.account.name)
        return next((device for device in mine if device.id == request.path_params["id"]), None)

    def _proven(self, visitor: Visitor) -> bool:
        return not visitor.account.has_second_factor or self._proving.fresh(visitor)

    def _form(
        self, visitor: Visitor, name: str = "", problem: str = "", csr: str = "", *, status: int = 200
    ) -> Response:
        return self._pages.render(
            "device-new.html.j2",
            status=status,
            policy=SCRIPT_POLICY,
            waits=waits(visitor.account, approval=self._portal.settings().devices.approval),
            name=name,
            csr=csr,
            problem=problem,
        )

    def _gone(self, request: Request) -> Response:
        return self._pages.problem(request, problems.NO_SUCH_DEVICE, [_HOME])


_STALE = "Your last code is too long ago: reload this page."


def _form_of(text: str) -> PackageForm | None:
    return next((form for form in get_args(PackageForm) if form == text), None)


def _file(device: Device) -> str:
    """A name for a file of this device."""
    return re.sub(r"[^a-z0-9]+", "-", device.name.lower()).strip("-") or "device"


def _attached(content: bytes, name: str, media_type: str) -> Response:
    return Response(content, media_type=media_type, headers={"Content-Disposition": f'attachment; filename="{name}"'})
