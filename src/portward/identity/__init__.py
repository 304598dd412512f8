"""Who someone is and what they may open: accounts, groups, links, credentials, logins, sessions.

Knows the store, the configuration and the model; reaches the edge through the `Gatekeeper` protocol alone.
`identity.Identity` wires the parts; see docs/identity.md for how they behave.
"""
