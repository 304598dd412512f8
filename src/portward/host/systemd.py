"""The systemd unit of a server, and the small files beside it, as text: nothing here touches the machine.

    unit(Path("/opt/portward/.venv"))         # '[Unit]\\nDescription=Portward, …'

`portward install` writes them (see installation.py). What the sandbox leaves open is named with its reason.
"""

from pathlib import Path

USER = "portward"
CONFIG = Path("/etc/portward/portward.toml")
STATE = Path("/var/lib/portward")

_UNIT = """\
# Written by `portward install`; `systemctl edit portward` changes it in a way that lasts.
[Unit]
Description=Portward, a secure entrypoint to private services
Wants=network-online.target
After=network-online.target nss-lookup.target
# Never give up: a gate that stays shut locks its owner out.
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart={program} up --config {config} --state {state}
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=1
# The supervisor stops its programs in order; whatever is left after that is killed.
KillMode=mixed
TimeoutStopSec=20
# One program that runs out of memory is restarted on its own; the others go on.
OOMPolicy=continue
LimitNOFILE=524288

# A static user, since the state outlives every run. Its rights: to bind low ports (443, 80, and 22 for tunnels); and to
# keep banned sources out in the kernel, in a table of its own, which the supervisor passes on to the keeper alone.
User={user}
Group={user}
AmbientCapabilities=CAP_NET_BIND_SERVICE CAP_NET_ADMIN
CapabilityBoundingSet=CAP_NET_BIND_SERVICE CAP_NET_ADMIN
NoNewPrivileges=yes
UMask=0077
StateDirectory=portward
StateDirectoryMode=0700
ConfigurationDirectory=portward

# Of the file system, only the state can be written; of devices and processes, only our own are seen.
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
ProtectProc=invisible
RemoveIPC=yes
PrivateIPC=yes
KeyringMode=private

ProtectKernelTunables=yes
ProtectKernelModules=yes
ProtectKernelLogs=yes
ProtectControlGroups=yes
ProtectClock=yes
ProtectHostname=yes
LockPersonality=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
# Netlink is how nft speaks with the kernel.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

# Left open, on purpose:
# MemoryDenyWriteExecute= - HAProxy compiles regular expressions to machine code (PCRE2 JIT) and refuses to start when
#   it can't: "regex jit compilation failed".
# ProcSubset=pid - the supervisor reads /proc/sys/kernel/random/boot_id, so that after a crash it stops its own
#   leftover processes and no others.
# PrivateUsers=, PrivateNetwork=, IPAddressDeny= - a gate binds low ports, and talks to visitors and upstreams.

[Install]
WantedBy=multi-user.target
"""

_SYSUSERS = """\
# Written by `portward install` (see sysusers.d(5)).
u {user} - "Portward" {state} /usr/sbin/nologin
# What the machine tells of its own logins is read there.
m {user} systemd-journal
m {user} adm
"""

_COMMAND = """\
#!/bin/sh
# Written by `portward install`: the portward command for this server's own gate.
: "${{PORTWARD_CONFIG:={config}}}" "${{PORTWARD_STATE:={state}}}"
export PORTWARD_CONFIG PORTWARD_STATE
exec {program} "$@"
"""


def unit(prefix: Path) -> str:
    """portward.service for the virtual environment in `prefix`."""
    return _UNIT.format(program=prefix / "bin" / "portward", config=CONFIG, state=STATE, user=USER)


def sysusers() -> str:
    """The system user, in the words of sysusers.d(5)."""
    return _SYSUSERS.format(user=USER, state=STATE)


def command(prefix: Path) -> str:
    """A `portward` command for the operator that knows where the server's configuration and state are."""
    return _COMMAND.format(program=prefix / "bin" / "portward", config=CONFIG, state=STATE)
