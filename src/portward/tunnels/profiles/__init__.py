"""Saved tunnels: what PuTTY's saved sessions and a Host in ~/.ssh/config hold, in one readable file; and the ways from
one to the other.

    profiles = saved.read(saved.default_file())
"""
