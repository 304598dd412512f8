"""Our account at each authority: one, whatever happens in between.

    accounts = Accounts(state.acme / "accounts")
    client = accounts.enter(authority, email="ann@example.com")     # signed in, registered where it was not
    accounts.rotate(client)                                         # the key is another one now

The key is on the disk before the authority hears of it, and asking twice with one key leads to one account (RFC 8555
section 7.3.1). A rotation that was cut off is completed or dropped, as the authority says.
"""

import hashlib
import json
from pathlib import Path
from urllib.parse import urlsplit

from acme import jws, messages
from josepy.errors import Error as JoseError
from josepy.jwa import ES256

from portward.host.files import create, private_directory, replace
from portward.pki.acme.job import Authority
from portward.pki.acme.keys import jwk, new_key
from portward.pki.acme.network import Client, spell_json
from portward.pki.acme.troubles import Refused


def place_of(directory: str) -> str:
    """The name of the directory that belongs to an authority: readable, and different for each."""
    return f"{urlsplit(directory).hostname}-{hashlib.sha256(directory.encode()).hexdigest()[:8]}"


class Accounts:
    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def enter(self, authority: Authority, email: str | None) -> Client:
        """A conversation as our account. Raises the kinds of `troubles`, and `OSError` when the key can't be kept."""
        home = private_directory(self._directory / place_of(authority.directory))
        create(home / "key.pem", new_key("ecdsa"))
        self._settle_rotation(home, authority)
        client = Client(authority, jwk((home / "key.pem").read_bytes()))
        uri = self._known(home, client, email) or self._register(client, authority, email)
        client.sign_as(uri)
        replace(home / "account.json", spell_json({"directory": authority.directory, "uri": uri, "email": email}))
        return client

    def rotate(self, client: Client) -> None:
        """Give the account a new key (RFC 8555 section 7.3.5)."""
        home = self._directory / place_of(client.authority.directory)
        create(home / "next.pem", new_key("ecdsa"))
        new = jwk((home / "next.pem").read_bytes())
        account = json.loads((home / "account.json").read_text())["uri"]
        order = spell_json({"account": account, "oldKey": client.key.public_key().to_partial_json()})
        url = client.directory["keyChange"]
        inner = jws.JWS.sign(order, key=new, alg=ES256, nonce=None, url=url)
        client.post(url, inner.to_partial_json())
        (home / "next.pem").replace(home / "key.pem")

    def _known(self, home: Path, client: Client, email: str | None) -> str | None:
        """The account's address, where we have noted one that the authority still knows."""
        file = home / "account.json"
        if not file.exists():
            return None
        noted = json.loads(file.read_text())
        client.sign_as(noted["uri"])
        try:
            change = None if noted["email"] == email else {"contact": _contact(email)}
            status = client.post(noted["uri"], change).json().get("status", "valid")
        except Refused as refusal:
            if "accountDoesNotExist" not in refusal.message:
                raise
            return None
        if status != "valid":
            raise Refused(
                f"our account {noted['uri']} is {status}",
                way_out=f"move {home} away, and the next round makes a new account",
            )
        return str(noted["uri"])

    def _register(self, client: Client, authority: Authority, email: str | None) -> str:
        client.sign_as(None)
        order: dict[str, object] = {"termsOfServiceAgreed": True}
        if email:
            order["contact"] = _contact(email)
        if authority.eab_kid and authority.eab_hmac_file:
            order["externalAccountBinding"] = _binding(client, authority.eab_kid, Path(authority.eab_hmac_file))
        elif client.meta.get("externalAccountRequired"):
            raise Refused(
                f"{authority.directory} wants an external account binding",
                way_out="get a key identifier and an HMAC key there, and name them in [[tls.authorities]]",
            )
        return str(client.post(client.directory["newAccount"], order).headers["Location"])

    def _settle_rotation(self, home: Path, authority: Authority) -> None:
        following = home / "next.pem"
        if not following.exists():
            return
        client = Client(authority, jwk(following.read_bytes()))
        try:
            client.post(client.directory["newAccount"], {"onlyReturnExisting": True})
        except Refused as refusal:
            if "accountDoesNotExist" not in refusal.message:
                raise
            following.unlink()
        else:
            following.replace(home / "key.pem")


def _contact(email: str | None) -> list[str]:
    return [f"mailto:{email}"] if email else []


def _binding(client: Client, kid: str, file: Path) -> dict[str, object]:
    """RFC 8555 section 7.3.4."""
    try:
        secret = file.read_text().strip()
        directory = messages.Directory(client.directory)
        return messages.ExternalAccountBinding.from_data(client.key.public_key(), kid, secret, directory)
    except (OSError, ValueError, JoseError) as error:
        raise Refused(
            f"the HMAC key of the external account binding in {file} can't be used",
            way_out="the file holds it in base64url, as the authority gave it",
        ) from error
