"""Devices over the admin API.

GET|POST /devices · GET|PATCH|DELETE /devices/ID · POST /devices/ID/approve, /refuse, /renew

A device is enrolled with a signing request (`csr`), or with the `form` in which a key that is made here is wanted. The
beginning of an id is enough where it fits one device.
"""

from base64 import b64encode
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from portward.errors import Conflict, Invalid
from portward.identity.devices import Devices
from portward.model import Device, PackageForm
from portward.portal import documents, orders
from portward.portal.orders import NewDevice, Renaming, Renewal

_BY = "cli"
_SHORTEST = 4


class DevicesApi:
    def __init__(self, devices: Devices) -> None:
        self._devices = devices

    def routes(self) -> list[Route]:
        return [
            Route("/devices", self.list),
            Route("/devices", self.enrol, methods=["POST"]),
            Route("/devices/{id}", self.show),
            Route("/devices/{id}", self.rename, methods=["PATCH"]),
            Route("/devices/{id}", self.revoke, methods=["DELETE"]),
            Route("/devices/{id}/approve", self.approve, methods=["POST"]),
            Route("/devices/{id}/refuse", self.refuse, methods=["POST"]),
            Route("/devices/{id}/renew", self.renew, methods=["POST"]),
        ]

    async def list(self, request: Request) -> Response:
        found = await self._devices.list(request.query_params.get("account"))
        return JSONResponse({"devices": [documents.device_of(device) for device in found]})

    async def show(self, request: Request) -> Response:
        return _answer(await self._find(request))

    async def enrol(self, request: Request) -> Response:
        order = await orders.read(request, NewDevice)
        _require_one(order.csr, order.form)
        device = await self._devices.request(order.account, order.name, csr=order.csr, by=_BY)
        return await self._collect(device, order.form)

    async def renew(self, request: Request) -> Response:
        order, old = await orders.read(request, Renewal), await self._find(request)
        if not old.own_key:
            _require_one(order.csr, order.form)
        device = await self._devices.renew(old.id, csr=order.csr, by=_BY)
        return await self._collect(device, None if device.own_key else order.form)

    async def approve(self, request: Request) -> Response:
        return _answer(await self._devices.approve((await self._find(request)).id, by=_BY))

    async def refuse(self, request: Request) -> Response:
        await self._devices.refuse((await self._find(request)).id, by=_BY)
        return Response(status_code=204)

    async def rename(self, request: Request) -> Response:
        order = await orders.read(request, Renaming)
        return _answer(await self._devices.rename((await self._find(request)).id, order.name, by=_BY))

    async def revoke(self, request: Request) -> Response:
        gone = await self._devices.revoke((await self._find(request)).id, by=_BY)
        return JSONResponse({"revoked": [documents.device_of(device) for device in gone]})

    async def _collect(self, device: Device, form: PackageForm | None) -> Response:
        if form is None:
            return _answer(device, status=201)
        package = await self._devices.collect(device.id, form, by=_BY)
        given = {
            "content": b64encode(package.content).decode(),
            "name": package.name,
            "password": package.password,
        }
        return _answer(await self._devices.get(device.id), status=201, package=given)

    async def _find(self, request: Request) -> Device:
        """Raises `NotFound`, and `Conflict` for a beginning that fits several."""
        wanted = request.path_params["id"]
        fitting = [device for device in await self._devices.list() if device.id.startswith(wanted)]
        if len(wanted) < _SHORTEST or not fitting:
            return await self._devices.get(wanted)
        if len(fitting) > 1:
            raise Conflict(f"{len(fitting)} devices have an id that begins with {wanted}", way_out="give more of it")
        return fitting[0]


def _answer(device: Device, *, status: int = 200, **more: Any) -> Response:
    return JSONResponse({"device": documents.device_of(device), "certificate": device.certificate, **more}, status)


def _require_one(csr: str, form: PackageForm | None) -> None:
    if bool(csr) == bool(form):
        raise Invalid("a device is enrolled with a signing request or with a file for it, and with one of the two")
