"""Certificates that were offered for hosts, one file each, whether or not they are in force.

    offers = Offers(state.certificates)
    offers.add(certificate, bundle)                 # certificates/acme/wiki.example.com-3f2a91bc.pem
    offers.covering("wiki.example.com")             # also those for *.example.com

A newer one takes the place of an older one of the same source whose names it covers.
"""

import logging
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path

from portward.errors import Invalid
from portward.host import files
from portward.model import Certificate, Source
from portward.pki.bundle import Bundle

log = logging.getLogger(__name__)


class Offers:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._by_name: dict[str, list[Certificate]] = defaultdict(list)
        for source in ("files", "acme"):
            for path in sorted(directory.glob(f"{source}/*.pem")):
                self._load(path, source)

    def path(self, bundle: Bundle, source: Source) -> Path:
        """Where an offer lies; a wildcard `*.example.com` becomes `_.example.com`."""
        return self._directory / source / f"{bundle.names[0].replace('*', '_')}-{bundle.leaf.serial_number:x}.pem"

    def add(self, offer: Certificate, bundle: Bundle) -> None:
        """Keep an offer, on the disk first; those that it makes useless go."""
        path = Path(offer.file)
        if offer in self._by_name.get(offer.names[0], ()) and path.exists():
            return
        files.private_directory(path.parent)
        files.replace(path, bundle.pem)
        for rival in self.rivals(offer):
            if set(rival.names) <= set(offer.names):
                self._remove(rival)
        self._list(offer)

    def retain(self, source: Source, fingerprints: Collection[str]) -> bool:
        """Drop the offers of a source whose fingerprints are not among these. Returns whether there were any."""
        gone = {one for ones in self._by_name.values() for one in ones if one.source == source}
        gone = {one for one in gone if one.fingerprint not in fingerprints}
        for offer in gone:
            self._remove(offer)
        return bool(gone)

    def covering(self, host: str) -> list[Certificate]:
        """Every offer for a host, by its name or by a wildcard for its parent."""
        return [*self._by_name.get(host, ()), *self._by_name.get(f"*.{host.partition('.')[2]}", ())]

    def rivals(self, offer: Certificate) -> list[Certificate]:
        """Other offers of the same source that have a name in common with this one."""
        found = (one for name in offer.names for one in self._by_name.get(name, ()))
        return [one for one in dict.fromkeys(found) if one.source == offer.source and one != offer]

    @staticmethod
    def read(offer: Certificate) -> Bundle:
        """Raises `Invalid` for a file that was damaged since."""
        return Bundle.read(Path(offer.file).read_bytes())

    def _load(self, path: Path, source: Source) -> None:
        try:
            bundle = Bundle.read(path.read_bytes())
        except Invalid as error:
            log.warning("%s is left aside: %s", path, error.message)
            return
        self._list(bundle.certificate(path, source))

    def _list(self, offer: Certificate) -> None:
        for name in offer.names:
            if offer not in self._by_name[name]:
                self._by_name[name].append(offer)

    def _remove(self, offer: Certificate) -> None:
        Path(offer.file).unlink(missing_ok=True)
        for name in offer.names:
            self._by_name[name].remove(offer)
