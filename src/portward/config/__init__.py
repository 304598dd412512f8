"""portward.toml: its shape, how it is read, checked and edited.

settings = read(Path("portward.toml"))
"""

from portward.config.reading import DEFAULT_FILE, DEFAULT_STATE, read
from portward.config.settings import Settings

__all__ = ["DEFAULT_FILE", "DEFAULT_STATE", "Settings", "read"]
