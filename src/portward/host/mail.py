"""Mail: handed to the operator's own mail server (RFC 5321), in a thread, with its certificate checked.

await Mailer(lambda: settings.mail).send("ann@example.com", "Your way back in", "…")

What goes wrong is an `Environment` that names the server and what it said; user, password and text are in none of it.
"""

import asyncio
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, make_msgid
from pathlib import Path
from typing import TYPE_CHECKING

from portward.config.mail import Mail, file_problem
from portward.errors import Environment

if TYPE_CHECKING:
    import smtplib

_PATIENCE = 20.0
"""Seconds for each thing that is said to the server."""
_AT_ONCE = 2


class Mailer:
    """`mail` is asked each time, so that a saved portward.toml takes effect at once."""

    def __init__(self, mail: Callable[[], Mail | None]) -> None:
        self._mail, self._turns = mail, asyncio.Semaphore(_AT_ONCE)

    async def send(self, to: str, subject: str, text: str) -> None:
        """Returns when the server has it. Raises `Environment`; `ValueError` for a line break in address or subject."""
        mail = self._mail()
        if mail is None:
            raise Environment("there is no mail server to send with", way_out="add the table [mail] to portward.toml")
        message = compose(mail.sender, to, subject, text)
        async with self._turns:
            await asyncio.to_thread(_hand_over, mail, message)


def compose(sender: str, to: str, subject: str, text: str) -> EmailMessage:
    """Plain text, marked as written by a machine, so that nobody's absence notice answers it (RFC 3834 section 5)."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Date"] = format_datetime(datetime.now(UTC))
    message["Message-ID"] = make_msgid(domain=sender.rpartition("@")[2])
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(text)
    return message


def _hand_over(mail: Mail, message: EmailMessage) -> None:
    password = _password(mail)
    with _plainly(mail), _connected(mail) as server:
        if mail.user and password is not None:
            server.login(mail.user, password)
        server.send_message(message)


@contextmanager
def _connected(mail: Mail) -> Iterator["smtplib.SMTP"]:
    import smtplib

    (host, port), own_name = mail.address, mail.sender.rpartition("@")[2]
    if mail.tls == "implicit":
        with smtplib.SMTP_SSL(host, port, own_name, timeout=_PATIENCE, context=_trust(mail)) as server:
            yield server
        return
    with smtplib.SMTP(host, port, own_name, timeout=_PATIENCE) as server:
        if mail.tls == "starttls":
            server.starttls(context=_trust(mail))
        yield server


def _trust(mail: Mail) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=mail.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise Environment(
            f"{mail.ca_file} vouches for nobody", way_out="name a PEM file with the certificate of an authority"
        ) from error


def _password(mail: Mail) -> str | None:
    if mail.password_file is None:
        return None
    if problem := file_problem(mail.password_file, secret=True):
        raise Environment(f"{mail.password_file} {problem}", way_out=f"chmod 600 {mail.password_file}, and own it")
    try:
        return Path(mail.password_file).read_text().partition("\n")[0].strip("\r")
    except (OSError, UnicodeDecodeError) as error:
        raise Environment(
            f"{mail.password_file} can't be read", way_out="let the user that runs Portward own it, as UTF-8 text"
        ) from error


@contextmanager
def _plainly(mail: Mail) -> Iterator[None]:
    """Turn what smtplib and the network say into sentences."""
    import smtplib

    where = "{}:{}".format(*mail.address)
    try:
        yield
    except smtplib.SMTPNotSupportedError as error:
        raise Environment(
            f"the mail server {where} does not offer what is needed: {_line(str(error))}",
            way_out='try `tls = "implicit"` with port 465; without a password, `tls = "none"`',
        ) from error
    except smtplib.SMTPAuthenticationError as error:
        raise Environment(
            f"the mail server {where} does not accept the user and password ({error.smtp_code})",
            way_out="look at `user` and `password-file` in [mail]; many providers want a password for programs",
        ) from None
    except smtplib.SMTPRecipientsRefused as error:
        code, said = next(iter(error.recipients.values()))
        raise Environment(
            f"the mail server {where} does not take mail for this address: {code} {_line(said)}",
            way_out="look whether the address exists, and whether the server relays for this user",
        ) from error
    except smtplib.SMTPResponseException as error:
        raise Environment(
            f"the mail server {where} refused: {error.smtp_code} {_line(error.smtp_error)}",
            way_out="look whether it lets this user send as the `from` of [mail]",
        ) from error
    except ssl.SSLCertVerificationError as error:
        raise Environment(
            f"the mail server {where} shows no certificate that can be trusted: {error.verify_message}",
            way_out="give the `host` that its certificate names; for an authority of your own, `ca-file`",
        ) from error
    except (OSError, smtplib.SMTPException) as error:
        raise Environment(
            f"the mail server {where} can't be reached: {_line(str(error)) or type(error).__name__}",
            way_out="look at `host`, `port` and `tls` in [mail]; a firewall may keep outgoing mail in",
        ) from error


def _line(said: str | bytes) -> str:
    """What a server said, on one line that a terminal can show."""
    text = said.decode("ascii", "replace") if isinstance(said, bytes) else said
    return "".join(letter if letter.isprintable() else " " for letter in text)[:200].strip()
