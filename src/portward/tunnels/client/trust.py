"""Whether the server at the other end is the one that is meant.

    judge(known, key)                       # 'trusted', 'unknown', 'changed' or 'revoked'
    raise refusal("changed", host, port, key, hosts)

An unknown key is shown to the user, who compares it and says yes; a changed one is refused, whoever says what.
"""

from typing import Literal

import asyncssh

from portward.errors import NotTrusted
from portward.tunnels.client.knownhosts import Known, KnownHosts, spell_host

Verdict = Literal["trusted", "unknown", "changed", "revoked"]

_ALGORITHMS = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
_RSA = ("rsa-sha2-512", "rsa-sha2-256")
_CERTIFICATES = tuple(f"{name}-cert-v01@openssh.com" for name in (*_ALGORITHMS, *_RSA))


class UnknownHostKey(NotTrusted):
    """A host that nothing is known of; `key` is what it presented."""

    def __init__(self, host: str, port: int, key: asyncssh.SSHKey) -> None:
        self.host, self.port, self.key = host, port, key
        self.fingerprint = key.get_fingerprint()
        super().__init__(
            f"the host key of {spell_host(host, port)} is not known: {self.fingerprint} ({key.get_algorithm()})",
            way_out="compare it with what whoever runs that server tells you (there: ssh-keygen -lf "
            "/etc/ssh/ssh_host_ed25519_key.pub), then answer yes at a terminal, or add "
            f"--accept-host-key {self.fingerprint}",
        )


def judge(known: Known, key: asyncssh.SSHKey) -> Verdict:
    """A key of another kind than the known ones is a change too: that is what an impostor would offer."""
    if key in known.revoked:
        return "revoked"
    if key in known.keys or key in known.others:
        return "trusted"
    return "changed" if known.keys else "unknown"


def algorithms(known: Known) -> tuple[str, ...]:
    """The kinds of host key to ask for, those of the known keys first, so that the server presents one of these.

    Certificates only where an authority is known that could have signed one.
    """
    mine = [name for key in (*known.keys, *known.others) for name in _signatures(key)]
    certificates = _CERTIFICATES if known.authorities else ()
    return tuple(dict.fromkeys((*certificates, *mine, *_ALGORITHMS, *_RSA)))


def refusal(verdict: Verdict, host: str, port: int, key: asyncssh.SSHKey, hosts: KnownHosts) -> NotTrusted:
    """The error for a key that is not trusted."""
    if verdict == "unknown":
        return UnknownHostKey(host, port, key)
    place, fingerprint = spell_host(host, port), key.get_fingerprint()
    if verdict == "revoked":
        return NotTrusted(f"the host key of {place} is revoked: {fingerprint}", way_out="ask whoever runs that server")
    lines = hosts.lines(host, port)
    known = ", ".join(f"{line.fingerprint} ({line.file}, line {line.number})" for line in lines)
    drop = " and ".join(dict.fromkeys(f"ssh-keygen -R '{place}' -f {line.file}" for line in lines))
    return NotTrusted(
        f"the host key of {place} has changed: it presents {fingerprint}, known is {known}. "
        "Somebody may be listening in between, so nothing was sent",
        way_out="ask whoever runs that server. Only when it really has a new key, forget the old one "
        f"with {drop}, and bring the tunnel up again",
    )


def _signatures(key: asyncssh.SSHKey) -> tuple[str, ...]:
    name = key.get_algorithm()
    return _RSA if name == "ssh-rsa" else (name,)
