"""docs/configuration.md says what the settings are: every key, every default, an example that can be read."""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from portward.config.reading import parse
from portward.config.schema import json_schema
from portward.config.spelling import Misspelt, parse_duration

TEXT = (Path(__file__).parents[3] / "docs" / "configuration.md").read_text()
SCHEMA = json_schema()
SECTION = re.compile(r"^## (?:`\[+([\w.-]+)\]+`|Top level).*?\n(.*?)(?=^## )", re.MULTILINE | re.DOTALL)
ROW = re.compile(r"^\| `([\w-]+)` \| ([^|]*) \| [^|]* \|$", re.MULTILINE)


def table_of(name: str) -> dict[str, Any]:
    """The schema of the table that a heading names."""
    names = {
        "": "Settings",
        "tls.authorities": "AcmeAuthority",
        "tls.dns": "DnsChallenge",
        "services.NAME": "ServiceSettings",
        "services.NAME.routes": "RouteSettings",
        "services.NAME.limits": "ServiceLimits",
        "tunnels.authorities": "TunnelAuthority",
        "defence.countries": "Countries",
        "defence.detectors": "Detectors",
        "defence.detectors.NAME": "DetectorSettings",
        "defence.logs": "LogSettings",
        "defence.patterns.NAME": "Pattern",
        "defence.patterns.NAME.json": "JsonLine",
        "defence.lists": "BlockList",
    }
    if name == "":
        return SCHEMA
    kind = names.get(name) or SCHEMA["properties"][name]["$ref"].rpartition("/")[2]
    return dict(SCHEMA["$defs"][kind])


def documented() -> Iterator[tuple[str, str, str]]:
    """Table, key and the cell with the default."""
    for heading in SECTION.finditer(TEXT):
        for row in ROW.finditer(heading[2]):
            yield heading[1] or "", row[1], row[2]


def spelt(value: Any) -> Any:
    """Durations are the same however they are spelt."""
    with suppress(Misspelt):
        return parse_duration(value)
    return value


@pytest.mark.parametrize(("table", "key", "cell"), list(documented()))
def test_a_documented_default_is_the_real_one(table: str, key: str, cell: str) -> None:
    default = table_of(table)["properties"][key].get("default")
    try:
        said = json.loads(cell.strip("`"))
    except ValueError:  # words: must be given, or found elsewhere
        said = None
    if (table, key) != ("", "services"):
        assert spelt(said) == spelt(default)


@pytest.mark.parametrize("table", ["", *SCHEMA["$defs"]])
def test_every_key_stands_in_the_table_of_its_section(table: str) -> None:
    kind = SCHEMA if table == "" else SCHEMA["$defs"][table]
    wanted = set(kind["properties"])
    rows = [{key for name, key, _ in documented() if name == section} for section in {row[0] for row in documented()}]
    sections = set(re.findall(r"`([\w-]+)`", TEXT.partition("## Top level")[2].partition("\n## ")[0]))
    assert any(wanted <= (keys | sections if table == "" else keys) for keys in rows)


def test_the_example_can_be_read() -> None:
    example = re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert example
    settings = parse(example[1], Path("portward.toml"), {})
    assert [settings.url(route.host, route.path) for route in settings.routes] == [
        "https://wiki.example.com/",
        "https://office.example.com/",
        "https://office.example.com/app1/",
        "https://office.example.com/hooks/",
    ]
