"""What a request tells about its visitor, as the edge vouches for it.

visit.host(request)            # 'auth.example.com', from X-Forwarded-Host
visit.address(request)         # '203.0.113.7', from X-Forwarded-For
await visit.form(request)      # {'username': 'ann', …}

Requests reach the portal only through its Unix socket, to which the edge alone speaks; the edge replaces these headers.
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.requests import Request

from portward.identity.logins import Code, Second, Touch
from portward.portal import cookie

_LONGEST_CODE = 32
_FIELDS = 20
_FORM = "application/x-www-form-urlencoded"


class NotAForm(Exception):
    """The body is no urlencoded form of a few short fields."""


def host(request: Request) -> str:
    """The public host, without port. Empty when the edge did not say."""
    return request.headers.get("x-forwarded-host", "")


def address(request: Request) -> str:
    return request.headers.get("x-forwarded-for", "")


def request_id(request: Request) -> str:
    return request.headers.get("x-request-id", "")[:128]


def user_agent(request: Request) -> str:
    return request.headers.get("user-agent", "")[:256]


def token(request: Request) -> str | None:
    """The session token in the cookie, or None."""
    return cookie.token_in(request.cookies.get(cookie.NAME))


def mark(request: Request) -> cookie.Mark | None:
    """The login under way in the cookie, or None."""
    return cookie.Mark.read(request.cookies.get(cookie.NAME))


def second_factor(form: Mapping[str, str]) -> Second:
    """What a form shows: a passkey's answer, else what was typed into the field of the code."""
    return Touch(form["passkey"]) if "passkey" in form else Code(form.get("code", "")[:_LONGEST_CODE])


async def form(request: Request) -> dict[str, str]:
    """The fields of a posted form; the first one of a name counts. Raises `NotAForm`."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise NotAForm
    try:
        pairs = parse_qsl((await request.body()).decode(), keep_blank_values=True, max_num_fields=_FIELDS)
    except ValueError as error:
        raise NotAForm from error
    return dict(reversed(pairs))
