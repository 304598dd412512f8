"""Mail over the admin API.

POST /mail/test with {"to": "ann@example.com"}
"""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from portward.errors import Invalid
from portward.host.mail import Mailer
from portward.identity.names import email_address
from portward.portal import orders
from portward.portal.orders import MailTest


class MailApi:
    def __init__(self, mailer: Mailer) -> None:
        self._mailer = mailer

    def routes(self) -> list[Route]:
        return [Route("/mail/test", self.test, methods=["POST"])]

    async def test(self, request: Request) -> Response:
        """Answers when the mail server has taken it."""
        order = await orders.read(request, MailTest)
        to = email_address(order.to)
        if not to:
            raise Invalid("nobody is named to write to", way_out="`portward mail test you@example.com`")
        await self._mailer.send(
            to,
            "Mail from your gateway arrives",
            "This is what `portward mail test` sends. Nothing has to be done with it.\n",
        )
        return JSONResponse({"sent": to})
