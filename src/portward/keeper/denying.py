"""The files of `defence.deny-files`, read again only when they have changed: a big one takes half a second.

DenyFiles().read(settings)          # one content each
"""

from pathlib import Path

from portward.config import Settings
from portward.config.networks import NoNetwork, networks_of
from portward.errors import Invalid
from portward.host.files import signature_of


class DenyFiles:
    def __init__(self) -> None:
        self._known: dict[str, tuple[tuple[int, ...] | None, bytes]] = {}

    def read(self, settings: Settings) -> list[bytes]:
        """Raises `Invalid` for a list that became unusable since it was checked."""
        try:
            self._known = {name: self._content(name) for name in settings.defence.deny_files}
        except (OSError, NoNetwork) as error:
            raise Invalid(f"a file of `defence.deny-files` can't be used: {error}") from error
        return [content for _, content in self._known.values()]

    def _content(self, name: str) -> tuple[tuple[int, ...] | None, bytes]:
        signature = signature_of(Path(name))
        known = self._known.get(name)
        return known if known and signature and known[0] == signature else (signature, networks_of(Path(name)))
