import asyncio
import subprocess
import sys

from portward.identity.passwords import Passwords


def test_passwords_are_kept_as_argon2id_with_64_mib() -> None:
    async def story() -> None:
        passwords = Passwords()
        kept = await passwords.hash("velvet anchor ninety crickets")
        assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
        assert await passwords.verify(kept, "velvet anchor ninety crickets")
        assert not await passwords.verify(kept, "velvet anchor ninety cricket")
        assert not await passwords.verify(None, "nobody has this password")
        assert not passwords.outdated(kept)

    asyncio.run(story())


def test_a_password_is_the_same_from_every_keyboard() -> None:
    async def story() -> None:
        passwords = Passwords()
        assert await passwords.verify(await passwords.hash("größte Übung"), "gro\u0308ßte U\u0308bung")

    asyncio.run(story())


def test_what_is_seldom_needed_is_not_imported_at_start() -> None:
    program = (
        "import sys, portward.identity.identity\n"
        "sys.exit(' '.join({'zxcvbn', 'alembic', 'cryptography'} & set(sys.modules)) or 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
