"""`portward up`: starts the programs of Portward, restarts each on its own, and stops them all.

    python -m portward.supervisor --config portward.toml --state .portward

It stays in memory for months, so it imports the standard library, `portward.errors` and `portward.host` only.
"""
