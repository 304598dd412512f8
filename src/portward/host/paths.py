"""Where everything lies in the state directory.

state = State(Path(".portward"))
state.admin_socket                    # Path('/home/ann/.portward/run/admin.sock')
"""

import os
from base64 import b32encode
from dataclasses import dataclass
from pathlib import Path

from portward.errors import Environment
from portward.host.files import private_directory

_SOCKET_PATH_BYTES = 107
"""Linux: `sun_path` has room for this many bytes and a NUL (unix(7))."""
_LONGEST_SOCKET = "/run/master.sock.4194304.tmp"
"""HAProxy binds a Unix socket as `NAME.PID.tmp` first and renames it then."""


@dataclass(frozen=True, slots=True)
class State:
    """The paths of one state directory; `directory` is made absolute.

    Raises `Environment` when it is too long to hold Unix sockets.
    """

    directory: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "directory", Path(self.directory).absolute())
        room = _SOCKET_PATH_BYTES - len(_LONGEST_SOCKET)
        if len(os.fsencode(self.directory)) > room:
            raise Environment(
                f"the state directory's path is longer than {room} bytes, so Unix sockets have no room in it: "
                f"{self.directory}",
                way_out="choose a shorter one with --state, or with PORTWARD_STATE",
            )

    def prepare(self) -> None:
        """Make the directories that are missing, each readable by its owner alone."""
        for path in (self.directory, self.authority, self.certificates, self.log, self.run, self.edge):
            private_directory(path)

    def sockets(self) -> tuple[Path, ...]:
        """Every Unix socket that some program of Portward makes."""
        return (
            self.admin_socket,
            self.portal_socket,
            self.demo_socket,
            self.edge_socket,
            self.master_socket,
            self.access_socket,
            self.events_socket,
            self.notify_socket,
            self.shelf_socket,
            self.tunnels_socket,
            *self.services.glob("*.sock"),
            self.alpn_socket,
            self.hop_socket,
            self.peers_socket,
        )

    def pid_file(self, program: str) -> Path:
        """Where the supervisor notes the process of one of its programs."""
        return self.run / f"{program}.pid"

    @property
    def database(self) -> Path:
        return self.directory / "portward.db"

    @property
    def last_good(self) -> Path:
        """A copy of the last portward.toml that was in force."""
        return self.directory / "last-good.toml"

    @property
    def secret(self) -> Path:
        """32 random bytes that seal secrets in the database."""
        return self.directory / "secret.key"

    @property
    def authority(self) -> Path:
        return self.directory / "authority"

    @property
    def devices(self) -> Path:
        """The authority for devices; made when a first one needs it."""
        return self.directory / "devices"

    @property
    def certificates(self) -> Path:
        return self.directory / "certificates"

    @property
    def log(self) -> Path:
        return self.directory / "log"

    @property
    def access_log(self) -> Path:
        return self.log / "access.log"

    @property
    def run(self) -> Path:
        return self.directory / "run"

    @property
    def lock(self) -> Path:
        """Held with flock by the supervisor; holds its pid."""
        return self.run / "lock"

    @property
    def admin_socket(self) -> Path:
        return self.run / "admin.sock"

    @property
    def portal_socket(self) -> Path:
        return self.run / "portal.sock"

    @property
    def demo_socket(self) -> Path:
        return self.run / "demo.sock"

    @property
    def edge_socket(self) -> Path:
        """HAProxy's runtime API."""
        return self.run / "edge.sock"

    @property
    def master_socket(self) -> Path:
        """The CLI of HAProxy's master process."""
        return self.run / "master.sock"

    @property
    def access_socket(self) -> Path:
        """The recorder listens; HAProxy's access ring connects."""
        return self.run / "access.sock"

    @property
    def events_socket(self) -> Path:
        """The keeper listens; HAProxy's ring of refusals connects."""
        return self.run / "events.sock"

    @property
    def notify_socket(self) -> Path:
        """The supervisor listens; the keeper reports (sd_notify(3))."""
        return self.run / "notify.sock"

    @property
    def shelf_socket(self) -> Path:
        """The supervisor keeps what programs leave there for their next life (`store` in host/notify.py)."""
        return self.run / "shelf.sock"

    @property
    def tunnel_rules(self) -> Path:
        """The keeper writes what the program `tunnels` may let in (see tunnels/rules.py)."""
        return self.run / "tunnels.json"

    @property
    def tunnels_socket(self) -> Path:
        """The program `tunnels` answers the keeper (see tunnels/control.py)."""
        return self.run / "tunnels.sock"

    @property
    def services(self) -> Path:
        """The sockets of services that come in by tunnels; the program `tunnels` makes the directory."""
        return self.run / "tunnels"

    def service_socket(self, name: str) -> Path:
        """Where the program `tunnels` takes the connections for one service. A hash where the name has no room."""
        path = self.services / f"{name}.sock"
        if len(os.fsencode(path)) <= _SOCKET_PATH_BYTES:
            return path
        from hashlib import sha256  # brings OpenSSL along: 4 MB for each of the small programs, which never come here

        return self.services / f"{b32encode(sha256(name.encode()).digest())[:10].decode().lower()}.sock"

    @property
    def tunnels(self) -> Path:
        """Host keys of the SSH server, and which key owns which name."""
        return self.directory / "tunnels"

    @property
    def alpn_socket(self) -> Path:
        """Who answers tls-alpn-01 listens, while such a challenge is open; HAProxy connects."""
        return self.run / "alpn.sock"

    @property
    def hop_socket(self) -> Path:
        """HAProxy listens behind itself, where connections are looked at before TLS."""
        return self.run / "hop.sock"

    @property
    def peers_socket(self) -> Path:
        """Where a worker of HAProxy that goes tells the one that comes what it has counted."""
        return self.run / "peers.sock"

    @property
    def acme(self) -> Path:
        """What an ACME authority must not be asked for twice: account keys, certificate keys, orders."""
        return self.directory / "acme"

    @property
    def geo(self) -> Path:
        """Data about countries and networks that `portward geo update` brought, and what was compiled from them."""
        return self.directory / "geo"

    @property
    def edge(self) -> Path:
        """haproxy.cfg and all that it names: maps, crt-list, pages."""
        return self.directory / "edge"

    @property
    def lists(self) -> Path:
        """Block lists that somebody else keeps, as they were taken last (see defense/lists)."""
        return self.directory / "lists"

    @property
    def listed(self) -> Path:
        """All of those in force together, in order: lines of `NETWORK LIST`. One of HAProxy's maps."""
        return self.edge / "listed.map"

    @property
    def banned(self) -> Path:
        """All bans: lines of `SOURCE UNTIL|REASON`. One of HAProxy's maps; what starts anew reads it."""
        return self.edge / "bans.map"

    @property
    def haproxy_cfg(self) -> Path:
        return self.edge / "haproxy.cfg"

    @property
    def recorder_settings(self) -> Path:
        """What the keeper tells the recorder (see watch/retention.py)."""
        return self.edge / "recorder.json"
