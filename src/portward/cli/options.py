"""Options that many verbs share.

def status(state: StateDirectory = STATE, json: AsJson = False) -> None: ...
"""

from pathlib import Path
from typing import Annotated

import typer

CONFIG = Path("portward.toml")
STATE = Path(".portward")

ConfigFile = Annotated[
    Path, typer.Option("--config", envvar="PORTWARD_CONFIG", metavar="FILE", help="The configuration file.")
]
StateDirectory = Annotated[
    Path, typer.Option("--state", envvar="PORTWARD_STATE", metavar="DIR", help="The state directory.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
