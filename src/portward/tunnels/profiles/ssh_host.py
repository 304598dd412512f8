"""What OpenSSH's configuration says of one host, as a tunnel.

to_import(found, Path("config"))          # Imported((Profile("work", …),), (Note("work", "…"),))
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from portward.errors import Invalid, Mistake
from portward.tunnels.profiles.exchange import Broken, Imported, Note
from portward.tunnels.profiles.openssh import netcat
from portward.tunnels.profiles.profile import (
    EVERYBODY,
    KEEPALIVE_COUNT,
    Endpoint,
    Family,
    Forward,
    Profile,
    Proxy,
    ProxyKind,
    Tcp,
    Unix,
)
from portward.tunnels.profiles.spelling import parse_jump
from portward.tunnels.profiles.ssh_statements import Found, Statement

_FAMILIES: dict[str, Family] = {"any": "any", "inet": "ipv4", "inet6": "ipv6"}
_CARRIED = {
    "hostname", "port", "user", "addressfamily", "identityfile", "certificatefile", "identityagent", "proxyjump",
    "proxycommand", "compression", "serveraliveinterval", "serveralivecountmax", "localforward", "remoteforward",
    "dynamicforward", "gatewayports",
}  # fmt: skip
_MEANT = {"exitonforwardfailure", "requesttty", "sessiontype", "ignoreunknown", "tag"}
"""What a tunnel does anyway, or what has done its work when the file was read."""
_TIME = re.compile(r"([0-9]+)([smhdw]?)", re.IGNORECASE)
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_NC = re.compile(r"nc -X (4|5|connect) (?:-P (\S+) )?-x (\[[^\]]*\]|[^ :]+):([0-9]+) %h %p")
_NC_KINDS: dict[str, ProxyKind] = {"4": "socks4", "5": "socks5", "connect": "http"}


def to_import(found: Found, file: Path) -> Imported:
    """The tunnel of a host, or why it is none."""
    reader = _Reader(found, list(found.notes))
    try:
        profile = reader.profile()
    except _At as at:
        mistake = Mistake(at.one.file, at.one.line, at.one.keyword, at.reason.message, way_out=at.reason.way_out)
        return Imported(broken=(Broken(found.alias, mistake),))
    except Invalid as error:
        mistake = Mistake(str(file), 0, found.alias, error.message, way_out=error.way_out)
        return Imported(broken=(Broken(found.alias, mistake),))
    return Imported((profile,), tuple(Note(found.alias, text) for text in reader.notes))


class _At(Exception):
    def __init__(self, one: Statement, reason: Invalid) -> None:
        super().__init__(reason)
        self.one, self.reason = one, reason


@dataclass(slots=True)
class _Reader:
    found: Found
    notes: list[str]

    def profile(self) -> Profile:
        open_here = self._text("gatewayports", "no").lower() in {"yes", "true"}
        profile = Profile(
            self.found.alias,
            self._host(),
            port=self._number("port", 22),
            user=self._text("user"),
            family=_FAMILIES.get(self._text("addressfamily", "any").lower(), "any"),
            key_file=self._file("identityfile"),
            certificate_file=self._file("certificatefile"),
            agent=self._text("identityagent").lower() != "none",
            compression=self._text("compression").lower() in {"yes", "true"},
            keepalive=self._keepalive(),
            keepalive_count=self._number("serveralivecountmax", KEEPALIVE_COUNT),
            local=tuple(self._forwards("localforward", open_here=open_here)),
            remote=tuple(self._forwards("remoteforward", open_here=False)),
            dynamic=tuple(self._listeners(open_here=open_here)),
        )
        profile = self._by_its_way(profile)
        self._name_what_is_lost()
        return profile

    def _host(self) -> str:
        return self._expand(self._text("hostname", self.found.alias), {"%h": self.found.alias})

    def _by_its_way(self, profile: Profile) -> Profile:
        """ProxyJump or ProxyCommand, whichever comes first."""
        ways = [found[0] for key, found in self.found.values.items() if key in {"proxyjump", "proxycommand"}]
        if not ways:
            return profile
        one = ways[0]
        text = one.words[0]
        if text.lower() == "none":
            return profile
        if len(ways) > 1:
            self.notes.append(f"{ways[1].keyword}: {one.keyword} comes first, and is used")
        try:
            if one.keyword == "proxyjump":
                jumps = [parse_jump(part.removeprefix("ssh://").rstrip("/")) for part in text.split(",")]
                return replace(profile, jumps=tuple(jumps))
            return self._by_command(profile, text)
        except Invalid as error:
            raise _At(one, error) from None

    def _by_command(self, profile: Profile, text: str) -> Profile:
        if match := _NC.fullmatch(text):
            user = (match[2] or "").strip("'").replace("%%", "%")
            host = match[3].strip("[]").replace("%%", "%")
            proxy = Proxy(_NC_KINDS[match[1]], host, int(match[4]), user)
            if netcat(proxy) == text:
                return replace(profile, proxy=proxy)
        known = {"%n": self.found.alias, "%r": profile.user}
        command = re.sub(r"%.", lambda match: known.get(match[0]) or match[0], text)
        return replace(profile, proxy_command=command)

    def _forwards(self, keyword: str, *, open_here: bool) -> Iterator[Forward]:
        for one in self.found.values.get(keyword, []):
            if len(one.words) == 1 and keyword == "remoteforward":
                self.notes.append(f"RemoteForward {one.words[0]}: a SOCKS proxy at the server can't be carried over")
                continue
            try:
                yield _forward(":".join(one.words), open_here=open_here)
            except Invalid as error:
                raise _At(one, error) from None

    def _listeners(self, *, open_here: bool) -> Iterator[Tcp]:
        for one in self.found.values.get("dynamicforward", []):
            try:
                end = _end(_fields(one.words[0]), open_here=open_here)
            except Invalid as error:
                raise _At(one, error) from None
            if isinstance(end, Unix):
                self.notes.append(f"DynamicForward {one.words[0]}: SOCKS at a Unix socket can't be carried over")
            else:
                yield end

    def _keepalive(self) -> timedelta:
        one = next(iter(self.found.values.get("serveraliveinterval", [])), None)
        if not one:
            return timedelta()
        parts = _TIME.findall(one.words[0])
        if "".join(number + unit for number, unit in parts) != one.words[0]:
            raise _At(one, Invalid(f"{one.words[0]!r} is no time"))
        return timedelta(seconds=sum(int(number) * _UNITS[unit.lower()] for number, unit in parts))

    def _file(self, keyword: str) -> str:
        """The first file; OpenSSH tries them all."""
        files = self.found.values.get(keyword, [])
        if not files or files[0].words[0].lower() == "none":
            return ""
        if len(files) > 1:
            self.notes.append(f"{keyword}: only the first of {len(files)} is used, {files[0].words[0]}")
        tokens = {"%d": "~", "%n": self.found.alias, "%h": self._host(), "%r": self._text("user") or "%r"}
        return self._expand(files[0].words[0], tokens)

    def _expand(self, text: str, tokens: dict[str, str]) -> str:
        """Tokens that are known here are replaced; the others are named, and stay."""
        known = {"%%": "%", **tokens}
        lost = [token for token in re.findall(r"%.", text) if token not in known]
        if lost or "${" in text:
            self.notes.append(f"{text}: {', '.join(lost) or '${…}'} stays in it as it is written")
        return re.sub(r"%.", lambda match: known.get(match[0], match[0]), text)

    def _name_what_is_lost(self) -> None:
        for keyword, statements in self.found.values.items():
            if keyword not in _CARRIED | _MEANT:
                one = statements[0]
                self.notes.append(f"{keyword} ({one.file}:{one.line}) can't be carried over: {' '.join(one.words)}")
        agent = self._text("identityagent")
        if agent and agent.lower() not in {"none", "ssh_auth_sock"}:
            self.notes.append(f"IdentityAgent {agent}: the agent is that of SSH_AUTH_SOCK")

    def _text(self, keyword: str, default: str = "") -> str:
        return self.found.values[keyword][0].words[0] if keyword in self.found.values else default

    def _number(self, keyword: str, default: int) -> int:
        text = self._text(keyword, str(default))
        if not re.fullmatch(r"[0-9]{1,6}", text):
            raise _At(self.found.values[keyword][0], Invalid(f"{text!r} is no number"))
        return int(text)


def _forward(text: str, *, open_here: bool) -> Forward:
    """`[ADDRESS:]PORT:HOST:PORT`, a socket's path in place of either side (readconf.c, parse_forward)."""
    fields = _fields(text)
    size = 1 if _is_path(fields[:1]) else len(fields) - (1 if _is_path(fields[-1:]) else 2)
    if not 1 <= size <= 2:
        raise Invalid(f"{text!r} is no forward", way_out="as in `LocalForward 8080 intranet.example.com:80`")
    return Forward(_end(fields[:size], open_here=open_here), _end(fields[size:], open_here=False))


def _is_path(fields: list[str]) -> bool:
    return bool(fields) and fields[0].startswith("/")


def _end(fields: list[str], *, open_here: bool) -> Endpoint:
    """One end. `*`, an empty address and GatewayPorts are for everybody."""
    if _is_path(fields) and len(fields) == 1:
        return Unix(fields[0].replace("%%", "%"))
    if len(fields) not in {1, 2} or not re.fullmatch(r"[0-9]{1,5}", fields[-1]):
        raise Invalid(f"{':'.join(fields)!r} is no place to listen at or to go to")
    if len(fields) == 1:
        return Tcp(EVERYBODY if open_here else "", int(fields[0]))
    return Tcp(fields[0] or EVERYBODY, int(fields[1]))


def _fields(text: str) -> list[str]:
    """The parts between colons; brackets hold an IPv6 address together, `\\` takes a colon's meaning away."""
    parts = re.findall(r"(?:\[([^\]]*)\]|((?:[^\\:]|\\.)*))(?::|$)", text)
    fields = [bracketed or re.sub(r"\\(.)", r"\1", plain) for bracketed, plain in parts]
    return fields[:-1] if fields and not fields[-1] else fields
