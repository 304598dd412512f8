"""Tunnels over SSH: services behind NAT come in by them, and saved ones reach out to any SSH server."""
