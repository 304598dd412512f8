"""All verbs, put together; and the place where an error becomes a sentence and an exit code.

CliRunner().invoke(app, ["check", "portward.toml"]).exit_code     # 2 for a file with mistakes
"""

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from portward.cli import (
    accounts,
    allow,
    authority,
    bans,
    certificates,
    connect,
    defence,
    devices,
    events,
    gateway,
    geo,
    groups,
    keys,
    mail,
    pattern_trial,
    rescue,
    server,
    services,
    sessions,
    status,
    tunnel,
)
from portward.errors import ConfigError, PortwardError


class Verbs(TyperGroup):
    """Prints what Portward itself refuses as its own sentence, without a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except PortwardError as error:
            # Mistakes begin with their file, as editors want them; everything else says who is speaking.
            prefix = "" if isinstance(error, ConfigError) else "portward: "
            print(f"{prefix}{error}", file=sys.stderr)
            raise typer.Exit(error.exit_code) from None


app = typer.Typer(
    name="portward",
    cls=Verbs,
    help="A self-hosted secure entrypoint: a private service on the internet, over HTTPS, behind a login.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for verbs in (gateway, status, services, events, rescue, server):
    app.registered_commands += verbs.app.registered_commands
app.add_typer(accounts.app, name="account")
app.add_typer(groups.app, name="group")
app.add_typer(sessions.app, name="session")
app.add_typer(authority.app, name="ca")
app.add_typer(keys.app, name="key")
app.add_typer(allow.app, name="allow")
app.add_typer(bans.app, name="ban")
defence.app.registered_commands += pattern_trial.app.registered_commands
app.add_typer(defence.app, name="defence")
app.add_typer(devices.app, name="device")
app.add_typer(mail.app, name="mail")
app.add_typer(tunnel.app, name="tunnel")
app.add_typer(certificates.app, name="certificate")
app.add_typer(connect.app, name="connect")
app.add_typer(geo.app, name="geo")
