"""What an account shows to prove itself: password, TOTP, recovery codes; and how its owner changes them.

    offer = await credentials.begin_totp("ann")
    codes = await credentials.confirm_totp("ann", "492039")      # then sessions.rise(session): a new cookie

Whoever calls these has made sure that the visitor may: for `drop_totp` and `new_recovery_codes` on one's own account
`access.stepped_up(session, now)` must hold.
"""

from collections.abc import Sequence

from portward.identity.answers import Refused, TotpOffer, Wait


class Credentials:
    async def change_password(
        self, account: str, old: str, new: str, *, address: str, keep_session: str | None = None
    ) -> Refused | Wait | None:
        """Change it when `old` is right, and end all other sessions. None on success. Raises `Invalid` for a weak one."""

    async def begin_totp(self, account: str) -> TotpOffer:
        """Offer a secret; it counts from `confirm_totp` on. Raises `Conflict` when TOTP is on already."""

    async def pending_totp(self, account: str) -> TotpOffer | None:
        """The offer that awaits its code, to show the same QR code again after a typing error."""

    async def confirm_totp(self, account: str, code: str) -> Sequence[str] | None:
        """Turn TOTP on when `code` fits the offer. Returns 10 recovery codes (shown once), None when it does not fit."""

    async def drop_totp(self, account: str, *, by: str) -> bool:
        """Turn TOTP off and forget the recovery codes. False when it was off."""

    async def new_recovery_codes(self, account: str, *, by: str) -> Sequence[str]:
        """Ten new codes; the old ones are dead. Raises `Conflict` when TOTP is off."""

    async def recovery_left(self, account: str) -> int:
        """How many recovery codes are unused."""
