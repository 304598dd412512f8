"""The page that helps to trust the gateway's own authority: its root certificate, fingerprint and instructions.

GET /trust · GET /trust/portward-root.crt

Both are behind the login, though there is no secret in them: what a stranger could put in their place would be.
"""

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from portward.pki.instructions import INSTRUCTIONS
from portward.pki.minting import common_name, fingerprint
from portward.portal.pages import Pages
from portward.portal.portal import Portal
from portward.portal.visitors import Visitors

_FILE = "portward-root.crt"


class TrustPages:
    def __init__(self, portal: Portal, pages: Pages, visitors: Visitors) -> None:
        self._portal, self._pages, self._visitors = portal, pages, visitors

    def routes(self) -> list[Route]:
        return [Route("/trust", self.show), Route(f"/trust/{_FILE}", self.download)]

    async def show(self, request: Request) -> Response:
        await self._visitors.demand(request)
        root = self._root()
        return self._pages.render(
            "trust.html.j2",
            file=f"/trust/{_FILE}",
            name=common_name(root.subject),
            fingerprint=fingerprint(root),
            until=root.not_valid_after_utc,
            platforms=INSTRUCTIONS.values(),
        )

    async def download(self, request: Request) -> Response:
        await self._visitors.demand(request)
        # In DER, since Windows and Android take it as well as Apple's systems do.
        return Response(
            self._root().public_bytes(Encoding.DER),
            media_type="application/x-x509-ca-cert",
            headers={"Content-Disposition": f'attachment; filename="{_FILE}"'},
        )

    def _root(self) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self._portal.root)
