"""Time-based one-time passwords (RFC 6238): six digits, 30 s, SHA-1, as every authenticator app knows them.

secret = new_secret()                                   # base32, 160 bits
step_of(secret, "492039", now)                          # the step to spend, or None
"""

import hmac
from datetime import datetime
from urllib.parse import quote, urlencode

import pyotp

PERIOD = 30
WINDOW = 1
"""Steps before and after now that count too: a clock may be half a minute off, and typing takes time."""


def new_secret() -> str:
    """160 random bits in base32 (RFC 4226 section 4 asks for as many)."""
    return pyotp.random_base32(32)


def uri(secret: str, account: str, issuer: str) -> str:
    """What the QR code says to the app (Key URI format)."""
    label = quote(f"{issuer}:{account}", safe=":@")
    return f"otpauth://totp/{label}?{urlencode({'secret': secret, 'issuer': issuer}, quote_via=quote)}"


def digits_of(code: str) -> str | None:
    """The six digits somebody typed, with spaces or a dash between them or not; None when it is something else."""
    digits = code.strip().replace(" ", "").replace("-", "")
    return digits if len(digits) == 6 and digits.isascii() and digits.isdigit() else None


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """The time step to which this code belongs, within one step of now. Every step is compared, in constant time."""
    digits = digits_of(code)
    if digits is None:
        return None
    generator, current = pyotp.TOTP(secret), int(now.timestamp()) // PERIOD
    steps = range(current - WINDOW, current + WINDOW + 1)
    fitting = [step for step in steps if hmac.compare_digest(generator.generate_otp(step), digits)]
    return fitting[-1] if fitting else None
