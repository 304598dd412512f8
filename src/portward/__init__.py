"""Portward: a self-hosted secure entrypoint. It stands between the internet and private services."""

__version__ = "0.1.0"
