"""What can go wrong on the way to a page, in words for the person who meets it.

pages.problem(request, problems.EXPIRED_LINK)
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """`text` says what happened, `way_out` what the visitor can do, `remedy` what the operator can.

    One with a `rule` is kept as an event, so that `portward explain` finds it.
    """

    status: int
    title: str
    text: str
    way_out: str = ""
    rule: str = ""
    remedy: str = ""


BAD_LINK = Problem(
    400,
    "This link leads nowhere",
    "It names no page that this gateway knows, or it arrived incomplete.",
    "Open the service itself again, and log in from there.",
)
EXPIRED_LINK = Problem(
    410,
    "This link is used up",
    "One-time links work once, and for a limited time. This one was used already, was replaced, or is too old.",
    "If you have enrolled, log in. Otherwise ask whoever runs this gateway for a new link.",
    rule="used_link",
    remedy="`portward account reset NAME` makes a new link.",
)
COOKIE_NOT_KEPT = Problem(
    400,
    "Your browser did not keep the login",
    "Portward remembers a login with one cookie, and your browser did not send it back. It may block cookies here, "
    "the link may have been opened in another browser, or the login took more than an hour.",
    "Allow cookies for this address, and try again.",
    rule="no_cookie",
    remedy="See that the browser allows cookies for the host, and that nothing in front of Portward drops Set-Cookie.",
)
TOO_MANY_BOUNCES = Problem(
    400,
    "Going round in circles",
    "You were sent to the login and back several times within a minute, so Portward stopped. Most likely your browser "
    "does not keep the cookie of this address, or the clock of this device or of the gateway is wrong.",
    "Allow cookies for this address, and try again in a minute.",
    rule="bounces",
    remedy="See that the browser keeps cookies, that `listen.public-port` is the port visitors use, and the clock.",
)
NOT_FOUND = Problem(
    404,
    "There is nothing here",
    "This address has no page. It may have been mistyped, or what was here has moved.",
)
WRONG_METHOD = Problem(405, "Not like this", "This address exists, but not for that kind of request.")
CROSS_SITE = Problem(
    403,
    "Stopped for your safety",
    "This form was sent from another site, or your browser did not say from where. Nothing was changed.",
    "Open the page itself, and try again there.",
    rule="cross_site",
    remedy="A form came from another origin. If something in front of Portward rewrites Host or Origin, stop it.",
)
TOO_LARGE = Problem(413, "Too much at once", "What was sent is larger than any form of this page.")
NOT_A_FORM = Problem(415, "Not a form", "This address reads only forms that were sent by its own pages.")
NO_SUCH_SESSION = Problem(
    404, "That session is over", "It has ended already, or it was never yours.", "Your sessions are listed at home."
)
NO_SUCH_KEY = Problem(404, "That key is gone", "It was removed already, or it was never yours.")
NO_SUCH_PASSKEY = Problem(404, "That passkey is gone", "It was removed already, or it was never yours.")
NO_SUCH_CODE = Problem(
    404,
    "Nobody waits under this code",
    "A code is good for ten minutes, as long as the terminal that shows it stays connected.",
    "Compare the code with your terminal. If it is too old, connect again: you get a new one.",
)
TOO_MANY_CODES = Problem(
    429,
    "Too many wrong codes",
    "Nothing was looked up: your account tried too many codes that nobody waits under.",
    "Wait an hour, or ask whoever runs this gateway to add the key.",
)
NO_SUCH_DEVICE = Problem(
    404,
    "There is no such device",
    "It was collected or revoked already, or it was never yours.",
    "Your devices are listed at home.",
)
FILE_TAKEN = Problem(
    410,
    "That file is gone",
    "It could be saved once, from the same browser, within ten minutes. The gateway does not keep it.",
    "Revoke the device at home, and enrol it anew.",
)
UNAVAILABLE = Problem(
    503,
    "Not just now",
    "The gateway could not finish this, so it did not let anything through. Nothing of yours is lost.",
    "Try again in a few seconds.",
)
INTERNAL = Problem(
    500,
    "Something broke on our side",
    "The gateway made a mistake, and did not let anything through.",
    "Try again. If it happens again, tell whoever runs this gateway, and give them the request below.",
)


_RECORDED = (EXPIRED_LINK, COOKIE_NOT_KEPT, TOO_MANY_BOUNCES, CROSS_SITE)


def of_rule(rule: str) -> Problem | None:
    """The problem that is kept under this rule."""
    known = {problem.rule: problem for problem in (*_RECORDED, forbidden("this account", "the service"))}
    return known.get(rule)


def forbidden(account: str, host: str) -> Problem:
    """Known, but not allowed there."""
    return Problem(
        403,
        "This one is not open to you",
        f"You are logged in as {account}, and {account} may not open {host}.",
        "Ask whoever runs this gateway to let you in, or use another account.",
        rule="not_open",
        remedy="Add the account to a group in the service's `access`: `portward group join GROUP ACCOUNT`.",
    )
