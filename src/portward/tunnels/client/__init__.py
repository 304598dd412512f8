"""Keeps tunnels alive from this side: one supervised SSH connection for each saved tunnel, against any SSH server.

asyncssh takes a moment to import, so whoever imports `link` or `tunnel` does it when a tunnel is brought up.
"""
