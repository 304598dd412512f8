"""What accounts, groups and keys may be called, and what people type for it.

account_name("ann")                     # 'ann', or Invalid
typed_name("  Ann ")                    # 'ann': how a login form's name is looked up
"""

import re
import unicodedata

from portward.errors import Invalid

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_EMAIL = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_LONGEST_TYPED = 254


def account_name(name: str) -> str:
    """Returns `name`. Raises `Invalid`."""
    return _name(name, "an account")


def group_name(name: str) -> str:
    """Returns `name`. Raises `Invalid`."""
    return _name(name, "a group")


def key_name(name: str) -> str:
    """Returns `name`. Raises `Invalid`."""
    return _name(name, "a key")


def email_address(email: str) -> str:
    """The address in lower case; an empty one stays empty. Raises `Invalid`."""
    address = email.strip().lower()
    if address and (len(address) > _LONGEST_TYPED or not _EMAIL.fullmatch(address) or ".." in address):
        raise Invalid(f"{email!r} is not an e-mail address", way_out="give one such as ann@example.com, or none")
    return address


def display_name(text: str, default: str) -> str:
    """The text without space around it, or `default` for an empty one. Raises `Invalid`.

    It becomes a request header for services, so control characters and line separators are refused.
    """
    name = text.strip() or default
    if len(name) > 64 or any(unicodedata.category(character) in _UNPRINTABLE for character in name):
        raise Invalid(f"{text!r} can't be shown as a name", way_out="use 1 to 64 printable characters")
    return name


_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def passkey_name(text: str) -> str:
    """The text without space around it, or `passkey` for an empty one. Raises `Invalid`."""
    return display_name(text, "passkey")


def typed_name(text: str) -> str:
    """Case and surrounding space removed, so that variants of a name meet in one counter. Cut where it is absurd."""
    return text.strip().lower()[:_LONGEST_TYPED]


def _name(name: str, noun: str) -> str:
    if not _NAME.fullmatch(name):
        raise Invalid(
            f"{name!r} can't be the name of {noun}",
            way_out="use 1 to 32 of a-z, 0-9, dot, dash and underscore; begin with a letter or digit",
        )
    return name
