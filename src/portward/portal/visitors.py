"""Who sits before the browser: the session in its cookie, and the account behind it.

    visitor = await visitors.find(request)           # Visitor(session, account) | None

A page that only an account may see raises `LoginNeeded`, which leads to the login.
"""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from portward.model import Account, Session
from portward.portal import cookie, visit
from portward.portal.portal import Portal


class LoginNeeded(Exception):
    """There is no live session; the visitor is to log in first."""


@dataclass(frozen=True, slots=True)
class Visitor:
    session: Session
    account: Account


class Visitors:
    def __init__(self, portal: Portal) -> None:
        self._portal = portal

    async def find(self, request: Request) -> Visitor | None:
        """The visitor with a live session on the portal's host; looking counts as use of it."""
        token = visit.token(request)
        found = await self._portal.identity.sessions.find(token) if token else None
        return Visitor(*found) if found else None

    async def demand(self, request: Request) -> Visitor:
        """Raises `LoginNeeded`."""
        visitor = await self.find(request)
        if visitor is None:
            raise LoginNeeded
        return visitor

    def keep(self, response: Response, token: str, session: Session) -> Response:
        """Put a session's token into the portal's cookie."""
        cookie.set_token(response, token, session.expires_at - self._portal.clock())
        return response


def see(path: str) -> RedirectResponse:
    """Look there next, with GET (RFC 9110 section 15.4.4)."""
    return RedirectResponse(path, 303)
