"""The table [tls] of portward.toml: where certificates come from, and which versions of TLS are spoken.

Settings.model_validate({"tls": {"mode": "acme"}}).tls.acme_authorities      # (AcmeAuthority(directory='https://…'),)
"""

from datetime import timedelta
from typing import Literal

from portward.config.own_files import OwnFiles
from portward.config.section import Section
from portward.config.values import (
    BesideFile,
    DirectoryUrl,
    Email,
    Flag,
    Host,
    Port,
    ResolverAddress,
    Span,
    Timeout,
    Word,
)

LETS_ENCRYPT = "https://acme-v02.api.letsencrypt.org/directory"


class AcmeAuthority(Section):
    """An authority that speaks ACME (RFC 8555). With several, the next one is asked where one is away or says no."""

    directory: DirectoryUrl = LETS_ENCRYPT
    """The URL of its directory."""
    staging: DirectoryUrl | None = None
    """The directory of its staging environment, for dry runs. Default: known for Let's Encrypt, else none."""
    ca_file: BesideFile | None = None
    """Who vouches for the authority's own HTTPS, where the system's authorities do not."""
    eab_kid: Word | None = None
    """The key identifier of an external account binding."""
    eab_hmac_file: BesideFile | None = None
    """A file that holds its HMAC key, in base64url."""


class DnsChallenge(Section):
    """How dns-01 writes into the zone: through a provider that dns-lexicon knows, or through a hook."""

    provider: Word | None = None
    """A provider of dns-lexicon, such as `cloudflare`, `hetzner` or `ovh`."""
    credentials_file: BesideFile | None = None
    """A TOML file with the provider's options, such as `auth_token`, readable by its owner alone."""
    zone: Host | None = None
    """The zone that the provider knows. Default: the registered domain of the name."""
    hook: BesideFile | None = None
    """A program that is run as `HOOK auth` and `HOOK cleanup`, with what to do in its environment."""
    wait: Timeout = timedelta(minutes=2)
    """How long a record may take until every name server of the zone knows it."""


class Tls(Section):
    """Certificates, and the versions of TLS that are spoken."""

    mode: Literal["local", "acme", "files"] = "local"
    """`local`: an authority of the gateway's own signs a certificate for each host. `acme`: a public one does.
    `files`: all come from `files`."""
    files: tuple[OwnFiles, ...] = ()
    """Certificates of your own, which come before all others: PEM files, patterns, or pairs of certificate and key."""
    email: Email | None = None
    """Where the ACME authority may write to."""
    directory: DirectoryUrl = LETS_ENCRYPT
    """The directory of the ACME authority."""
    ca_file: BesideFile | None = None
    """Who vouches for that authority's own HTTPS, where the system's authorities do not."""
    authorities: tuple[AcmeAuthority, ...] = ()
    """Several ACME authorities, in order of preference, instead of `directory` and `ca-file`."""
    challenge: Literal["http-01", "tls-alpn-01", "dns-01"] = "http-01"
    """How the authority sees that a name is ours: by port 80, by port 443, or by DNS."""
    challenge_port: Port | None = None
    """The port at which the authority asks, where it is not 80 or 443: only an authority of your own does that."""
    wildcards: tuple[Host, ...] = ()
    """Domains for which one certificate, `*.DOMAIN`, serves all hosts directly below; needs `dns-01`."""
    dns: DnsChallenge | None = None
    """How `dns-01` writes into the zone."""
    key_type: Literal["ecdsa", "rsa"] = "ecdsa"
    """The kind of a certificate's key: ECDSA P-256, or RSA with 2048 bits."""
    profile: Word | None = None
    """The profile of the authority that certificates are asked for with, where it offers several."""
    chain: Word | None = None
    """The name of the root that the chain should end at, where the authority offers several chains."""
    preflight: Flag = True
    """Look at DNS, ports and clock before the authority is asked, so that a mistake burns no attempt."""
    resolvers: tuple[ResolverAddress, ...] = ()
    """DNS servers that see what the public sees, for those looks. Default: the system's."""
    minimum: Literal["1.2", "1.3"] = "1.2"
    """The oldest version of TLS that is accepted. `1.2` is Mozilla's intermediate profile."""
    hsts: Span = timedelta(days=730)
    """How long a browser may remember to use HTTPS only; `0s` sends no such header."""

    @property
    def acme_authorities(self) -> tuple[AcmeAuthority, ...]:
        """Whom to ask, in order of preference."""
        return self.authorities or (
            AcmeAuthority.model_construct(
                directory=self.directory, staging=None, ca_file=self.ca_file, eab_kid=None, eab_hmac_file=None
            ),
        )
