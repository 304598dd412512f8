"""Mail: test."""

from typing import Annotated

import typer

from portward.cli.options import STATE, AsJson, StateDirectory
from portward.cli.output import print_json

app = typer.Typer(help="Mail that the gateway sends.", no_args_is_help=True)


@app.callback()
def mail() -> None:
    """Keeps `test` a verb of its own, as long as it is the only one."""


@app.command("test")
def try_out(
    address: Annotated[str, typer.Argument(help="Where the mail goes.")],
    state: StateDirectory = STATE,
    json: AsJson = False,
) -> None:
    """Send a mail by the server that [mail] names, as the running gateway would.

    portward mail test ann@example.com
    """
    from portward.cli.client import keeper

    with keeper(state) as running:
        answer = running.post("/mail/test", {"to": address})
    if json:
        print_json(answer)
    else:
        print(f"the mail server took a mail for {answer['sent']}; look whether it arrives, spam folder included")
