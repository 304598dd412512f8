"""Recovery codes: ten strings on paper, each of which stands in for the second factor once.

codes = new_codes()                          # ['k7m2p-x9d4r', …]
normalised(" K7M2P X9D4R")                   # 'k7m2p-x9d4r'
"""

import secrets

COUNT = 10
_LETTERS = "23456789abcdefghjkmnpqrstvwxyz"
"""No 0, 1, i, l, o, u: what is read as something else is not there. 30 letters, 49 bits in ten of them."""


def new_codes() -> list[str]:
    """Ten different ones."""
    codes: set[str] = set()
    while len(codes) < COUNT:
        codes.add(f"{_part()}-{_part()}")
    return sorted(codes)


def normalised(typed: str) -> str | None:
    """The code somebody typed, whatever the case, dashes and spaces; None when it can't be one."""
    letters = "".join(character for character in typed.lower() if not character.isspace() and character != "-")
    if len(letters) != 10 or any(letter not in _LETTERS for letter in letters):
        return None
    return f"{letters[:5]}-{letters[5:]}"


def _part() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(5))
