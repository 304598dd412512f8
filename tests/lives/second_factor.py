"""The second step of a login: turning it on, and the codes of whoever has.

codes = turn_on(owner)          # in the browser, as the page asks for it
codes.now()                     # '492039'
"""

import re

import pyotp
from tests.lives.visitor import Visitor


def turn_on(visitor: Visitor) -> pyotp.TOTP:
    """For the account that is logged in."""
    page = visitor.visit("auth", "/account/totp")
    secret = re.search(r'<code class="secret">([^<]+)</code>', page.text)
    assert secret, page.text
    codes = pyotp.TOTP(secret[1].replace(" ", ""))
    shown = visitor.follow(visitor.submit(page, code=codes.now()))
    assert "recovery codes" in shown.text, shown.text
    return codes
