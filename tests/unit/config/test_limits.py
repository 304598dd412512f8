"""Limits and address lists: how they are spelt, and what contradicts itself."""

import pytest
from tests.unit.config.test_checks import keys

from portward.config.limits import Limits, ServiceLimits
from portward.config.settings import Settings
from portward.config.spelling import Misspelt, parse_size, spell_size

WEB, TCP = (
    '[services.a]\nupstream = "demo"\n',
    '[services.a]\nkind = "tcp"\ntunnel = true\nlisten = 5432\nallow = ["::/0"]\n',
)


@pytest.mark.parametrize(
    ("text", "size"), [("1B", 1), ("512B", 512), ("64KB", 65536), ("20MB", 20 * 1024**2), ("2GB", 2 * 1024**3)]
)
def test_a_size_is_read_and_written_alike(text: str, size: int) -> None:
    assert parse_size(text) == size
    assert spell_size(size) == text


@pytest.mark.parametrize("wrong", ["", "1", "0B", "1kb", "1.5MB", "1 MB", "-1B", "1TB", 1024, True])
def test_a_size_without_a_unit_is_a_mistake(wrong: object) -> None:
    with pytest.raises(Misspelt, match="not a size"):
        parse_size(wrong)


def test_nothing_new_is_limited_by_itself() -> None:
    assert (Limits().burst, Limits().session_burst, Limits().session_connections, Limits().body) == (None,) * 4
    assert Limits().session_new_connections is None
    assert ServiceLimits() == Settings.model_validate({"services": {"a": {"upstream": "demo"}}}).services["a"].limits


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[limits]\nrequests = 10\nburst = 10", "limits.burst"),
        ("[limits]\nsession-burst = 5000", "limits.session-burst"),
        (f"{WEB}limits = {{ requests = 5, burst = 6 }}", "services.a.limits.burst"),
        ("[limits]\nsession-new-connections = 2000", "limits.session-new-connections"),
        (f"{WEB}limits = {{ requests = 5, new-connections = 5 }}", "services.a.limits.new-connections"),
        (f"{TCP}limits = {{ requests = 5 }}", "services.a.limits.requests"),
        (f"{TCP}limits = {{ body = '1MB' }}", "services.a.limits.body"),
        (f"{TCP}allow-from = ['10.0.0.0/8']", "services.a.allow-from"),
        (f"{WEB}allow-from = ['lab']", "services.a.allow-from[0]"),
    ],
)
def test_what_never_counts_or_means_nothing_is_found(text: str, key: str) -> None:
    assert keys(text) == [key]


def test_what_means_something_is_fine() -> None:
    assert keys("[limits]\nburst = 100\nsession-burst = 100\nsession-new-connections = 50\nbody = '1GB'") == []
    assert (
        keys(f"{WEB}limits = {{ requests = 50, burst = 5, connections = 3, new-connections = 9, body = '1MB' }}") == []
    )
    assert keys(f"{TCP}deny-from = ['10.0.0.0/8']\nlimits = {{ connections = 5, new-connections = 50 }}") == []


def test_there_are_as_many_different_lists_as_a_number_has_bits() -> None:
    text = "".join(f'[services.s{n}]\nupstream = "demo"\nallow-from = ["10.0.0.{n}"]\n' for n in range(63))
    assert keys(text) == ["services.s62"]


def test_a_host_has_as_many_limits_of_new_connections_as_a_number_has_bits() -> None:
    def services(host: str, count: int) -> str:
        return "".join(
            f'[services.{host}{n}]\nupstream = "demo"\nhost = "{host}.localhost"\npath = "/{n}/"\n'
            "limits = { new-connections = 9 }\n"
            for n in range(count)
        )

    assert keys(services("a", 63)) == ["services.a62.limits.new-connections"]
    assert keys(services("a", 62) + services("b", 62)) == []
