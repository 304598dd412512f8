"""portward.toml -> Settings, or a ConfigError with every mistake in it.

    settings = read(Path("portward.toml"), os.environ)

PORTWARD_DOMAIN, PORTWARD_HTTPS and PORTWARD_HTTP, where they are set, stand above the file.
"""

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from portward.config.acmefiles import acme_files
from portward.config.addresses import is_own
from portward.config.checkmail import mail_files
from portward.config.checks import Surroundings, check
from portward.config.devices import check_device_files
from portward.config.findings import Finding, findings_of, in_order, spell_key
from portward.config.lines import KeyPath, line_of, lines
from portward.config.networks import NoNetwork, networks_of
from portward.config.publickeys import NoPublicKey, public_keys
from portward.config.settings import Settings
from portward.config.starter import STARTER
from portward.errors import ConfigError, Mistake

DEFAULT_FILE = Path("portward.toml")
DEFAULT_STATE = Path(".portward")

_VARIABLES: dict[str, KeyPath] = {
    "PORTWARD_DOMAIN": ("domain",),
    "PORTWARD_HTTPS": ("listen", "https"),
    "PORTWARD_HTTP": ("listen", "http"),
}


def read(file: Path, environ: Mapping[str, str] = os.environ, *, state: Path = DEFAULT_STATE) -> Settings:
    """The settings of a file; those of the starter file where the default file does not exist.

    Raises ConfigError with every mistake, also for a file that can't be read. `state` is the state directory, whose
    sockets no service may have as its upstream.
    """
    return parse(text_of(file), file, environ, state=state)


def text_of(file: Path) -> str:
    """The text of a configuration file, or the starter's where the default file does not exist."""
    try:
        return file.read_bytes().decode().replace("\r\n", "\n")
    except FileNotFoundError:
        if file == DEFAULT_FILE:
            return STARTER
        way_out = f"`portward up` without --config starts with {DEFAULT_FILE}, and writes it where there is none"
        raise ConfigError((Mistake(str(file), 0, "", "there is no such file", way_out=way_out),)) from None
    except OSError as error:
        problem = f"can't be read: {error.strerror}"
        raise ConfigError((Mistake(str(file), 0, "", problem, "a file that this user may read"),)) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError((Mistake(str(file), line, "", "is not UTF-8", "UTF-8, as TOML wants it"),)) from None


def parse(text: str, file: Path, environ: Mapping[str, str] = os.environ, *, state: Path = DEFAULT_STATE) -> Settings:
    """The settings in a text; `file` is what mistakes name, and what relative paths are relative to."""
    written = _toml(text, file)
    data = _overridden(written, environ)
    directory = file.absolute().parent
    around = Surroundings(is_own=is_own, run=Path(os.path.realpath(state)) / "run")
    try:
        settings = Settings.model_validate(data, context={"directory": directory})
    except ValidationError as error:
        found = [*findings_of(error), *_checked_rest(data, error, directory, around)]
        raise ConfigError(_mistakes(found, text, file, environ)) from None
    found = [
        *check(settings, around),
        *_authorities(settings),
        *_lists(settings),
        *acme_files(settings.tls),
        *_signers(settings),
        *check_device_files(settings),
        *mail_files(settings),
    ]
    if found:
        raise ConfigError(_mistakes(found, text, file, environ))
    return settings


def _toml(text: str, file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        problem, _, place = str(error).partition(" (at ")
        found = re.match(r"line (\d+)", place)
        line = int(found[1]) if found else text.rstrip("\n").count("\n") + 1
        expected = 'TOML, such as `key = "text"` (https://toml.io)'
        raise ConfigError((Mistake(str(file), line, "", f"is no TOML: {problem}", expected),)) from None


def _overridden(data: dict[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    """The data with the variables' values in place; plain ports mean every address."""
    result = dict(data)
    for variable, path in _VARIABLES.items():
        value = environ.get(variable)
        if value and len(path) == 1:
            result[str(path[0])] = value
        elif value and isinstance(result.get("listen", {}), dict):
            addresses = [f":{word}" if word.isdigit() else word for word in re.split(r"[,\s]+", value.strip())]
            result["listen"] = {**result.get("listen", {}), str(path[1]): addresses}
    return result


def _checked_rest(
    data: dict[str, Any], error: ValidationError, directory: Path, around: Surroundings
) -> Iterator[Finding]:
    """What contradicts itself in the part of the data that can be read, so that one run shows every mistake."""
    rest = _readable_part(data, error)
    if rest is not None:
        settings = Settings.model_validate(rest, context={"directory": directory})
        yield from check(settings, around)
        yield from _files(settings)


def _readable_part(data: dict[str, Any], error: ValidationError) -> dict[str, Any] | None:
    """The data without the services and sections that have mistakes; None where the others depend on those."""
    broken = [details["loc"] for details in error.errors(include_url=False)]
    if any(path[0] in {"domain", "listen", "networks"} or path == ("services",) for path in broken):
        return None
    services = dict(data.get("services", {}))
    for path in broken:
        if path[0] == "services":
            services.pop(path[1], None)
    sections = {path[0] for path in broken}
    return {**{key: value for key, value in data.items() if key not in sections}, "services": services}


def _files(settings: Settings) -> Iterator[Finding]:
    """Files that the settings name, and that can't be used."""
    yield from _authorities(settings)
    yield from _lists(settings)
    yield from acme_files(settings.tls)
    yield from _signers(settings)
    yield from check_device_files(settings)
    yield from mail_files(settings)


def _authorities(settings: Settings) -> Iterator[Finding]:
    for name, service in settings.services.items():
        if isinstance(service.verify, str) and (problem := _problem_of_authority(Path(service.verify))):
            yield Finding(
                ("services", name, "verify"),
                f"{service.verify} {problem}",
                "a PEM file with the certificate of the authority that signed the upstream's",
                "name that file, or write true to trust the system's authorities",
            )


def _lists(settings: Settings) -> Iterator[Finding]:
    for number, name in enumerate(settings.defence.deny_files):
        if problem := _problem_of_list(Path(name)):
            expected = "a file with a network on each line, such as 192.0.2.0/24 or 2001:db8::/32"
            yield Finding(("defence", "deny-files", number), f"{name}: {problem}", expected)


def _signers(settings: Settings) -> Iterator[Finding]:
    for number, authority in enumerate(settings.tunnel_policy.authorities):
        try:
            public_keys(Path(authority.file))
        except (OSError, NoPublicKey) as error:
            yield Finding(
                ("tunnels", "authorities", number, "file"),
                f"{authority.file}: {error.strerror if isinstance(error, OSError) else error}",
                "a file with public keys as OpenSSH writes them, such as ssh-ed25519 AAAA…",
                "`ssh-keygen -t ed25519 -f ssh-ca` makes an authority; ssh-ca.pub is its public key",
            )


def _problem_of_list(file: Path) -> str:
    try:
        networks_of(file)
    except OSError as error:
        return f"can't be read: {error.strerror}"
    except NoNetwork as error:
        return str(error)
    return ""


def _problem_of_authority(file: Path) -> str:
    try:
        content = file.read_bytes()
    except OSError as error:
        return f"can't be read: {error.strerror}"
    return "" if b"-----BEGIN CERTIFICATE-----" in content else "holds no certificate"


def _mistakes(found: Iterable[Finding], text: str, file: Path, environ: Mapping[str, str]) -> tuple[Mistake, ...]:
    known = lines(text)
    placed = [_mistake(finding, file, known, environ) for finding in in_order(found)]
    return tuple(sorted(placed, key=lambda mistake: (mistake.file, mistake.line)))


def _mistake(finding: Finding, file: Path, known: dict[KeyPath, int], environ: Mapping[str, str]) -> Mistake:
    place, line = str(file), line_of(finding.path, known)
    for variable, path in _VARIABLES.items():
        if environ.get(variable) and finding.path[: len(path)] == path:
            place, line = variable, 0
    return Mistake(place, line, spell_key(finding.path), finding.problem, finding.expected, finding.way_out)
