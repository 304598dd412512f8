"""Signs for devices as `identity` asks for it; the authority is made when a first device needs it.

enroller = Enroller(state.devices, clock)
enroller.sign(csr, "phone", "ann", until, "https://auth.example.com/devices.crl")
enroller.make("mobileconfig", "phone", "ann", until, url, "example.com")      # key, certificate and password, once
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from portward.model import Package, PackageForm
from portward.pki.devices import DeviceAuthority, read_request
from portward.pki.minting import new_key
from portward.pki.packages import new_password, pack, profile
from portward.store.devices import Issued, Revoked

_KINDS: dict[PackageForm, tuple[str, str]] = {
    "p12": ("p12", "application/x-pkcs12"),
    "p12-old": ("p12", "application/x-pkcs12"),
    "mobileconfig": ("mobileconfig", "application/x-apple-aspen-config"),
}


class Enroller:
    """`directory` need not exist."""

    def __init__(self, directory: Path, clock: Callable[[], datetime]) -> None:
        self._directory, self._clock = directory, clock
        self._opened: DeviceAuthority | None = None

    @property
    def authority(self) -> DeviceAuthority:
        """Raises `Environment` for one that can't be used."""
        if self._opened is None:
            self._opened = DeviceAuthority.open(self._directory, self._clock())
        return self._opened

    def check(self, csr: str) -> None:
        """Raises `Invalid` for what can't be signed."""
        read_request(csr)

    def sign(self, csr: str, device: str, account: str, until: datetime, list_url: str) -> Issued:
        """Raises `Invalid`, `Environment`."""
        return self.authority.sign(read_request(csr).public_key(), device, account, until, list_url, self._clock())

    def make(
        self, form: PackageForm, device: str, account: str, until: datetime, list_url: str, domain: str
    ) -> tuple[Issued, Package]:
        """A key that nobody keeps here, its certificate, and the file that holds both. Raises `Environment`."""
        key, password = new_key(), new_password()
        issued = self.authority.sign(key.public_key(), device, account, until, list_url, self._clock())
        content = pack(self.authority.certificate, key, issued, password, device, old=form != "p12")
        if form == "mobileconfig":
            content = profile(content, device, domain)
        ending, media_type = _KINDS[form]
        return issued, Package(content, f"{account}-{issued.serial[:8]}.{ending}", media_type, password)

    def revocation_list(self, revoked: Sequence[Revoked]) -> bytes:
        """DER. Raises `Environment`."""
        return self.authority.revocation_list(revoked, self._clock())
