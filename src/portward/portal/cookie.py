"""The one cookie of Portward, `__Host-portward`: a session's token, or the mark of a login that is under way.

    mark = Mark.new(now)                    # set at /.portward/start: 'start.NONCE.0.1763642000'
    Mark.read(cookie)                       # None for a token, nonsense and nothing

One fixed name for every host and for both uses, so that cookies can't pile up (each host has its own, by `__Host-`).
"""

import hashlib
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from starlette.responses import Response

from portward.identity.opaque import new_token

NAME = "__Host-portward"
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_MARK = re.compile(r"start\.([A-Za-z0-9_-]{43})\.(\d)\.(\d{1,11})")
_MARK_LASTS = timedelta(hours=1)
_BOUNCES = 3
_BOUNCES_WITHIN = 60


@dataclass(frozen=True, slots=True)
class Mark:
    """A login under way: the browser's secret, and how often in `since`'s minute it came back in vain.

    Setting out is not counted: a browser that restores twelve tabs sets out twelve times, and is in no loop.
    """

    nonce: str
    count: int
    since: int

    @classmethod
    def new(cls, now: datetime) -> Self:
        return cls(new_token(), 0, int(now.timestamp()))

    @classmethod
    def read(cls, cookie: str | None) -> Self | None:
        match = _MARK.fullmatch(cookie or "")
        return cls(match[1], int(match[2]), int(match[3])) if match else None

    def in_vain(self, now: datetime) -> Self:
        """Came back, and has to set out once more. The nonce stays, so that several tabs can log in side by side."""
        if not 0 <= now.timestamp() - self.since < _BOUNCES_WITHIN:
            return replace(self, count=1, since=int(now.timestamp()))
        return replace(self, count=min(self.count + 1, 9))

    @property
    def bounces_too_often(self) -> bool:
        return self.count >= _BOUNCES

    @property
    def nonce_hash(self) -> str:
        """What the portal's host gets to see of the nonce."""
        return hashlib.sha256(self.nonce.encode()).hexdigest()

    def __str__(self) -> str:
        return f"start.{self.nonce}.{self.count}.{self.since}"


def token_in(cookie: str | None) -> str | None:
    """The session token in a cookie's value, or None."""
    return cookie if cookie and _TOKEN.fullmatch(cookie) else None


def set_token(response: Response, token: str, lasts: timedelta) -> None:
    _set(response, token, lasts)


def set_mark(response: Response, mark: Mark) -> None:
    _set(response, str(mark), _MARK_LASTS)


def clear(response: Response) -> None:
    _set(response, "", timedelta(0))


def _set(response: Response, value: str, lasts: timedelta) -> None:
    response.set_cookie(
        NAME, value, max_age=int(lasts.total_seconds()), path="/", secure=True, httponly=True, samesite="lax"
    )
