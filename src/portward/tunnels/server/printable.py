"""What a client says, fit to be kept and shown: whoever writes it must not steer the terminal of who reads it.

printable("SSH-2.0-x\\x1b[2J")          # 'SSH-2.0-x?[2J'
"""


def printable(text: str, most: int = 200) -> str:
    """At most so many characters, every one of which can be printed."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:most])
