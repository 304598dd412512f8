"""portward.toml: its shape, how it is read, checked and edited."""

from portward.config.settings import Settings

__all__ = ["Settings"]
