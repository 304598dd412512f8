"""portward ca: what there is, the root for others, and this user's browsers with the real certutil."""

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from tests.unit.pki.old_layout import make_old_root
from typer.testing import CliRunner, Result

from portward.cli.app import app
from portward.pki.authority import Authority
from portward.pki.minting import fingerprint

NOW = datetime.now(UTC)


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of an authority, in a state directory and a home of its own."""
    home, made = tmp_path / "home", tmp_path / "state" / "authority"
    home.mkdir()
    made.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PORTWARD_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("PORTWARD_CONFIG", str(tmp_path / "portward.toml"))
    service = 'host = "far.example.org"\nupstream = "demo"'
    (tmp_path / "portward.toml").write_text(f'domain = "example.com"\n[services.far]\n{service}')
    return made


@pytest.fixture
def authority(directory: Path) -> Authority:
    made = Authority.open(directory, NOW)
    made.cover(["wiki.example.com"], "example.com", NOW)
    return made


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["ca", *arguments])


def test_show_tells_fingerprint_names_and_that_the_key_may_go(authority: Authority) -> None:
    said = run("show").output
    assert fingerprint(authority.root) in said
    assert "may be taken offline" in said
    report = json.loads(run("show", "--json").output)
    assert report["permitted"] == ["example.com"]
    assert report["root_key"] == str(authority.key_file)
    authority.key_file.unlink()
    assert json.loads(run("show", "--json").output)["root_key"] == "away"


def test_show_says_of_an_old_root_that_its_key_must_stay(directory: Path) -> None:
    make_old_root(directory, NOW)
    assert "its key must stay here" in run("show").output


def test_without_an_authority_the_way_to_one_is_told(directory: Path) -> None:
    result = run("show")
    assert result.exit_code == 4
    assert not (directory / "root.key").exists(), "looking makes none"


@pytest.mark.parametrize("options", [(), ("--der",)])
def test_export_gives_the_root_and_no_key(authority: Authority, tmp_path: Path, options: tuple[str, ...]) -> None:
    file = tmp_path / "root.out"
    assert run("export", "--out", str(file), *options).exit_code == 0
    content = file.read_bytes()
    read = x509.load_der_x509_certificate if options else x509.load_pem_x509_certificate
    assert read(content) == authority.root
    assert b"PRIVATE" not in content


def test_trust_reaches_a_browser_and_untrust_takes_it_back(authority: Authority, tmp_path: Path) -> None:
    database = tmp_path / "home" / ".pki" / "nssdb"
    database.mkdir(parents=True)
    certutil("-N", database, "--empty-password")
    planned = run("trust", "--store", "browser", "--dry-run").output
    assert f"certutil -A -d sql:{database} -n 'Portward local authority" in planned
    assert "Portward" not in certutil("-L", database)
    assert run("trust", "--store", "browser").exit_code == 0
    assert "C,," in certutil("-L", database).partition("Portward local authority")[2]
    assert run("untrust", "--store", "browser").exit_code == 0
    assert "Portward" not in certutil("-L", database)


def test_a_machine_without_any_store_is_told_what_to_do(authority: Authority) -> None:
    result = run("trust", "--store", "browser")
    assert result.exit_code == 7
    assert "start the browser once" in result.output


@pytest.mark.parametrize("system", ["windows", "macos", "ios", "android", "firefox", "linux"])
def test_other_devices_get_instructions(authority: Authority, system: str) -> None:
    said = run("trust", "--for", system).output
    assert "portward ca export" in said
    assert "\n2. " in said


def test_a_downloaded_root_can_be_trusted_where_no_gateway_runs(directory: Path, tmp_path: Path) -> None:
    file = tmp_path / "portward-root.crt"
    (tmp_path / "other").mkdir()
    file.write_bytes(Authority.open(tmp_path / "other", NOW).root_file.read_bytes())
    database = tmp_path / "home" / ".pki" / "nssdb"
    database.mkdir(parents=True)
    certutil("-N", database, "--empty-password")
    assert run("trust", "--store", "browser", "--file", str(file)).exit_code == 0
    assert "Portward local authority" in certutil("-L", database)


def test_renew_widens_to_what_is_published_and_needs_the_key(authority: Authority) -> None:
    assert run("renew").exit_code == 0
    issuer = authority.present()
    assert issuer
    assert issuer.permitted == {"example.com", "far.example.org"}
    authority.key_file.unlink()
    result = run("renew")
    assert result.exit_code == 7
    assert "the root's key is away" in result.output


def certutil(action: str, database: Path, *more: str) -> str:
    command = ["certutil", action, "-d", f"sql:{database}", *more]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
