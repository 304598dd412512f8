"""The command line: `portward VERB`. docs/cli.md lists the verbs and the exit codes.

Start-up is quick because each verb imports what it needs when it runs.
"""


def main() -> None:
    """The entry point of the `portward` program."""
    from portward.cli.app import app

    app()
