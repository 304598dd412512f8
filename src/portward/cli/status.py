"""What runs: `portward status`."""

from collections.abc import Mapping
from typing import Any

import typer

from portward.cli.options import STATE, AsJson, StateDirectory
from portward.cli.output import fields, print_json, spell, table

app = typer.Typer()


@app.command()
def status(state: StateDirectory = STATE, json: AsJson = False) -> None:
    """Show what runs, since when, and what is wrong."""
    from portward.cli.client import keeper

    with keeper(state) as running:
        report = running.get("/status")
    if json:
        print_json(report)
    else:
        _print(report)


def _print(report: Mapping[str, Any]) -> None:
    edge, configuration = report.get("edge", {}), report.get("configuration", {})
    applied, rejected = configuration.get("applied") or {}, configuration.get("rejected")
    engine = edge.get("engine", "HAProxy")
    said = {
        "Portward": report.get("version"),
        "edge": f"{engine} serves" if edge.get("running") else f"{engine} does not run",
        "SSH server": _tunnels(report.get("tunnels", {})),
        "portal": report.get("portal"),
        "configuration": configuration.get("file"),
        "in force": f"since {spell(applied.get('at'))}: {applied.get('summary')}" if applied else "",
        "state": report.get("state"),
        "services": report.get("services"),
        "accounts": report.get("accounts"),
        "sessions": report.get("sessions"),
        "bans": _bans(report.get("defence", {})),
        "devices": report.get("devices"),
        "lost log lines": report.get("dropped_log_lines"),
    }
    fields(said, {heading: heading for heading in said})
    for feature, reason in edge.get("off", {}).items():
        print(f"off: {feature} ({reason})")
    for line in _without_kernel(report.get("defence", {})):
        print(line)
    if rejected:
        print(f"\nNOT APPLIED at {spell(rejected.get('at'))}; what was in force goes on:")
        for line in str(rejected.get("reason", "")).splitlines():
            print(f"  {spell(line)}")
    print()
    columns = {"certificate": "host", "from": "source", "issuer": "issuer", "expires": "expires"}
    table(report.get("certificates", []), columns, empty="no certificates")
    for file in report.get("certificate_files", []):
        if file["problem"]:
            print(f"\nNOT USED: {file['file']}: {file['problem']}; what it held before goes on")
        for remark in file["remarks"]:
            print(f"{file['file']}: {remark}")


def _bans(said: Mapping[str, Any]) -> str:
    """How many hold, and where."""
    if "bans" not in said:
        return ""
    kernel = said.get("kernel", {})
    if kernel.get("on"):
        return f"{said['bans']} hold, in the kernel and at the edge"
    return f"{said['bans']} hold, at the edge alone"


def _without_kernel(said: Mapping[str, Any]) -> list[str]:
    """What the kernel does not hold, why, and what to do about it; a reason for both is told once."""
    lines: list[str] = []
    told = ""
    for name, what in (("kernel", "bans"), ("walls", "countries and block lists")):
        part = said.get(name, {})
        if part.get("why") and part["why"] != told:
            told = part["why"]
            lines.append(f"off: {what} in the kernel ({spell(told)})")
            lines += [f"  → {spell(part['way_out'])}"] if part.get("way_out") else []
    return lines


def _tunnels(said: Mapping[str, Any]) -> str:
    """Empty, and so left out, where no tunnel is asked for."""
    if not said.get("wanted"):
        return ""
    where = ", ".join(said.get("listen", []))
    live = f"{said.get('live', 0)} tunnels stand, {said.get('made', 0)} services were made on the spot"
    return f"listens at {where}; {live}" if said.get("running") else f"does not answer; it should listen at {where}"
