"""`defence.allow` edited: the text of portward.toml in, the changed text out, every comment kept.

    text = allow(text, "198.51.100.7", comment="the office")
    text = disallow(text, "198.51.100.7")

As in editing.py, nothing is read or written here, and the result is for `reading.parse` to accept.
"""

import re
import tomllib
from ipaddress import IPv4Network, IPv6Network

import tomlkit
from tomlkit.items import Array, InlineTable

from portward.config.lines import statements
from portward.config.spelling import Misspelt, parse_network
from portward.errors import Conflict, Invalid, NotFound


def allow(text: str, network: str, comment: str = "") -> str:
    """The text with a network more. Raises Conflict where it stands there, Invalid for what is no network."""
    wanted = _network(network)
    if wanted in allowed_in(text):
        raise Conflict(f"{wanted} is allowed already", way_out="`portward allow list` shows what is")
    spelt, comment = _spell(wanted), re.sub(r"\s+", " ", comment).strip()
    document = tomlkit.parse(text)
    table = document.get("defence")
    if table is not None and "allow" in table:
        _append(table["allow"], spelt, comment)
        return tomlkit.dumps(document)
    if isinstance(table, InlineTable):
        table["allow"] = [spelt]
        return tomlkit.dumps(document)
    return _insert(text, spelt, comment)


def disallow(text: str, network: str) -> str:
    """The text without a network, and without the comment on its line. Raises NotFound, Invalid."""
    wanted = _network(network)
    if wanted not in allowed_in(text):
        raise NotFound("allowed network", _spell(wanted), way_out="`portward allow list` shows what is allowed")
    document = tomlkit.parse(text)
    array = document["defence"]["allow"]
    for number in reversed([at for at, value in enumerate(array) if _is(value, wanted)]):
        del array[number]
    return tomlkit.dumps(document)


def allowed_in(text: str) -> list[IPv4Network | IPv6Network]:
    """The networks that stand in `defence.allow` of a text that is valid TOML; others' mistakes are left out."""
    table = tomllib.loads(text).get("defence", {})
    values = table.get("allow", []) if isinstance(table, dict) else []
    found = []
    for value in values if isinstance(values, list) else []:
        try:
            found.append(parse_network(value))
        except Misspelt:
            continue
    return found


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return parse_network(text)
    except Misspelt as error:
        raise Invalid(f"{text!r} {error.problem}; expected {error.expected}", way_out=error.way_out) from None


def _spell(network: IPv4Network | IPv6Network) -> str:
    return str(network.network_address if network.num_addresses == 1 else network)


def _is(value: object, wanted: IPv4Network | IPv6Network) -> bool:
    try:
        return parse_network(value) == wanted
    except Misspelt:
        return False


def _append(array: Array, network: str, comment: str) -> None:
    """On a line of its own where the list has lines, or where there is a comment to keep."""
    if comment or "\n" in array.as_string():
        if "\n" not in array.as_string():
            array.multiline(multiline=True)
        array.add_line(network, comment=comment or None, indent="  ")
    else:
        array.append(network)


def _insert(text: str, network: str, comment: str) -> str:
    """Below the header of [defence] where there is one; a table of its own at the end where there is none."""
    row = f'allow = ["{network}"]{f"  # {comment}" if comment else ""}'
    header = next((one for one in statements(text) if one.header and one.path == ("defence",)), None)
    if header is not None:
        rows = text.split("\n")
        return "\n".join([*rows[: header.last], row, *rows[header.last :]])
    body = text.rstrip("\n")
    if any(one.path[:1] == ("defence",) and not one.header for one in statements(text)):
        return f"defence.{row}\n{text}"
    return f"{body}\n\n[defence]\n{row}\n" if body else f"[defence]\n{row}\n"
