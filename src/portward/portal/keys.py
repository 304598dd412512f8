"""One's own SSH keys, on the home page: paste a public key, name it, remove it.

POST /keys · POST /keys/NAME/remove

Only where tunnels are wanted, by portward.toml or by a key that the operator added: no member starts the SSH server.
"""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from portward.errors import Conflict, Invalid
from portward.portal import problems, visit
from portward.portal.home import HomePages
from portward.portal.keyring import Keyring, granted
from portward.portal.pages import Action, Pages
from portward.portal.portal import Portal
from portward.portal.visitors import Visitors, see

_LONGEST_NAME = 64


class KeyPages:
    def __init__(self, portal: Portal, pages: Pages, visitors: Visitors, keyring: Keyring, home: HomePages) -> None:
        self._portal, self._pages, self._visitors = portal, pages, visitors
        self._keyring, self._home = keyring, home

    def routes(self) -> list[Route]:
        return [
            Route("/keys", self.add, methods=["POST"]),
            Route("/keys/{name}/remove", self.remove, methods=["POST"]),
        ]

    async def add(self, request: Request) -> Response:
        """What was pasted is never shown again: it may be a private key."""
        visitor = await self._visitors.demand(request)
        if not await self._keyring.wanted():
            raise HTTPException(404)
        form, account = await visit.form(request), visitor.account
        name = form.get("name", "")[:_LONGEST_NAME].strip()
        try:
            rights = granted(account, form)
            await self._portal.identity.keys.add(
                name, form.get("key", ""), account=account.name, rights=rights, by=account.name
            )
        except (Invalid, Conflict) as error:
            return await self._home.page(visitor, wrong_key=error, key_name=name, status=422)
        return see("/?news=key")

    async def remove(self, request: Request) -> Response:
        visitor, wanted = await self._visitors.demand(request), request.path_params["name"]
        name, keys = visitor.account.name, self._portal.identity.keys
        if wanted not in {key.name for key in await keys.list(name)}:
            return self._pages.problem(request, problems.NO_SUCH_KEY, [Action("Your keys", "/#keys")])
        await keys.remove(wanted, by=name)
        return see("/?news=key-removed")
