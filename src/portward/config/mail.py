"""The table [mail]: which server takes the gateway's mail.

Mail.model_validate({"host": "mail.example.com", "from": "gate@example.com"}).address       # ('mail.example.com', 587)
"""

import stat
from pathlib import Path
from typing import Literal

from pydantic import Field

from portward.config.section import Section
from portward.config.values import BesideFile, Email, Port, Word

_PORTS = {"starttls": 587, "implicit": 465, "none": 25}


class Mail(Section):
    """The server that takes the gateway's mail. Without this table no mail is sent."""

    host: Word
    """The name of the mail server, which its certificate must hold."""
    port: Port | None = None
    """Its port. Default: 587 for `starttls`, 465 for `implicit`, 25 for `none`."""
    tls: Literal["starttls", "implicit", "none"] = "starttls"
    """`starttls` demands TLS before anything else (RFC 3207), `implicit` begins with it (RFC 8314), `none` has none."""
    ca_file: BesideFile | None = None
    """Who vouches for the mail server's certificate, where the system's authorities do not."""
    user: Word | None = None
    """Who we are there. Default: nobody logs in."""
    password_file: BesideFile | None = None
    """A file with the password on its first line, readable by its owner alone."""
    sender: Email = Field(alias="from")
    """From whom the mail is."""

    @property
    def address(self) -> tuple[str, int]:
        return self.host, self.port or _PORTS[self.tls]


def file_problem(name: str, *, secret: bool) -> str:
    """What is wrong with a file, or nothing."""
    try:
        mode = Path(name).stat().st_mode
    except OSError as error:
        return f"can't be read: {error.strerror}"
    if not stat.S_ISREG(mode):
        return "is no file"
    return "may be read by others" if secret and mode & (stat.S_IRWXG | stat.S_IRWXO) else ""
