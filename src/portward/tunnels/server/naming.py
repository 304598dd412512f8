"""What a service may be called, and names that are made up.

label("Blog.example.com", "example.com")      # 'blog'
made_up(secret, "SHA256:…", 0)                # 'brave-otter-42': the same again for the same key
"""

import hashlib
import hmac
import re

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_KIND_WORDS = (
    "amber brave brisk calm clear clever cosy crisp eager early fair fancy fleet fond free fresh gentle glad golden "
    "grand happy hardy honest jolly keen kind lively lucky lunar mellow merry mild misty modest neat nimble noble "
    "plain plucky polite proud quick quiet rapid ready rosy rustic sandy silent silver simple smart snug solar solid "
    "steady stout sunny swift tidy vivid warm wise young"
)
_BEAST_WORDS = (
    "badger beaver bison bobcat buzzard camel cheetah condor coyote crane cricket curlew deer dolphin eagle egret "
    "falcon ferret finch fox gazelle gecko gibbon goose heron hornet ibex jackal jaguar kestrel koala lark lemur "
    "lizard llama lynx magpie marmot marten mole newt ocelot osprey otter owl panda parrot pelican pigeon puffin "
    "quail rabbit raven robin salmon seal sparrow stork swallow swan tapir thrush"
)
_KINDS, _BEASTS = _KIND_WORDS.split(), _BEAST_WORDS.split()


def label(text: str, domain: str) -> str | None:
    """The service's name that a client means, or None when it is no name: an address, or a host elsewhere."""
    name = text.lower().removesuffix(f".{domain}")
    return name if _LABEL.fullmatch(name) and not name.isdigit() else None


def made_up(secret: bytes, fingerprint: str, number: int) -> str:
    """The `number`-th readable name of a key. Nobody without `secret` can foretell it."""
    digest = hmac.digest(secret, f"{fingerprint}|{number}".encode(), hashlib.sha256)
    kind, beast = _KINDS[digest[0] % len(_KINDS)], _BEASTS[digest[1] % len(_BEASTS)]
    return f"{kind}-{beast}-{int.from_bytes(digest[2:6], 'big') % 10_000}"
