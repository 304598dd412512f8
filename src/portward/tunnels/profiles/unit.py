"""A tunnel as a systemd user unit that runs OpenSSH, restarted whenever it ends.

    write(profile).text          # '[Unit]\\nDescription=Tunnel "database"\\n…'

Words are quoted as systemd.syntax(7) wants it: `%` and `$` doubled, `\\` before `"` and `\\`.
"""

from portward.tunnels.profiles.exchange import Exported
from portward.tunnels.profiles.openssh import alias_of, arguments
from portward.tunnels.profiles.profile import Profile

_UNIT = """\
# ~/.config/systemd/user/portward-tunnel-{alias}.service
# systemctl --user enable --now portward-tunnel-{alias}
# Without a login, too: loginctl enable-linger
[Unit]
Description=Tunnel "{name}" over SSH
After=network-online.target
# Never give up: the network comes back some time.
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/bin/ssh {words}
Restart=always
RestartSec=5
NoNewPrivileges=yes
PrivateTmp=yes

[Install]
WantedBy=default.target
"""


def write(profile: Profile) -> Exported:
    """A whole unit file. It asks nobody: the key needs no passphrase, or lies in an agent."""
    notes: list[str] = []
    words = ["-o", "BatchMode=yes", *arguments(profile, notes)]
    text = _UNIT.format(
        alias=alias_of(profile.name), name=profile.name.replace("%", "%%"), words=" ".join(map(quote, words))
    )
    if not profile.start_at_login:
        notes.append("start-at-login is off: start the unit by hand, and do not enable it")
    return Exported(text, tuple(notes))


def quote(word: str) -> str:
    """One argument of ExecStart=."""
    escaped = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return f'"{escaped}"'
