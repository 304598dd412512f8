"""What a visitor of an HTTP service gets when there is no tunnel to it.

away("blog")             # b'HTTP/1.1 503 Service Unavailable\\r\\nRetry-After: 5\\r\\n…'
"""

from string import Template

_PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>$title</title><style>
:root{color-scheme:light dark}body{font:17px/1.6 system-ui,sans-serif;max-width:34rem;margin:18vh auto;padding:0 1.5rem}
h1{font-size:1.5rem;margin:0 0 .5rem}p{margin:.4rem 0}small{opacity:.7}
</style></head><body><h1>$title</h1><p>$text</p><p><small>$hint</small></p></body></html>
""")


def away(name: str) -> bytes:
    """503: the tunnel is not there."""
    return _response(
        "503 Service Unavailable",
        "This service is away",
        f"<b>{name}</b> comes from a computer that is not connected just now.",
        "Try again in a moment. If it is yours: start its tunnel again.",
    )


def silent(name: str) -> bytes:
    """502: the tunnel is there, and nothing answers at its other end."""
    return _response(
        "502 Bad Gateway",
        "Nothing answers here",
        f"The tunnel of <b>{name}</b> stands, but nothing listens at its other end.",
        "If it is yours: start the program that the tunnel leads to, or correct the port behind -R.",
    )


def _response(status: str, title: str, text: str, hint: str) -> bytes:
    body = _PAGE.substitute(title=title, text=text, hint=hint).encode()
    lines = (
        f"HTTP/1.1 {status}",
        "Content-Type: text/html; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Retry-After: 5",
        "Cache-Control: no-store",
        "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'",
        "Connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode() + body
