"""Reading portward.toml: every mistake with its file, line, key, expectation and way out."""

from pathlib import Path

import pytest

from portward.config.reading import DEFAULT_FILE, parse, read
from portward.config.settings import Settings
from portward.errors import ConfigError, Mistake

FILE = Path("/etc/portward/portward.toml")


def understood(text: str, environ: dict[str, str] | None = None) -> Settings:
    return parse(text, FILE, environ or {})


def mistakes(text: str, environ: dict[str, str] | None = None) -> tuple[Mistake, ...]:
    with pytest.raises(ConfigError) as caught:
        understood(text, environ)
    return caught.value.mistakes


def only_mistake(text: str, environ: dict[str, str] | None = None) -> Mistake:
    (mistake,) = mistakes(text, environ)
    return mistake


def test_an_empty_file_is_fine() -> None:
    assert understood("").domain == "portward.localhost"


def test_a_missing_default_file_means_the_starter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = read(DEFAULT_FILE, {})
    assert [settings.url(route.host) for route in settings.routes] == ["https://hello.portward.localhost:8443"]


def test_a_missing_file_that_was_named_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such file"):
        read(tmp_path / "portward.toml", {})


def test_a_directory_instead_of_a_file_is_a_mistake(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        read(tmp_path, {})


def test_bytes_that_are_no_utf_8_are_a_mistake_on_their_line(tmp_path: Path) -> None:
    file = tmp_path / "portward.toml"
    file.write_bytes(b"# one\n# \xff\n")
    with pytest.raises(ConfigError) as caught:
        read(file, {})
    assert caught.value.mistakes[0].line == 2


def test_windows_line_ends_are_read(tmp_path: Path) -> None:
    file = tmp_path / "portward.toml"
    file.write_bytes(b'domain = "example.com"\r\n[listen]\r\nhttp = [":80"]\r\n')
    assert read(file, {}).listen.http[0].port == 80


@pytest.mark.parametrize(("text", "line"), [("a = ", 1), ('x = 1\ny = "\n', 2), ("a = 1\n\na = 2", 3), ("[a", 1)])
def test_broken_toml_names_its_line(text: str, line: int) -> None:
    assert only_mistake(text).line == line


def test_an_unknown_key_names_the_nearest_known_one() -> None:
    mistake = only_mistake('[services.a]\nupstream = "demo"\nsecond_factor = true')
    assert (mistake.line, mistake.key) == (3, "services.a.second_factor")
    assert mistake.way_out == "did you mean `second-factor`?"


def test_an_unknown_key_like_no_other_lists_those_that_exist() -> None:
    mistake = only_mistake("[log]\nzzz = 1")
    assert mistake.expected == "one of keep, rotate"


def test_a_missing_upstream_is_placed_at_its_service() -> None:
    mistake = only_mistake("\n[services.a]\naccess = 'members'")
    assert (mistake.line, mistake.key, mistake.problem) == (2, "services.a.upstream", "is missing")


def test_a_bad_service_name_is_shown_as_the_file_spells_it() -> None:
    assert only_mistake('[services."My app"]\nupstream = "demo"').key == 'services."My app"'


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ('[listen]\nhttp = ":80"', "listen.http", "a list"),
        ("[listen]\nhttps = []", "listen.https", "at least 1"),
        ("[listen]\npublic-port = 70000", "listen.public-port", "at most 65535"),
        ("[limits]\nrequests = 0", "limits.requests", "at least 1"),
        ('[limits]\nrequests = "5"', "limits.requests", "a whole number"),
        ("listen = 5", "listen", "a table"),
        ("services = 5", "services", "a table"),
        ("[services]\na = 5", "services.a", "a table"),
        ('[tls]\nminimum = "1.1"', "tls.minimum", "'1.2' or '1.3'"),
        ('[services.a]\nupstream = "demo"\ncompress = "yes"', "services.a.compress", "true or false"),
        ('[timeouts]\nserver = "30d"', "timeouts.server", "at most 24d"),
        ('[sessions]\nidle = "0s"', "sessions.idle", "at least 1s"),
    ],
)
def test_a_value_of_the_wrong_kind_says_what_was_expected(text: str, key: str, expected: str) -> None:
    mistake = only_mistake(text)
    assert (mistake.key, mistake.expected) == (key, expected)
    assert mistake.line > 0
    assert mistake.way_out


def test_every_mistake_is_found_in_one_run() -> None:
    found = mistakes(
        """
        domian = "example.com"
        [timeouts]
        server = "5x"
        [services.a]
        upstream = "ftp://x"
        [services.auth]
        upstream = "demo"
        [services.b]
        host = "c.portward.localhost"
        upstream = "demo"
        [services.c]
        upstream = "demo"
        """
    )
    assert [mistake.key for mistake in found] == [
        "domian",
        "timeouts.server",
        "services.a.upstream",
        "services.auth",
        "services.c",
    ]


def test_a_mistake_prints_its_place_and_a_way_out() -> None:
    text = str(only_mistake('[proxies]\nforwarded-for = ["10.0.0.1/8"]'))
    assert text.startswith("/etc/portward/portward.toml:2: proxies.forwarded-for[0]:")
    assert "→ write 10.0.0.0/8" in text


def test_variables_stand_above_the_file() -> None:
    environ = {"PORTWARD_DOMAIN": "example.com", "PORTWARD_HTTPS": "443", "PORTWARD_HTTP": "127.0.0.1:80, [::1]:80"}
    settings = understood('domain = "a.b"\n[listen]\nhttps = [":1"]\npublic-port = 443', environ)
    assert settings.url(settings.portal_host) == "https://auth.example.com"
    assert settings.listen.https[0].text == ":443"
    assert [address.text for address in settings.listen.http] == ["127.0.0.1:80", "[::1]:80"]


def test_an_empty_variable_changes_nothing() -> None:
    assert understood('domain = "a.b"', {"PORTWARD_DOMAIN": ""}).domain == "a.b"


def test_a_mistake_in_a_variable_names_the_variable() -> None:
    mistake = only_mistake('domain = "a.b"', {"PORTWARD_HTTPS": "https"})
    assert (mistake.file, mistake.line, mistake.key) == ("PORTWARD_HTTPS", 0, "listen.https[0]")


def test_a_ca_file_is_found_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("-----BEGIN CERTIFICATE-----\n")
    settings = parse('[services.a]\nupstream = "https://nas"\nverify = "ca.pem"', tmp_path / "portward.toml", {})
    assert settings.routes[0].verify == str(tmp_path / "ca.pem")


@pytest.mark.parametrize(("content", "problem"), [(None, "No such file"), ("no PEM", "holds no certificate")])
def test_a_ca_file_that_is_none_is_a_mistake(tmp_path: Path, content: str | None, problem: str) -> None:
    if content is not None:
        (tmp_path / "ca.pem").write_text(content)
    with pytest.raises(ConfigError, match=problem):
        parse('[services.a]\nupstream = "https://nas"\nverify = "ca.pem"', tmp_path / "portward.toml", {})


def test_an_upstream_at_a_socket_of_the_gateway_is_a_mistake(tmp_path: Path) -> None:
    text = f'[services.a]\nupstream = "unix:{tmp_path}/run/admin.sock"'
    with pytest.raises(ConfigError, match="is this gateway itself"):
        parse(text, FILE, {}, state=tmp_path)


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ('ca-file = "none.pem"', "tls.ca-file"),
        ('authorities = [{ ca-file = "none.pem" }]', "tls.authorities[0].ca-file"),
        ('authorities = [{ eab-kid = "k", eab-hmac-file = "none" }]', "tls.authorities[0].eab-hmac-file"),
        ('challenge = "dns-01"\ndns = { hook = "none" }', "tls.dns.hook"),
        ('challenge = "dns-01"\ndns = { provider = "ovh", credentials-file = "." }', "tls.dns.credentials-file"),
    ],
)
def test_a_file_of_acme_that_is_not_there_is_a_mistake(table: str, key: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f'[tls]\nmode = "acme"\n{table}', tmp_path / "portward.toml", {})
    (mistake,) = caught.value.mistakes
    assert mistake.key == key
    assert mistake.expected
    assert mistake.way_out


def test_a_hook_that_nobody_may_run_is_a_mistake(tmp_path: Path) -> None:
    (tmp_path / "hook").write_text("#!/bin/sh\n")
    text = '[tls]\nmode = "acme"\nchallenge = "dns-01"\ndns = { hook = "hook" }'
    with pytest.raises(ConfigError, match="can't be run"):
        parse(text, tmp_path / "portward.toml", {})
    (tmp_path / "hook").chmod(0o700)
    assert parse(text, tmp_path / "portward.toml", {}).tls.dns
