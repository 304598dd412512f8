"""Renders pages: the portal's templates, and the self-contained page that every error shares with the edge.

    pages = Pages()
    pages.render("login.html.j2", pending=None, problem="")
    pages.problem(request, problems.NOT_FOUND)

An error page carries its style sheet inside, because it may stand on a service's host, where /static/ is the service's.
"""

import hashlib
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

import portward
from portward.model import Account
from portward.portal import visit
from portward.portal.pending import Pending
from portward.portal.problems import Problem

_HERE = Path(__file__).parent
_ERROR_PAGES = Path(portward.__file__).parent / "edge" / "pages"
_YEAR = 31_536_000
_REST = "frame-ancestors 'none'; base-uri 'none'"
PAGE_POLICY = f"default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self'; {_REST}"
"""Content-Security-Policy of every page that brings none of its own."""
SCRIPT_POLICY = f"{PAGE_POLICY}; script-src 'self'; connect-src 'self'"
"""Of pages whose script asks for more: for a certificate of the key that it made, for what a passkey must sign."""
_ON_THE_WAY_POLICY = f"{PAGE_POLICY}; script-src 'self'"
"""Of the pages on the way to a service, which carry the address's fragment along."""


@dataclass(frozen=True, slots=True)
class Action:
    """A button of an error page."""

    label: str
    href: str


@dataclass(frozen=True, slots=True)
class Question:
    """A page with one question, and a button that says yes by posting to `action`."""

    title: str
    text: str
    action: str
    button: str
    grave: bool = False


@dataclass(frozen=True, slots=True)
class StaticFile:
    content: bytes
    media_type: str

    def response(self) -> Response:
        """Kept for a year: whoever links to it puts a hash of its content into the address."""
        return Response(
            self.content,
            media_type=self.media_type,
            headers={"Cache-Control": f"public, max-age={_YEAR}, immutable"},
        )


class Pages:
    """The templates, loaded once."""

    def __init__(self) -> None:
        self._templates = Environment(
            loader=FileSystemLoader([_HERE / "templates", _ERROR_PAGES]),
            autoescape=True,
            auto_reload=False,
            undefined=StrictUndefined,
            trim_blocks=True,
        )
        sheet = (_ERROR_PAGES / "page.css").read_bytes() + (_HERE / "static" / "portal.css").read_bytes()
        self._static = {
            "portal.css": StaticFile(sheet, "text/css"),
            "mark.svg": StaticFile((_HERE / "static" / "mark.svg").read_bytes(), "image/svg+xml"),
            "device.js": StaticFile((_HERE / "static" / "device.js").read_bytes(), "text/javascript"),
            "passkey.js": StaticFile((_HERE / "static" / "passkey.js").read_bytes(), "text/javascript"),
            "fragment.js": StaticFile((_HERE / "static" / "fragment.js").read_bytes(), "text/javascript"),
        }
        self._templates.globals["static"] = self._address
        self._error_policy = self._policy_of(self._templates.get_template("page.css").render())

    def render(self, template: str, *, status: int = 200, policy: str = "", **values: Any) -> HTMLResponse:
        """A page of the portal. Raises `jinja2.UndefinedError` when the template needs more than `values`.

        With a `pending` destination the page may run the one script, which carries the fragment, unless it has a
        `policy` of its own.
        """
        policy = policy or (_ON_THE_WAY_POLICY if values.get("pending") else PAGE_POLICY)
        page = self._templates.get_template(template).render(values)
        return HTMLResponse(page, status, {"Content-Security-Policy": policy})

    def second_factor(
        self,
        account: Account,
        domain: str,
        going: Pending | None,
        *,
        ticket: str = "",
        problem: str = "",
        status: int = 200,
    ) -> HTMLResponse:
        """The page that asks for a second factor: within a session, or with a `ticket` between a login's two steps."""
        return self.render(
            "second-factor.html.j2",
            status=status,
            policy=SCRIPT_POLICY,
            account=account,
            domain=domain,
            pending=going,
            ticket=ticket,
            action="/login/second-factor" if ticket else "/step-up",
            problem=problem,
        )

    def problem(self, request: Request, problem: Problem, actions: Sequence[Action] = ()) -> HTMLResponse:
        """An error page; the first of `actions` is the one to take."""
        page = self._templates.get_template("page.html.j2").render(
            status=problem.status,
            title=problem.title,
            text=problem.text,
            way_out=problem.way_out,
            actions=actions,
            request_id=visit.request_id(request),
        )
        return HTMLResponse(page, problem.status, {"Content-Security-Policy": self._error_policy})

    async def static_file(self, request: Request) -> Response:
        """The endpoint of /static/{name}: the style sheet, the mark and the script, from memory."""
        file = self._static.get(request.path_params["name"])
        if file is None:
            raise HTTPException(404)
        return file.response()

    def _address(self, name: str) -> str:
        """With a hash of the content, so that browsers may keep it."""
        return f"/static/{name}?{hashlib.sha256(self._static[name].content).hexdigest()[:12]}"

    @staticmethod
    def _policy_of(sheet: str) -> str:
        digest = b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
        return f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'none'; {_REST}"
