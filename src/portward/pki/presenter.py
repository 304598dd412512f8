"""Who shows certificates to visitors: owned by `Certificates`, implemented at the edge.

    await presenter.present("wiki.example.com", pem)        # visitors get it from now on

The files are written before; a presenter only brings a running edge to agree with them.
"""

from typing import Protocol


class Presenter(Protocol):
    async def present(self, host: str, pem: bytes) -> None:
        """Show the certificate in `pem` (leaf, chain, key) to whoever asks for `host`, and see it by a handshake.

        A host that the edge does not serve yet will get it when it is published, so that is no error. Raises
        `EdgeError` when the edge refuses it, or when a handshake shows another one.
        """


class NullPresenter:
    """For whoever has no edge: what is in the files is what counts."""

    async def present(self, host: str, pem: bytes) -> None:
        del host, pem
