"""Which of several chains to show, where an authority offers more than one (RFC 8555 section 7.4.2). Pure.

choose([default, other], "ISRG Root X1")        # the one whose last issuer is called so, else the first
"""

from collections.abc import Sequence

from cryptography import x509
from cryptography.x509.oid import NameOID


def choose(chains: Sequence[str], root: str | None) -> str:
    """`chains` are PEM texts, leaf first; the first is the authority's own choice."""
    return next((chain for chain in chains if root in ends_at(chain)), chains[0])


def ends_at(chain: str) -> tuple[str, ...]:
    """The names of the last certificate's issuer: common names, else the whole name."""
    issuer = x509.load_pem_x509_certificates(chain.encode())[-1].issuer
    names = tuple(str(name.value) for name in issuer.get_attributes_for_oid(NameOID.COMMON_NAME))
    return names or (issuer.rfc4514_string(),)
