"""A saved session of PuTTY as key and value, and a tunnel: what its registry and its files have in common.

    to_session(profile).values["PortForwardings"]                  # 'L5432=db.internal:5432'
    from_session("work", {"HostName": Setting("gate", 3), …}, "work.reg")

Keys and their meaning: PuTTY's conf.h, settings.c and conf-enums.h (0.84).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from portward.errors import Invalid, Mistake
from portward.tunnels.profiles import putty_forwards
from portward.tunnels.profiles.exchange import Broken, Imported, Note, without_sockets
from portward.tunnels.profiles.profile import (
    KEEPALIVE_COUNT,
    Family,
    Jump,
    Profile,
    Proxy,
    ProxyKind,
    Tcp,
    require_host,
    require_user,
)

DEFAULT_SESSION = "Default Settings"
_FAMILIES: dict[int, Family] = {0: "any", 1: "ipv4", 2: "ipv6"}
_PROXIES: dict[int, ProxyKind] = {1: "socks4", 2: "socks5", 3: "http"}
_PROXY_COMMAND, _PROXY_SSH = 5, 6
_OTHER_PROXIES = {4: "a telnet proxy", 7: "a command on an SSH proxy", 8: "a subsystem of an SSH proxy"}
_TOKENS = {"%host": "%h", "%port": "%p", "%%": "%%"}

_CARRIED = {
    "Present",
    "Protocol",
    "HostName",
    "PortNumber",
    "UserName",
    "AddressFamily",
    "PublicKeyFile",
    "DetachedCertificate",
    "TryAgent",
    "Compression",
    "PingInterval",
    "PingIntervalSecs",
    "PortForwardings",
    "LocalPortAcceptAll",
    "RemotePortAcceptAll",
    "SshNoShell",
    "ProxyMethod",
    "ProxyType",
    "ProxySOCKSVersion",
    "ProxyHost",
    "ProxyPort",
    "ProxyUsername",
    "ProxyTelnetCommand",
}
_LOST = {
    "RemoteCommand": "a tunnel runs nothing on the server",
    "X11Forward": "forward the display's port instead (docs/recipes.md)",
    "AgentFwd": "an agent is never lent to a server",
    "ProxyPassword": "passwords are not kept; PuTTY has it in clear text",
    "ProxyLocalhost": "the proxy is used for the server alone",
    "ProxyExcludeList": "the proxy is used for the server alone",
    "ConnectionSharing": "each tunnel has a connection of its own",
    "SSHManualHostKeys": "host keys are those of known_hosts",
    "AuthPlugin": "there is no such plugin here",
    "LogHost": "host keys are looked up by the real name",
    "TCPKeepalives": "SSH's own keepalives notice more",
}
"""Settings of the connection that a tunnel has no word for. Their defaults are empty, and mean nothing."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A value as text, numbers too, and the line where it stands."""

    value: str
    line: int


@dataclass(frozen=True, slots=True)
class Session:
    """What PuTTY would save; strings are REG_SZ, numbers REG_DWORD."""

    values: dict[str, str | int]
    notes: tuple[str, ...]


def from_session(name: str, settings: Mapping[str, Setting], file: str, line: int = 0) -> Imported:
    """The tunnel of a session, at most one; what is no SSH has none, and a note."""
    protocol = settings.get("Protocol", Setting("ssh", line)).value
    if name == DEFAULT_SESSION or protocol != "ssh":
        reason = "these are defaults, and no session" if protocol == "ssh" else f"it is {protocol}, and not SSH"
        return Imported(notes=(Note(name, f"left out: {reason}"),))
    reader = _Reader(settings, [])
    try:
        profile = reader.profile(name)
    except _At as at:
        mistake = Mistake(file, at.line or line, at.key, at.reason.message, way_out=at.reason.way_out)
        return Imported(broken=(Broken(name, mistake),))
    except Invalid as error:
        return Imported(broken=(Broken(name, Mistake(file, line, "", error.message, way_out=error.way_out)),))
    return Imported((profile,), tuple(Note(name, text) for text in reader.notes))


def to_session(profile: Profile) -> Session:
    """The settings of a session; all others keep PuTTY's defaults."""
    notes: list[str] = []
    profile = _what_putty_can(profile, notes)
    forwards, local_open, remote_open = putty_forwards.spell(profile)
    seconds = int(profile.keepalive.total_seconds())
    values: dict[str, str | int] = {
        "Present": 1,
        "Protocol": "ssh",
        "HostName": profile.host,
        "PortNumber": profile.port,
        "UserName": profile.user,
        "AddressFamily": {name: number for number, name in _FAMILIES.items()}[profile.family],
        "PublicKeyFile": profile.key_file,
        "DetachedCertificate": profile.certificate_file,
        "TryAgent": int(profile.agent),
        "Compression": int(profile.compression),
        "PingInterval": seconds // 60,
        "PingIntervalSecs": seconds % 60,
        "PortForwardings": forwards,
        "LocalPortAcceptAll": int(local_open),
        "RemotePortAcceptAll": int(remote_open),
        "SshNoShell": 1,
        **_proxy_settings(profile),
    }
    return Session(values, tuple(notes))


def at_home(profile: Profile, home: str) -> Profile:
    """The tunnel with `home` in place of `~` in its paths: no program of PuTTY knows that."""
    return replace(
        profile,
        key_file=re.sub(r"^~(?=/)", lambda _: home, profile.key_file),
        certificate_file=re.sub(r"^~(?=/)", lambda _: home, profile.certificate_file),
    )


def _what_putty_can(profile: Profile, notes: list[str]) -> Profile:
    """The tunnel without what PuTTY has no setting for, each named in a note."""
    if profile.keepalive and profile.keepalive_count != KEEPALIVE_COUNT:
        notes.append("keepalive-count: PuTTY counts no unanswered keepalives, and notices a dead server late")
    if profile.start_at_login:
        notes.append("start-at-login: PuTTY can't; export it as `windows-task` or `systemd` as well")
    if profile.key_file and not profile.key_file.lower().endswith(".ppk"):
        notes.append(
            f"{profile.key_file}: PuTTY reads no OpenSSH key; `puttygen KEY -o KEY.ppk` makes one that it reads"
        )
    if profile.jumps:
        notes.append("jump: there PuTTY logs in by Pageant, or by the key of its Default Settings")
    if profile.jumps or profile.proxy or profile.proxy_command:
        notes += _what_goes_another_way(profile)
    if len(profile.jumps) > 1:
        names = ", ".join(jump.host for jump in profile.jumps[:-1])
        notes.append(f"jump: PuTTY goes over one host, which is the last; those before it are left out: {names}")
    if any(not forward.listen.port for forward in profile.remote if hasattr(forward.listen, "port")):
        notes.append("remote forwards at port 0: PuTTY can't let the server choose the port")
    remote = [forward for forward in profile.remote if getattr(forward.listen, "port", 1)]
    return replace(
        profile,
        jumps=profile.jumps[-1:],
        local=tuple(without_sockets(profile.local, notes, "PuTTY")),
        remote=tuple(without_sockets(remote, notes, "PuTTY")),
    )


def _what_goes_another_way(profile: Profile) -> list[str]:
    """PuTTY asks its proxy for every host but its own (proxy/proxy.c), for the targets of remote forwards, too."""
    targets = [forward.to.host for forward in profile.remote if isinstance(forward.to, Tcp)]
    away = [f"remote: PuTTY reaches {host} through the jump host or proxy, too" for host in targets if not _local(host)]
    near = ["a server at localhost: PuTTY reaches it without the jump host or proxy"] * _local(profile.host)
    return near + list(dict.fromkeys(away))


def _local(host: str) -> bool:
    return host in {"localhost", "::1"} or host.startswith("127.")


def _proxy_settings(profile: Profile) -> dict[str, str | int]:
    if profile.proxy_command:
        command = _to_putty_command(profile.proxy_command)
        return {"ProxyMethod": _PROXY_COMMAND, "ProxyTelnetCommand": command}
    way: Proxy | Jump | None = profile.proxy or next(iter(profile.jumps), None)
    if not way:
        return {"ProxyMethod": 0}
    kind = way.kind if isinstance(way, Proxy) else None
    number = next((number for number, name in _PROXIES.items() if name == kind), _PROXY_SSH)
    place: dict[str, str | int] = {"ProxyHost": way.host, "ProxyPort": way.port, "ProxyUsername": way.user}
    return {"ProxyMethod": number, **place}


def _to_putty_command(command: str) -> str:
    tokens = {ours: theirs for theirs, ours in _TOKENS.items()}
    return re.sub(r"%[hp%]", lambda match: tokens[match[0]], command.replace("\\", "\\\\"))


class _At(Exception):
    def __init__(self, key: str, line: int, reason: Invalid) -> None:
        super().__init__(reason)
        self.key, self.line, self.reason = key, line, reason


@dataclass(slots=True)
class _Reader:
    settings: Mapping[str, Setting]
    notes: list[str]

    def profile(self, name: str) -> Profile:
        user, host, port = self._server()
        forwards = self._forwards()
        profile = Profile(
            name,
            host,
            port=port,
            user=user,
            family=_FAMILIES.get(self._number("AddressFamily", 0), "any"),
            key_file=self._text("PublicKeyFile"),
            certificate_file=self._text("DetachedCertificate"),
            agent=self._number("TryAgent", 1) != 0,
            compression=self._number("Compression", 0) != 0,
            keepalive=timedelta(minutes=self._number("PingInterval", 0), seconds=self._number("PingIntervalSecs", 0)),
            local=tuple(forwards.local),
            remote=tuple(forwards.remote),
            dynamic=tuple(forwards.dynamic),
        )
        profile = self._by_its_way(profile)
        self._name_what_is_lost(profile)
        return profile

    def _server(self) -> tuple[str, str, int]:
        """`user@host` in the host's field counts more than the user's own field, as in sessprep.c."""
        user, at, host = self._text("HostName").rpartition("@")
        if not host:
            raise self._at("HostName", Invalid("there is no host", way_out="this session only keeps settings"))
        host, user = host.strip("[] \t"), user if at else self._text("UserName")
        for key, check, text in (("HostName", require_host, host), ("UserName", require_user, user)):
            try:
                check(text) if text else None
            except Invalid as error:
                raise self._at(key, error) from None
        return user, host, self._number("PortNumber", 22)

    def _forwards(self) -> putty_forwards.Forwards:
        try:
            found = putty_forwards.read(
                self._text("PortForwardings"),
                local_open=self._number("LocalPortAcceptAll", 0) != 0,
                remote_open=self._number("RemotePortAcceptAll", 0) != 0,
            )
        except Invalid as error:
            raise self._at("PortForwardings", error) from None
        self.notes += found.notes
        return found

    def _by_its_way(self, profile: Profile) -> Profile:
        number = self._proxy_method()
        if number == _PROXY_COMMAND:
            return replace(profile, proxy_command=self._command())
        if number not in {*_PROXIES, _PROXY_SSH}:
            if number:
                name = _OTHER_PROXIES.get(number, f"method {number}")
                self.notes.append(f"ProxyMethod: {name} can't be carried over; the server is reached without it")
            return profile
        host, port, user = self._text("ProxyHost", "proxy"), self._number("ProxyPort", 80), self._text("ProxyUsername")
        try:
            if number == _PROXY_SSH:
                return replace(profile, jumps=(Jump(host, port, user),))
            return replace(profile, proxy=Proxy(_PROXIES[number], host, port, user))
        except Invalid as error:
            raise self._at("ProxyHost", error) from None

    def _proxy_method(self) -> int:
        """Sessions saved before PuTTY 0.58 have ProxyType instead (conf-enums.h)."""
        if "ProxyMethod" in self.settings:
            return self._number("ProxyMethod", 0)
        socks = 1 if self._number("ProxySOCKSVersion", 5) == 4 else 2
        return {1: 3, 2: socks, 3: 4, 4: _PROXY_COMMAND}.get(self._number("ProxyType", 0), 0)

    def _command(self) -> str:
        """PuTTY's `%host`, `%port`, `%%` and `\\\\` as `%h`, `%p`, `%%` and `\\`; all else of the kind is named."""
        text = self._text("ProxyTelnetCommand")
        lost = re.findall(r"%(?!host|port|%)\w*|\\[^\\]", re.sub(r"%%|\\\\", "", text))
        if lost:
            self.notes.append(f"ProxyTelnetCommand: {', '.join(lost)} stand in it as they are written")
        return re.sub(r"%host|%port|%%|%|\\\\", lambda match: {"\\\\": "\\", "%": "%%", **_TOKENS}[match[0]], text)

    def _name_what_is_lost(self, profile: Profile) -> None:
        for key, reason in _LOST.items():
            if self._text(key) not in {"", "0"}:
                self.notes.append(f"{key}: {reason}")
        if profile.key_file.lower().endswith(".ppk"):
            self.notes.append(f"{profile.key_file}: a key of PuTTY; `portward tunnel import FILE.ppk` makes OpenSSH's")
        if not (profile.local or profile.remote or profile.dynamic):
            self.notes.append("it forwards nothing yet")
        rest = [key for key in self.settings if key not in _CARRIED and key not in _LOST]
        if rest:
            shown = ", ".join(rest[:3]) + (", …" if len(rest) > 3 else "")
            self.notes.append(f"{len(rest)} settings of terminal, window and algorithms stay behind ({shown})")

    def _text(self, key: str, default: str = "") -> str:
        return self.settings[key].value if key in self.settings else default

    def _number(self, key: str, default: int) -> int:
        text = self._text(key, str(default))
        if not re.fullmatch(r"-?[0-9]{1,10}", text):
            raise self._at(key, Invalid(f"{text!r} is no number"))
        return int(text)

    def _at(self, key: str, reason: Invalid) -> _At:
        return _At(key, self.settings[key].line if key in self.settings else 0, reason)
