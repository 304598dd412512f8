"""TXT records for dns-01: written by a provider of dns-lexicon or by a hook, and looked for at the zone's own servers.

zone = Zone.of(Dns(hook="/etc/portward/dns-hook"), resolvers=())
zone.add("wiki.example.com", key_authorization)
zone.wait_for_record("wiki.example.com", key_authorization)
zone.remove("wiki.example.com", key_authorization)
"""

import hashlib
import os
import subprocess
import time
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from josepy.json_util import encode_b64jose

from portward.pki.acme.job import Dns
from portward.pki.acme.resolver import Resolver
from portward.pki.acme.troubles import Interrupted, Mistaken

_HOOK_SECONDS = 120
_PAUSE = 1.0


class Writer(Protocol):
    """Raises `Interrupted` and `Mistaken`."""

    def add(self, host: str, record: str, value: str) -> None: ...

    def remove(self, host: str, record: str, value: str) -> None: ...


class Zone:
    def __init__(self, writer: Writer, resolver: Resolver, wait: float) -> None:
        self._writer, self._resolver, self._wait = writer, resolver, wait
        self._written: dict[str, float] = {}

    @classmethod
    def of(cls, dns: Dns, resolvers: tuple[str, ...]) -> "Zone":
        resolver = Resolver(resolvers)
        writer = Hook(Path(dns.hook)) if dns.hook else Provider(dns, resolver)
        return cls(writer, resolver, dns.wait)

    def add(self, host: str, key_authorization: str) -> None:
        self._writer.add(host, self._record(host), digest(key_authorization))
        self._written[host] = time.monotonic()

    def remove(self, host: str, key_authorization: str) -> None:
        self._writer.remove(host, self._record(host), digest(key_authorization))

    def wait_for_record(self, host: str, key_authorization: str) -> None:
        """Return when every name server of the zone knows the record. Raises `Mistaken` when one never does.

        The time counts from when it was written, so that many records that never show up take no longer than one.
        """
        record, value = self._record(host), digest(key_authorization)
        deadline = self._written[host] + self._wait
        while missing := self._resolver.servers_without(record, value):
            if time.monotonic() > deadline:
                raise Mistaken(
                    f"the record {record} was written, and {', '.join(missing)} still does not know it",
                    way_out="see that the provider or hook writes into the zone that the public asks; "
                    "make `tls.dns.wait` longer where the provider is slow",
                )
            time.sleep(_PAUSE)

    def _record(self, host: str) -> str:
        """Where the record lies: an alias leads to a zone that we may write (RFC 8555 section 8.4)."""
        return self._resolver.alias_of(f"_acme-challenge.{host}")


class Hook:
    """A program, run as certbot runs its manual hooks: what to do stands in its environment."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._said: dict[tuple[str, str], str] = {}

    def add(self, host: str, record: str, value: str) -> None:
        self._said[host, value] = self._run("auth", _environment(host, record, value))

    def remove(self, host: str, record: str, value: str) -> None:
        said = self._said.pop((host, value), "")
        self._run("cleanup", {**_environment(host, record, value), "CERTBOT_AUTH_OUTPUT": said})

    def _run(self, what: str, environment: Mapping[str, str]) -> str:
        try:
            done = subprocess.run(  # noqa: S603
                [self._program, what],
                env=environment,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=_HOOK_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Mistaken(f"the hook {self._program} can't be run: {error}", way_out="see `tls.dns.hook`") from error
        if done.returncode:
            words = (done.stderr.strip() or done.stdout.strip() or "it says nothing")[-300:]
            raise Mistaken(
                f"`{self._program} {what}` ended with {done.returncode}: {words}", way_out="see `tls.dns.hook`"
            )
        return done.stdout.strip()


class Provider:
    """dns-lexicon; its options come from a file of their own, never from the command line."""

    def __init__(self, dns: Dns, resolver: Resolver) -> None:
        self._dns, self._resolver = dns, resolver

    def add(self, host: str, record: str, value: str) -> None:
        self._do("create_record", record, value)

    def remove(self, host: str, record: str, value: str) -> None:
        self._do("delete_record", record, value)

    def _do(self, what: str, record: str, value: str) -> None:
        from lexicon.client import Client
        from lexicon.config import ConfigResolver
        from lexicon.exceptions import AuthenticationError

        options = self._options()
        zone = self._dns.zone or self._resolver.zone_of(record)
        self._resolver.be_the_default()  # dns-lexicon looks for the zone too
        settings: dict[str, Any] = {
            "provider_name": self._dns.provider,
            "domain": zone,
            "delegated": zone,
            "resolve_zone_name": True,
            str(self._dns.provider): options,
        }
        try:
            config = ConfigResolver().with_dict(settings)  # type: ignore[no-untyped-call]
            with Client(config) as operations:
                getattr(operations, what)(rtype="TXT", name=record, content=value)
        except AuthenticationError as error:
            raise Mistaken(
                f"{self._dns.provider} does not let us in: {_plain(error, options)}",
                way_out=f"see the options in {self._dns.credentials_file}, and what they may do",
            ) from error
        except Exception as error:  # each of its hundred providers raises what it likes
            raise Interrupted(
                f"{self._dns.provider} failed at {what} of {record}: {_plain(error, options)}",
                way_out=f"see `tls.dns`, and the options in {self._dns.credentials_file}",
            ) from error

    def _options(self) -> dict[str, Any]:
        file = Path(self._dns.credentials_file or "")
        try:
            if file.stat().st_mode & 0o077:
                raise Mistaken(f"{file} can be read by others", way_out=f"chmod 600 {file}")
            return tomllib.loads(file.read_text())
        except (OSError, ValueError) as error:
            raise Mistaken(f"{file} can't be read: {error}", way_out='lines such as auth_token = "…"') from error


def digest(key_authorization: str) -> str:
    """What the record holds (RFC 8555 section 8.4)."""
    return encode_b64jose(hashlib.sha256(key_authorization.encode()).digest())


def _environment(host: str, record: str, value: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TZ") if name in os.environ}
    asked = {"CERTBOT_DOMAIN": host, "CERTBOT_VALIDATION": value, "PORTWARD_RECORD": record}
    return {**kept, **asked}


def _plain(error: Exception, options: Mapping[str, Any]) -> str:
    """What a provider says, without the secrets that it may repeat."""
    text = str(error).split("\n")[0][:300] or type(error).__name__
    for secret in options.values():
        if isinstance(secret, str) and len(secret) > 3:
            text = text.replace(secret, "…")
    return text
