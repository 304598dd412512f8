"""A tunnel as OpenSSH is told it: a `Host` of a configuration file, or a command line.

    config(profile).text             # 'Host database\\n    HostName bastion.example.com\\n…'
    command(profile).text            # 'ssh -N -o ExitOnForwardFailure=yes … bastion.example.com\\n'
    arguments(profile, notes)        # the same as a list, for a program that starts ssh itself

Quoting is that of ssh_config(5): words in double quotes with `\\` before `"` and `\\` (misc.c, argv_split), `%` doubled
where OpenSSH has tokens, and `\\` before `:` and `\\` in a socket's path (readconf.c, parse_fwd_field).
"""

import re
import shlex

from portward.tunnels.profiles.exchange import Exported
from portward.tunnels.profiles.profile import Endpoint, Profile, Proxy, Tcp
from portward.tunnels.profiles.spelling import bracket, spell_jump

_FAMILIES = {"ipv4": "inet", "ipv6": "inet6"}
_NC_PROXIES = {"socks4": "4", "socks5": "5", "http": "connect"}
_NO_SHELL = (("RequestTTY", "no"), ("IgnoreUnknown", "SessionType"), ("SessionType", "none"))
"""SessionType is `-N`, known since OpenSSH 8.7."""
_AT_LOGIN = "start-at-login: export it as `systemd`, and enable that"


def config(profile: Profile) -> Exported:
    """A block for ~/.ssh/config, or a file for `ssh -F`. Its alias is the tunnel's name, as far as ssh can say it."""
    notes: list[str] = []
    alias = alias_of(profile.name)
    if alias != profile.name:
        notes.append(f"the name: OpenSSH takes {alias}, and not {profile.name!r}, for a host")
    rows = [("HostName", _quote(_literal(profile.host))), *_options(profile, notes)]
    rows += [(keyword, f"{_quote(listen)} {_quote(to)}") for keyword, listen, to in _forwards(profile)]
    rows += [("DynamicForward", _listen(end, here="localhost")) for end in profile.dynamic]
    body = "".join(f"    {keyword} {value}\n" for keyword, value in [*rows, *_NO_SHELL])
    if profile.start_at_login:
        notes.append(_AT_LOGIN)
    return Exported(f"Host {alias}\n{body}", tuple(notes))


def command(profile: Profile) -> Exported:
    """A command line for a POSIX shell."""
    notes: list[str] = []
    words = ["ssh", *arguments(profile, notes)]
    if profile.start_at_login:
        notes.append(_AT_LOGIN)
    return Exported(f"{shlex.join(words)}\n", tuple(notes))


def autossh(profile: Profile) -> Exported:
    """The same through autossh, which starts ssh anew whenever it ends. OpenSSH's keepalives are its monitor."""
    notes: list[str] = []
    words = ["autossh", "-M", "0", *arguments(profile, notes)]
    if not profile.keepalive:
        notes.append("without keepalives autossh doesn't notice a connection that is only half dead")
    if profile.start_at_login:
        notes.append(_AT_LOGIN)
    # Also try again when the first connection fails, as after a boot without a network.
    return Exported(f"AUTOSSH_GATETIME=0 {shlex.join(words)}\n", tuple(notes))


def arguments(profile: Profile, notes: list[str]) -> list[str]:
    """The arguments of ssh; what it can't say is added to the notes. None of them is an option by accident."""
    flags = {"LocalForward": "-L", "RemoteForward": "-R"}
    words = ["-N", "-T"]
    for keyword, value in _options(profile, notes):
        words += ["-o", f"{keyword}={value}"]
    for keyword, listen, to in _forwards(profile):
        words += [flags[keyword], f"{listen}:{to}"]
    for end in profile.dynamic:
        words += ["-D", _listen(end, here="localhost")]
    return [*words, profile.host]


def alias_of(name: str) -> str:
    """A tunnel's name as ssh takes it for a host: letters, digits and `._-`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") or "tunnel"


def netcat(proxy: Proxy) -> str:
    """The ProxyCommand for a proxy, by OpenBSD's nc."""
    user = f"-P {shlex.quote(proxy.user)} ".replace("%", "%%") if proxy.user and proxy.kind == "http" else ""
    return f"nc -X {_NC_PROXIES[proxy.kind]} {user}-x {bracket(proxy.host).replace('%', '%%')}:{proxy.port} %h %p"


def _options(profile: Profile, notes: list[str]) -> list[tuple[str, str]]:
    """Keyword and value as they stand in a configuration file, or after `-o`, except for what is forwarded."""
    _name_what_ssh_replaces(profile, notes)
    if any((jump.host, jump.port) == (profile.host, profile.port) for jump in profile.jumps):
        notes.append(f"jump: OpenSSH takes {profile.host} as its own jump host for a loop, and refuses")
    seconds = int(profile.keepalive.total_seconds())
    found = {
        "Port": str(profile.port) if profile.port != 22 else "",
        "User": _quote(profile.user),
        "AddressFamily": _FAMILIES.get(profile.family, ""),
        "IdentityFile": _quote(_literal(profile.key_file)),
        "CertificateFile": _quote(_literal(profile.certificate_file)),
        "IdentityAgent": "" if profile.agent else "none",
        "ProxyJump": ",".join(map(spell_jump, profile.jumps)),
        "ProxyCommand": _proxy_command(profile, notes),
        "Compression": "yes" if profile.compression else "",
        "ServerAliveInterval": str(seconds),
        "ServerAliveCountMax": str(profile.keepalive_count),
        "ExitOnForwardFailure": "yes",
    }
    return [(keyword, value) for keyword, value in found.items() if value]


def _proxy_command(profile: Profile, notes: list[str]) -> str:
    if not profile.proxy:
        return profile.proxy_command
    notes.append("proxy: OpenSSH has no proxies of its own; `nc` of OpenBSD has to be there (netcat-openbsd)")
    if profile.proxy.user and profile.proxy.kind != "http":
        notes.append("proxy: nc can't tell a SOCKS proxy a user's name")
    return netcat(profile.proxy)


def _name_what_ssh_replaces(profile: Profile, notes: list[str]) -> None:
    sockets = (end for forward in (*profile.local, *profile.remote) for end in (forward.listen, forward.to))
    paths = [end.path for end in sockets if not isinstance(end, Tcp)]
    texts = [text for text in (profile.key_file, profile.certificate_file, *paths) if "${" in text]
    notes += [f"{text}: OpenSSH takes ${{…}} in it for a variable of the environment" for text in texts]
    if re.search(r"%|\$\{", profile.user):
        notes.append(f"user: OpenSSH 10 and later take % in {profile.user!r} for a token")


def _forwards(profile: Profile) -> list[tuple[str, str, str]]:
    """Keyword, listening end and target. Here a listener says `localhost`, whatever GatewayPorts says elsewhere."""
    local = [("LocalForward", forward, "localhost") for forward in profile.local]
    remote = [("RemoteForward", forward, "") for forward in profile.remote]
    return [(keyword, _listen(one.listen, here=here), _end(one.to)) for keyword, one, here in (*local, *remote)]


def _listen(end: Endpoint, *, here: str) -> str:
    return _end(Tcp(end.host or here, end.port)) if isinstance(end, Tcp) else _end(end)


def _end(end: Endpoint) -> str:
    if isinstance(end, Tcp):
        return f"{bracket(end.host)}:{end.port}" if end.host else str(end.port)
    return re.sub(r"([\\:])", r"\\\1", _literal(end.path))


def _literal(text: str) -> str:
    return text.replace("%", "%%")


def _quote(text: str) -> str:
    """A word as it is, or in double quotes."""
    if re.fullmatch(r"[A-Za-z0-9_./:@%+~*\[\]-]*", text):
        return text
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
