"""What the table [mail] says, as far as no single value shows it.

list(check_mail(settings))          # a user without a password
list(mail_files(settings))          # a password that others may read
"""

from collections.abc import Iterator
from ipaddress import ip_address

from portward.config.findings import Finding
from portward.config.mail import file_problem
from portward.config.settings import Settings


def check_mail(settings: Settings) -> Iterator[Finding]:
    """What contradicts itself in [mail]."""
    mail = settings.mail
    if mail is None:
        if "mail" in settings.defence.release:
            problem, expected = "there is no server to mail a link with", "a table [mail] that names one"
            yield Finding(("defence", "release"), problem, expected, "add [mail], or take `mail` away here")
        return
    if (mail.user is None) != (mail.password_file is None):
        missing = "user" if mail.user is None else "password-file"
        yield Finding(("mail",), f"`{missing}` is missing", "user together with password-file", "give both, or neither")
    if mail.user is not None and mail.tls == "none" and not _is_near(mail.host):
        yield Finding(
            ("mail", "tls"),
            "the password would cross the network for everybody to read",
            '"starttls" or "implicit" where there is a password',
            "ask whoever runs the mail server which of the two it has",
        )


def mail_files(settings: Settings) -> Iterator[Finding]:
    """Files of [mail] that are not there, or that others may read."""
    mail = settings.mail
    if mail is None:
        return
    for key, name in (("ca-file", mail.ca_file), ("password-file", mail.password_file)):
        if name and (problem := file_problem(name, secret=key == "password-file")):
            yield Finding(
                ("mail", key), f"{name} {problem}", "a file that the gateway can read", _way_out(problem, name)
            )


def _way_out(problem: str, name: str) -> str:
    return f"chmod 600 {name}" if "others" in problem else "correct the path; it is relative to portward.toml"


def _is_near(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
