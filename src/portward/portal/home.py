"""Home: the services that one may open, one's sessions, and the way to one's password and second factor.

GET / · POST /sessions/ID/end
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from portward.config import Settings
from portward.errors import PortwardError
from portward.identity.access import may
from portward.model import Account, Passkey, Session
from portward.model import Route as ServiceRoute
from portward.portal import cookie, problems
from portward.portal.device_lines import device_lines
from portward.portal.keyring import Keyring
from portward.portal.pages import Action, Pages
from portward.portal.portal import Portal
from portward.portal.visitors import Visitor, Visitors, see
from portward.portal.wording import ago, device, moment

_NEWS = {
    "ended": "That session is over.",
    "password": "Your password is changed, and your other sessions are over.",
    "device": "The device is enrolled. Its certificate is below.",
    "device-waits": "Asked for. Whoever runs this gateway has to approve it; then it can be taken from here.",
    "device-renewed": "The device has a new certificate. The old one counts until its end.",
    "device-revoked": "The device is revoked.",
    "passkey": "Your passkey is kept. You can log in with it from now on.",
    "passkey-renamed": "The passkey has its new name.",
    "passkey-removed": "That passkey opens nothing any more, and your other sessions are over.",
    "totp-off": "Your authenticator app is no longer asked for.",
    "key": "Your key is in. It opens tunnels from now on.",
    "key-removed": "That key opens nothing any more.",
    "approved": "The key is in, and its connection goes on.",
    "approved-late": "The key is in. If its connection has ended meanwhile, connect again.",
    "refused": "That connection was turned away.",
}


@dataclass(frozen=True, slots=True)
class ServiceCard:
    """A service as home shows it. `icon` is globe (everybody), key (second factor) or lock."""

    name: str
    url: str
    where: str
    icon: str
    hint: str


@dataclass(frozen=True, slots=True)
class SessionLine:
    id: str
    device: str
    icon: str
    address: str
    since: datetime
    since_text: str
    seen: datetime
    seen_text: str
    own: bool


def open_to(account: Account, settings: Settings) -> list[ServiceCard]:
    """One card for each service of which the account may open something: its first such route."""
    cards: dict[str, ServiceCard] = {}
    for route in settings.routes:
        if route.service not in cards and may(account, route.access):
            cards[route.service] = _card(route, settings)
    return list(cards.values())


def _card(route: ServiceRoute, settings: Settings) -> ServiceCard:
    icon, hint = _guarded(route)
    where = route.host + (route.path if route.path != "/" else "")
    return ServiceCard(route.service, settings.url(route.host, route.path), where, icon, hint)


def _guarded(route: ServiceRoute) -> tuple[str, str]:
    if route.access.second_factor:
        return "key", "asks for a second factor"
    if route.access.public:
        return "globe", "open to everybody"
    return "lock", "behind the login"


def lines(sessions: Sequence[Session], own_id: str, now: datetime) -> list[SessionLine]:
    """Sessions as home shows them, this browser's own first."""
    ordered = sorted(sessions, key=lambda session: session.id != own_id)
    return [_line(session, now, own=session.id == own_id) for session in ordered]


@dataclass(frozen=True, slots=True)
class PasskeyLine:
    id: str
    name: str
    verifies: bool
    synced: bool
    since: datetime
    since_text: str
    used_text: str


def passkey_lines(passkeys: Sequence[Passkey], now: datetime) -> list[PasskeyLine]:
    """Passkeys as home shows them."""
    return [
        PasskeyLine(
            passkey.id,
            passkey.name,
            passkey.verifies,
            passkey.synced,
            passkey.created_at,
            moment(passkey.created_at),
            ago(now, passkey.used_at) if passkey.used_at else "",
        )
        for passkey in passkeys
    ]


def _line(session: Session, now: datetime, *, own: bool) -> SessionLine:
    what = device(session.user_agent)
    return SessionLine(
        id=session.id,
        device=what.name,
        icon=what.icon,
        address=session.address,
        since=session.created_at,
        since_text=moment(session.created_at),
        seen=session.seen_at,
        seen_text=ago(now, session.seen_at),
        own=own,
    )


class HomePages:
    def __init__(self, portal: Portal, pages: Pages, visitors: Visitors, keyring: Keyring) -> None:
        self._portal, self._pages, self._visitors, self._keyring = portal, pages, visitors, keyring

    def routes(self) -> list[Route]:
        return [Route("/", self.show), Route("/sessions/{id}/end", self.end, methods=["POST"])]

    async def show(self, request: Request) -> Response:
        visitor = await self._visitors.demand(request)
        return await self.page(visitor, news=_NEWS.get(request.query_params.get("news", ""), ""))

    async def page(
        self,
        visitor: Visitor,
        *,
        news: str = "",
        wrong_key: PortwardError | None = None,
        key_name: str = "",
        status: int = 200,
    ) -> Response:
        """Home; `wrong_key` says why a key that was to be called `key_name` was not taken."""
        account, settings = visitor.account, self._portal.settings()
        sessions = await self._portal.identity.sessions.list(account.name)
        services = open_to(account, settings)
        devices = await self._portal.devices.list(account.name)
        return self._pages.render(
            "home.html.j2",
            status=status,
            account=account,
            services=services,
            sessions=lines(sessions, visitor.session.id, self._portal.clock()),
            passkeys=passkey_lines(await self._portal.identity.passkeys.list(account.name), self._portal.clock()),
            devices=device_lines(devices, self._portal.clock(), settings.devices.remind),
            asks_devices=bool(devices) or any(route.device != "ignored" for route in settings.routes),
            codes_left=await self._portal.identity.credentials.recovery_left(account.name),
            domain=settings.domain,
            own_authority=settings.tls.mode == "local",
            keys=await self._keyring.section(account),
            wrong_key=wrong_key,
            key_name=key_name,
            news=news,
        )

    async def end(self, request: Request) -> Response:
        visitor, wanted = await self._visitors.demand(request), request.path_params["id"]
        name, sessions = visitor.account.name, self._portal.identity.sessions
        if wanted not in {session.id for session in await sessions.list(name)}:
            return self._pages.problem(request, problems.NO_SUCH_SESSION, [Action("Your sessions", "/")])
        own = wanted == visitor.session.id
        await sessions.end(wanted, by=name, reason="logout" if own else "revoked")
        response = see("/login?news=out" if own else "/?news=ended")
        if own:
            cookie.clear(response)
        return response
