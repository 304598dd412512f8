"""ACME (RFC 8555): public certificates by themselves.

The keeper decides what is due (`schedule`), keeps the standing of each name in the store, and starts a process for each
round (`round`). That process (`python -m portward.pki.acme`) alone imports certbot's libraries, talks to the authority,
and takes their memory with it when it ends. What must not be lost lies in files before the authority is asked:
account keys, certificate keys, the addresses of orders.
"""
