"""How single values are spelt in portward.toml: read from text, and written back.

    parse_access("group:family")                # Access(groups=frozenset({"family"}))
    spell_duration(timedelta(hours=12))         # '12h'

Every reader raises `Misspelt`, whose text follows the value in a sentence: "'5x' is not a duration".
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from portward.model import Access

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SIZES = {"B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3}
_LONGEST = timedelta(days=36500)
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
NAME_PATTERN = r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?"
NETWORK_NAME_PATTERN = r"[a-z](?:[a-z0-9-]{0,30}[a-z0-9])?"
_PERSON = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_ROLES = ("public", "members", "owners")

_ACCESS_EXPECTED = "public, members, owners, group:NAME, account:NAME, or a list of these"


class Misspelt(ValueError):
    """A value can't be read. The text follows the value; `expected` says what can be read instead."""

    def __init__(self, problem: str, *, expected: str = "", way_out: str = "") -> None:
        super().__init__(problem)
        self.problem, self.expected, self.way_out = problem, expected, way_out


@dataclass(frozen=True, slots=True)
class Address:
    """A listening address. `host` is empty for every address of the machine, IPv4 and IPv6."""

    text: str

    @property
    def host(self) -> str:
        return self.text.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        return int(self.text.rpartition(":")[2])


class NetworkName(str):
    """The name of networks, as the table [networks] gives it; only there it is said which ones they are."""

    __slots__ = ()


def parse_host(value: object) -> str:
    """A DNS name in lower case, with at least two labels, the last not a number (RFC 1123 section 2.1)."""
    if not isinstance(value, str) or len(value) > 253 or not _HOST.fullmatch(value.lower()):
        raise Misspelt(
            "is not a host name",
            expected="letters, digits and dashes in two or more parts, such as app.example.com",
            way_out="write it without https://, port, path and last dot",
        )
    if value.rpartition(".")[2].isdigit():
        raise Misspelt(
            "is an address, and certificates and SNI need a name",
            expected="a host name such as app.example.com",
            way_out="without a domain of your own, a name such as 192-0-2-1.sslip.io points at 192.0.2.1",
        )
    return value.lower()


def parse_service_name(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(NAME_PATTERN, value):
        raise Misspelt("is not a service name", expected="lower-case letters, digits and inner dashes, 1 to 32")
    return value


def parse_path(value: object) -> str:
    """A path prefix that begins and ends with `/`; a missing last slash is added."""
    if not isinstance(value, str) or not re.fullmatch(r"/(?:[A-Za-z0-9._~-]+/?)*", value):
        raise Misspelt(
            "is not a path prefix",
            expected="a path such as /app1, of letters, digits and . _ ~ -",
            way_out="leave out escapes such as %20, and any query",
        )
    segments = value.strip("/").split("/")
    if any(segment in {".", ".."} for segment in segments):
        raise Misspelt("climbs with . or ..", expected="a path such as /app1")
    if segments[0].lower() == ".portward":
        raise Misspelt("belongs to Portward on every host", expected="a path outside /.portward")
    if len(segments) > 8:
        raise Misspelt("has more than 8 segments", expected="at most 8 segments")
    return value if value.endswith("/") else f"{value}/"


def parse_duration(value: object) -> timedelta:
    """`30s`, `15m`, `12h` or `30d`; at most 100 years."""
    if isinstance(value, timedelta):
        return value
    match = re.fullmatch(r"([0-9]{1,10})([smhd])", value) if isinstance(value, str) else None
    if not match:
        raise Misspelt("is not a duration", expected="a whole number and its unit: 30s, 15m, 12h or 30d")
    seconds = int(match[1]) * _UNITS[match[2]]
    if seconds > _LONGEST.total_seconds():
        raise Misspelt("is too long", expected="at most 36500d")
    return timedelta(seconds=seconds)


def spell_duration(value: timedelta) -> str:
    """The shortest exact spelling: 3600 s is `1h`."""
    seconds = int(value.total_seconds())
    unit = next(unit for unit in "dhms" if seconds % _UNITS[unit] == 0)
    return f"{seconds // _UNITS[unit]}{unit}" if seconds else "0s"


def parse_size(value: object) -> int:
    """Bytes: `512B`, `64KB`, `20MB` or `2GB`, where 1 KB is 1024 bytes."""
    match = re.fullmatch(r"([1-9][0-9]{0,5})(B|KB|MB|GB)", value) if isinstance(value, str) else None
    if not match:
        raise Misspelt("is not a size", expected="a whole number and its unit: 512B, 64KB, 20MB or 2GB")
    return int(match[1]) * _SIZES[match[2]]


def spell_size(value: int) -> str:
    """The shortest exact spelling: 65536 is `64KB`."""
    unit = next(unit for unit in ("GB", "MB", "KB", "B") if value % _SIZES[unit] == 0)
    return f"{value // _SIZES[unit]}{unit}"


def parse_address(value: object) -> Address:
    """A listening address: `:8443`, `127.0.0.1:8443` or `[::1]:8443`."""
    if isinstance(value, Address):
        return value
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[0-9.]*):([0-9]{1,5})", value) if isinstance(value, str) else None
    if not match or not 1 <= int(match[2]) <= 65535 or not _is_ip(match[1].strip("[]") or "::"):
        raise Misspelt("is not a listening address", expected=":8443, 127.0.0.1:8443 or [::1]:8443")
    return Address(match[0])


def parse_network(value: object) -> IPv4Network | IPv6Network:
    """An IPv4 or IPv6 network in CIDR notation; a bare address is a network of one."""
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    expected = "a network such as 10.0.0.0/8 or 2001:db8::/32, or one address"
    if not isinstance(value, str):
        raise Misspelt("is not a network", expected=expected)
    try:
        return ip_network(value)
    except ValueError:
        pass
    try:
        meant = ip_network(value, strict=False)
    except ValueError:
        raise Misspelt("is not a network", expected=expected) from None
    raise Misspelt("has bits set right of its mask", expected=expected, way_out=f"write {meant}")


def parse_network_name(value: object) -> NetworkName:
    if not isinstance(value, str) or not re.fullmatch(NETWORK_NAME_PATTERN, value):
        raise Misspelt(
            "is not a name for networks", expected="lower-case letters, digits and inner dashes, first a letter"
        )
    return NetworkName(value)


def parse_source(value: object) -> IPv4Network | IPv6Network | NetworkName:
    """A network as `parse_network` reads it, or the name of several."""
    if isinstance(value, str) and re.fullmatch(NETWORK_NAME_PATTERN, value):
        return NetworkName(value)
    try:
        return parse_network(value)
    except Misspelt as error:
        expected = "a network such as 10.0.0.0/8 or 2001:db8::/32, one address, or a name from [networks]"
        raise Misspelt(error.problem, expected=expected, way_out=error.way_out) from None


def parse_directory(value: object) -> str:
    """The URL of an ACME directory; RFC 8555 section 6.1 allows https alone."""
    if not isinstance(value, str) or not re.fullmatch(r"https://[^\s/?#@]+(?:/[!-~]*)?", value):
        raise Misspelt(
            "is no directory of an authority", expected="a URL such as https://ca.example.com/acme/directory"
        )
    return value


def parse_email(value: object) -> str:
    """One address, as an authority can write to it."""
    if not isinstance(value, str) or not re.fullmatch(r"[!#-+\--~]{1,64}@" + _HOST.pattern, value.lower()):
        raise Misspelt("is no e-mail address", expected="an address such as ann@example.com")
    return value


def parse_resolver(value: object) -> str:
    """A DNS server: `192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353`."""
    text = value if isinstance(value, str) else ""
    match = re.fullmatch(r"(?:([0-9.]+)|\[([0-9a-fA-F:.]+)\]):([0-9]{1,5})", text)
    host = (match[1] or match[2]) if match else text
    if not text or not _is_ip(host) or (match and not 1 <= int(match[3]) <= 65535):
        raise Misspelt("is no DNS server", expected="an address such as 1.1.1.1 or 10.0.0.1:5353")
    return text


def parse_word(value: object) -> str:
    """A name that somebody else gave."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable() or len(value) > 256:
        raise Misspelt("is no name", expected="a printable text of up to 256 characters")
    return value


def parse_access(value: object) -> Access:
    """Who may open a service: one word, or a list of words of which one match is enough."""
    if isinstance(value, Access):
        return value
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list | tuple) or not words or not all(_is_access_word(word) for word in words):
        raise Misspelt("is not an access rule", expected=_ACCESS_EXPECTED)
    if "public" in words and len(set(words)) > 1:
        raise Misspelt(
            "mixes public with other rules",
            expected="public alone, or a list without it",
            way_out="public lets everybody in; take away whichever is not meant",
        )
    return Access(
        public="public" in words,
        members="members" in words,
        owners="owners" in words,
        groups=frozenset(word.removeprefix("group:") for word in words if word.startswith("group:")),
        accounts=frozenset(word.removeprefix("account:") for word in words if word.startswith("account:")),
    )


def spell_access(access: Access) -> str | list[str]:
    """The spelling that `parse_access` reads back; whether a second factor is needed is no part of it."""
    words = [word for word in _ROLES if getattr(access, word)]
    words += [f"group:{name}" for name in sorted(access.groups)]
    words += [f"account:{name}" for name in sorted(access.accounts)]
    return words[0] if len(words) == 1 else words


def _is_access_word(word: object) -> bool:
    if not isinstance(word, str):
        return False
    kind, _, name = word.partition(":")
    return word in _ROLES or (kind in {"group", "account"} and bool(_PERSON.fullmatch(name)))


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
