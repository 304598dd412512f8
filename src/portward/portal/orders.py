"""What the admin API reads: JSON bodies with known keys only, each of its own type.

    order = await read(request, NewAccount)
    order.name

An unknown key is a mistake, never ignored: a `name` in the body of PATCH /accounts/ann can't turn to another account.
"""

from typing import Annotated, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request

from portward.errors import Invalid
from portward.model import PackageForm, Role

_LARGEST = 64 * 1024
Text = Annotated[str, Field(max_length=512)]
Names = Annotated[list[Text], Field(max_length=1000)]


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NewAccount(Order):
    """With `password` the account can log in at once; without it, a link is answered."""

    name: Text
    email: Text = ""
    display_name: Text = ""
    groups: Names = []
    role: Role = Role.MEMBER
    password: Text | None = None


class AccountChange(Order):
    """What is given is changed."""

    email: Text | None = None
    display_name: Text | None = None
    role: Role | None = None
    groups: Names | None = None
    disabled: bool | None = None


class Reset(Order):
    """With `second_factor`, the authenticator app, the passkeys and the recovery codes are forgotten too."""

    second_factor: bool = False


class NewDevice(Order):
    """With `csr`, a signing request in PEM; or with the `form` in which a key that is made here is wanted."""

    account: Text
    name: Text
    csr: Annotated[str, Field(max_length=_LARGEST)] = ""
    form: PackageForm | None = None


class Renewal(Order):
    """What `NewDevice` says; a device with a key of its own needs neither."""

    csr: Annotated[str, Field(max_length=_LARGEST)] = ""
    form: PackageForm | None = None


class Renaming(Order):
    name: Text


class MailTest(Order):
    to: Text


class NewGroup(Order):
    name: Text


class KeyRights(Order):
    """What is given is changed; null takes an expiry or a deadline away. `deadline` is spelt as in portward.toml."""

    publish: Names = []
    reach: Names = []
    sources: Names = []
    expires_at: AwareDatetime | None = None
    deadline: Text | None = None


class NewKey(KeyRights):
    """`key` is the public key as its file holds it."""

    name: Text
    account: Text
    key: Annotated[str, Field(max_length=_LARGEST)]


class NewBan(Order):
    """Neither `until` nor `for` (`1h`): for good."""

    source: Text
    reason: Text = ""
    until: AwareDatetime | None = None
    for_: Annotated[Text | None, Field(alias="for")] = None


class ImportedBan(Order):
    source: Text
    reason: Text = ""
    until: AwareDatetime | None = None
    evidence: Annotated[list[Annotated[str, Field(max_length=2000)]], Field(max_length=20)] = []


class Import(Order):
    bans: Annotated[list[ImportedBan], Field(max_length=10_000)]


class ListRefresh(Order):
    """With `force`, a block list that has shrunk by nine tenths is taken too."""

    force: bool = False


AnyOrder = TypeVar("AnyOrder", bound=Order)


async def read(request: Request, order: type[AnyOrder], *, largest: int = _LARGEST) -> AnyOrder:
    """The body as an `order`; no body at all is an empty one. Raises `Invalid`."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > largest:
            raise Invalid(f"the request's body is larger than {largest >> 10} KB")
    try:
        return order.model_validate_json(bytes(body) or b"{}")
    except ValidationError as error:
        raise Invalid(_sentence(error)) from None


def _sentence(error: ValidationError) -> str:
    """Names the keys, and never the values: one of them may be a password."""
    return "; ".join(
        f"{'.'.join(str(part) for part in mistake['loc']) or 'body'}: {mistake['msg'].lower()}"
        for mistake in error.errors(include_input=False, include_url=False, include_context=False)
    )
